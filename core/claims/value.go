package claims

import (
	"bytes"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

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
type Value struct{ raw jsontext.Value }

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
	text, err := jsontext.AppendUnquote(nil, v.raw)
	return string(text), err == nil
}

// Elements are a list's values; nil for any other kind.
func (v Value) Elements() []Value {
	if v.Kind() != List {
		return nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(v.raw), jsontext.AllowDuplicateNames(true))
	if _, err := d.ReadToken(); err != nil {
		return nil
	}
	var out []Value
	for d.PeekKind() != ']' {
		e, err := d.ReadValue()
		if err != nil {
			return nil
		}
		out = append(out, Value{bytes.Clone(e)})
	}
	return out
}

// Member finds a member of an object as Set.Get does: by its literal name, then by a dotted path.
func (v Value) Member(name string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	return Set{members: membersOf(v.raw)}.Get(name)
}

// maxDate is the last second whose nanoseconds fit an int64 (in the year 2262).
const maxDate = math.MaxInt64 / 1_000_000_000

// Date reads a NumericDate (RFC 7519 §2: seconds since 1970, fractions allowed) in Unix nanoseconds. A date that is
// there but isn't a finite number between 1970 and 2262 is not ok; present tells it from one that isn't there.
func (s Set) Date(name string) (unixNano int64, present, ok bool) {
	v := s.Get(name)
	switch v.Kind() {
	case Absent:
		return 0, false, false
	case Number:
	default:
		return 0, true, false
	}
	if sec, err := strconv.ParseInt(string(v.raw), 10, 64); err == nil {
		if sec < 0 || sec > maxDate {
			return 0, true, false
		}
		return sec * 1_000_000_000, true, true
	}
	f, err := strconv.ParseFloat(string(v.raw), 64)
	if err != nil || f < 0 || f >= maxDate {
		return 0, true, false
	}
	whole, frac := math.Modf(f)
	return int64(whole)*1_000_000_000 + int64(frac*1e9), true, true
}
