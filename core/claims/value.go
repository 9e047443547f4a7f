package claims

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of a Value. The zero Value is Absent. Absent and Null, which counts as absent, come
// before the others.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	List
	Object
)

// Value is one JSON value of a claim set.
type Value struct{ raw []byte }

// Raw is the value's JSON text. The caller must not change it.
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

// Exists reports whether there is a value, null included.
func (v Value) Exists() bool { return len(v.raw) > 0 }

// Text is the text of a JSON string. ok is false for other kinds.
func (v Value) Text() (text string, ok bool) {
	if v.Kind() != String {
		return "", false
	}
	return string(unquote(v.raw)), true
}

// TextBytes is Text without a copy where the JSON has no escapes. The caller must not change it.
func (v Value) TextBytes() (text []byte, ok bool) {
	if v.Kind() != String {
		return nil, false
	}
	return unquote(v.raw), true
}

// Elements are the values of a list; nil for other kinds.
func (v Value) Elements() []Value {
	if v.Kind() != List {
		return nil
	}
	return elementsOf(v.raw)
}

// EachMember calls f for each member of an object, in order; not at all for other kinds.
func (v Value) EachMember(f func(name string, value Value)) {
	if v.Kind() != Object {
		return
	}
	for _, m := range membersOf(v.raw) {
		f(string(m.name), m.value)
	}
}

// HasMembers reports whether the value is an object that is not empty.
func (v Value) HasMembers() bool {
	return v.Kind() == Object && v.raw[skipSpace(v.raw, 1)] != '}'
}

// Member finds a member of an object, as Set.Get does: by its literal name, then by a dotted path.
func (v Value) Member(name string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	return Set{members: membersOf(v.raw)}.Get(name)
}
