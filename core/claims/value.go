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
type Value struct{ raw string }

// Raw is the value's JSON text; "" if there is no value.
func (v Value) Raw() string { return v.raw }

// Kind is the value's type.
func (v Value) Kind() Kind {
	if v.raw == "" {
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
func (v Value) Exists() bool { return v.raw != "" }

// Text is the text of a JSON string: a part of the set's copy of the document if the string has no
// escapes. ok is false for other kinds.
func (v Value) Text() (text string, ok bool) {
	if v.Kind() != String {
		return "", false
	}
	return unquote(v.raw), true
}

// few is how many elements most lists have at most.
const few = 4

// Elements are the values of a list; nil for other kinds.
func (v Value) Elements() []Value {
	if v.Kind() != List {
		return nil
	}
	out := make([]Value, 0, few)
	for w := walkOf(v.raw); w.more(); {
		out = append(out, w.element())
	}
	return out
}

// All reports whether holds is true for all elements of a list; true for other kinds.
func (v Value) All(holds func(Value) bool) bool {
	if v.Kind() != List {
		return true
	}
	for w := walkOf(v.raw); w.more(); {
		if !holds(w.element()) {
			return false
		}
	}
	return true
}

// EachMember calls f for each member of an object, in order; not at all for other kinds.
func (v Value) EachMember(f func(name string, value Value)) {
	if v.Kind() != Object {
		return
	}
	for w := walkOf(v.raw); w.more(); {
		quoted, value := w.member()
		f(unquote(quoted), value)
	}
}

// HasMembers reports whether the value is an object that is not empty.
func (v Value) HasMembers() bool {
	if v.Kind() != Object {
		return false
	}
	w := walkOf(v.raw)
	return w.more()
}

// Member finds a member of an object, as Set.Get does: by its literal name, then by a dotted path.
func (v Value) Member(name string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	if found := v.member(name); found.Exists() {
		return found
	}
	return dotted(name, v.member)
}

// member finds a member of exactly that name in an object.
func (v Value) member(name string) Value {
	for w := walkOf(v.raw); w.more(); {
		if quoted, value := w.member(); unquote(quoted) == name {
			return value
		}
	}
	return Value{}
}
