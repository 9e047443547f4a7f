// Package fields holds HTTP fields as an Envoy header map keeps them.
package fields

import (
	"slices"
	"strings"

	"gatehouse/hostsim/abi"
)

// Header is one field: a lower-case name and its value.
type Header = abi.Pair

// Headers is a map of HTTP fields in the order of an Envoy header map: names
// are lower-case, pseudo-headers come before the others, and a name may occur
// more than once, unless Envoy joins its values. The zero value is empty and
// ready. It is not safe for concurrent use.
type Headers struct {
	list []Header
	// inline are the fields whose values are joined; nil for trailers and
	// metadata.
	inline Inline
}

// H builds Headers from names and values in turn; it panics on an odd number of
// arguments. It is meant for tests and examples.
func H(namesAndValues ...string) *Headers {
	if len(namesAndValues)%2 != 0 {
		panic("hostsim: H with a name that has no value")
	}
	h := &Headers{}
	for i := 0; i < len(namesAndValues); i += 2 {
		h.Add(namesAndValues[i], namesAndValues[i+1])
	}
	return h
}

// Len returns the number of fields; a nil map has none.
func (h *Headers) Len() int {
	if h == nil {
		return 0
	}
	return len(h.list)
}

// ByteSize returns the summed length of names and values.
func (h *Headers) ByteSize() int {
	n := 0
	for _, f := range h.All() {
		n += len(f.Name) + len(f.Value)
	}
	return n
}

// All returns the fields in order. The caller must not change them.
func (h *Headers) All() []Header {
	if h == nil {
		return nil
	}
	return h.list
}

// Lookup returns the first value of name and whether there is one.
func (h *Headers) Lookup(name string) (string, bool) {
	name = h.canonical(name)
	for _, f := range h.All() {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// Get returns the first value of name, or "".
func (h *Headers) Get(name string) string {
	v, _ := h.Lookup(name)
	return v
}

// Values returns all values of name in order.
func (h *Headers) Values(name string) []string {
	name = h.canonical(name)
	var vs []string
	for _, f := range h.All() {
		if f.Name == name {
			vs = append(vs, f.Value)
		}
	}
	return vs
}

// Add adds a field after those that are there.
func (h *Headers) Add(name, value string) {
	name = h.canonical(name)
	if h.inline[name] {
		for i := range h.list {
			if h.list[i].Name == name {
				h.list[i].Value += "," + value
				return
			}
		}
	}
	at := len(h.list)
	if strings.HasPrefix(name, ":") {
		for at = 0; at < len(h.list) && strings.HasPrefix(h.list[at].Name, ":"); at++ {
		}
	}
	h.list = slices.Insert(h.list, at, Header{Name: name, Value: value})
}

// Set replaces all fields of that name by one.
func (h *Headers) Set(name, value string) {
	h.Del(name)
	h.Add(name, value)
}

// Del removes all fields of that name.
func (h *Headers) Del(name string) {
	name = h.canonical(name)
	h.list = slices.DeleteFunc(h.list, func(f Header) bool { return f.Name == name })
}

// Clone returns a copy; the clone of a nil map is nil.
func (h *Headers) Clone() *Headers {
	if h == nil {
		return nil
	}
	return &Headers{list: slices.Clone(h.list), inline: h.inline}
}

// canonical returns the name that a field is kept under. A request's host is its
// :authority.
func (h *Headers) canonical(name string) string {
	name = strings.ToLower(name)
	if name == "host" && h != nil && h.inline[":authority"] {
		return ":authority"
	}
	return name
}

// Replace replaces all fields by pairs.
func (h *Headers) Replace(pairs []Header) {
	h.list = h.list[:0:0]
	for _, p := range pairs {
		h.Add(p.Name, p.Value)
	}
}

// New builds Headers from pairs, in which the values of the inline fields are joined.
func New(pairs []Header, inline Inline) *Headers {
	h := &Headers{inline: inline}
	h.Replace(pairs)
	return h
}
