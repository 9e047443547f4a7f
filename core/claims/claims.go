// Package claims reads the claim set of a token (RFC 7519 §4). Parse scans it once, strictly; Set
// finds claims by name.
package claims

import (
	"errors"
	"strings"
)

// MaxDepth is how deeply a claim set may nest. Real tokens nest two or three levels deep
// (Keycloak's resource_access).
const MaxDepth = 16

var (
	errNotObject = errors.New("not a JSON object")
	errTrailing  = errors.New("data after the JSON object")
	errDepth     = errors.New("nested too deeply")
	errJSON      = errors.New("not strict JSON")
)

// Set is an immutable claim set. The zero Set has no claims.
type Set struct {
	text    string // the document, then the names that have escapes or bytes outside ASCII
	size    int    // of the document
	members []span // of text, so that the garbage collector has no pointers to follow
	lengths uint64 // bit n is set if a name has n bytes, modulo 64: finds most absent names at once
}

// span is where a member's name and value are in a text.
type span struct{ name, nameEnd, value, valueEnd uint32 }

// Parse reads doc, which must be exactly one JSON object in UTF-8, at most MaxDepth deep, without
// duplicate member names at any depth. RFC 7519 §4 lets a parser take the last of two members, but
// then two parsers can read two different tokens. The set keeps a copy of doc.
func Parse(doc []byte) (Set, error) {
	s := scanner{doc: string(doc[skipSpace(doc, 0):])}
	if s.at(0) != '{' {
		return Set{}, errNotObject
	}
	// Most members have some thirty bytes. Growing costs more than some room that stays empty.
	s.members = make([]span, 0, 2+len(s.doc)/24)
	end, err := s.object(0, 1)
	if err != nil {
		return Set{}, err
	}
	if skipSpace(s.doc, end) != len(s.doc) {
		return Set{}, errTrailing
	}
	return Set{text: s.doc + string(s.escaped), size: end, members: s.members, lengths: s.lengths}, nil
}

// Raw is the JSON object as it was signed, without surrounding white space; "" for the zero Set.
func (s Set) Raw() string { return s.text[:s.size] }

// Get finds a claim: first a member of exactly that name, then by a dotted path, each step of which
// is a member's name ("realm_access.roles"). The kind of a claim that the set lacks is Absent.
func (s Set) Get(name string) Value {
	if v := s.member(name); v.Exists() {
		return v
	}
	return dotted(name, s.member)
}

// dotted finds a member by a dotted path: the first step by member, the others in what that finds.
func dotted(name string, member func(name string) Value) Value {
	for i := range len(name) {
		if name[i] == '.' {
			if v := member(name[:i]).Member(name[i+1:]); v.Exists() {
				return v
			}
		}
	}
	return Value{}
}

// member finds a member of exactly that name.
func (s *Set) member(name string) Value {
	if s.lengths>>(len(name)%64)&1 == 0 {
		return Value{}
	}
	for i := range s.members {
		m := &s.members[i]
		if int(m.nameEnd-m.name) == len(name) && s.text[m.name:m.nameEnd] == name {
			return Value{s.text[m.value:m.valueEnd]}
		}
	}
	return Value{}
}

// Has reports whether the set has a claim that is not null.
func (s Set) Has(name string) bool {
	k := s.Get(name).Kind()
	return k != Absent && k != Null
}

// String is the text of a claim. ok is true if the claim is a JSON string that is not empty.
func (s Set) String(name string) (text string, ok bool) {
	text, ok = s.Get(name).Text()
	return text, ok && text != ""
}

// Strings is a claim as a list of strings. A string is a list of one; elements of a list that are
// not strings are left out; any other value is the empty list.
func (s Set) Strings(name string) []string {
	v := s.Get(name)
	if text, ok := v.Text(); ok {
		return []string{text}
	}
	if v.Kind() != List {
		return nil
	}
	var out []string
	for w := walkOf(v.raw); w.more(); {
		if text, ok := w.element().Text(); ok {
			if out == nil {
				out = make([]string, 0, few)
			}
			out = append(out, text)
		}
	}
	return out
}

// Words is like Strings, but splits a string at its spaces, as OAuth writes scopes (RFC 6749 §3.3).
func (s Set) Words(name string) []string {
	v := s.Get(name)
	text, ok := v.Text()
	if !ok {
		return s.Strings(name)
	}
	out := make([]string, 0, countWords(text))
	for text != "" {
		word, rest, _ := strings.Cut(text, " ")
		if word != "" {
			out = append(out, word)
		}
		text = rest
	}
	return out
}

// countWords counts words rather than spaces: there may be many more spaces, and the room for what
// is between them would be kept as long as the token.
func countWords(text string) (n int) {
	for i := range len(text) {
		if text[i] != ' ' && (i == 0 || text[i-1] == ' ') {
			n++
		}
	}
	return n
}
