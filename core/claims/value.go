package claims

// Kind is a JSON value's type.
type Kind uint8

// The kinds of a Value. Absent is the zero Value's.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	List
	Object
)

// Value is one JSON value of a claim set that Parse has accepted.
type Value struct{ raw []byte }

// Raw is the value's JSON text. It must not be changed.
func (v Value) Raw() []byte { return v.raw }

// Kind is the value's type.
func (v Value) Kind() Kind {
	if len(v.raw) == 0 {
		return Absent
	}
	switch v.raw[0] {
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	case '"':
		return String
	case '[':
		return List
	case '{':
		return Object
	}
	return Number
}

// Exists reports whether the claim is there, if only as null.
func (v Value) Exists() bool { return len(v.raw) > 0 }

// Text is a JSON string, unescaped.
func (v Value) Text() (string, bool) {
	if v.Kind() != String {
		return "", false
	}
	return string(unquote(v.raw)), true
}

// Elements are a list's values; nil for any other kind.
func (v Value) Elements() []Value {
	if v.Kind() != List {
		return nil
	}
	return elementsOf(v.raw)
}

// Member finds a member of an object as Set.Get does: by its literal name, then by a dotted path.
func (v Value) Member(name string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	return Set{members: membersOf(v.raw)}.Get(name)
}
