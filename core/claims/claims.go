// Package claims reads the claim set of a token (RFC 7519 §4). Parse scans it once, strictly; Set
// finds claims by name.
package claims

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
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
	raw     []byte
	members []member
}

type member struct {
	name  []byte // unescaped
	value Value
}

// Parse reads doc, which must be exactly one JSON object in UTF-8, at most MaxDepth deep, without
// duplicate member names at any depth. RFC 7519 §4 lets a parser take the last of two members, but
// then two parsers can read two different tokens. The set keeps doc; the caller must not change it.
func Parse(doc []byte) (Set, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(doc))
	if d.PeekKind() != '{' {
		return Set{}, errNotObject
	}
	if err := scan(d); err != nil {
		return Set{}, err
	}
	end := int(d.InputOffset())
	if _, err := d.ReadToken(); err != io.EOF { //nolint:errorlint // jsontext returns io.EOF itself
		return Set{}, errTrailing
	}
	doc = doc[skipSpace(doc, 0):end:end]
	return Set{raw: doc, members: membersOf(doc)}, nil
}

// scan reads one value token by token. Unlike ReadValue, it sees the depth before the decoder's
// stack grows.
func scan(d *jsontext.Decoder) error {
	for {
		if _, err := d.ReadToken(); err != nil {
			return errJSON // the decoder's own error quotes the document
		}
		switch depth := d.StackDepth(); {
		case depth == 0:
			return nil
		case depth > MaxDepth:
			return errDepth
		}
	}
}

// Raw is the JSON object as it was signed, without surrounding white space. The caller must not
// change it.
func (s Set) Raw() []byte { return s.raw }

// Get finds a claim: first a member of exactly that name, then by a dotted path, each step of which
// is a member's name ("realm_access.roles"). The kind of a claim that the set lacks is Absent.
func (s Set) Get(name string) Value {
	for i := range s.members {
		if string(s.members[i].name) == name {
			return s.members[i].value
		}
	}
	for i := 0; i < len(name); i++ {
		if name[i] != '.' {
			continue
		}
		for j := range s.members {
			if string(s.members[j].name) == name[:i] {
				if v := s.members[j].value.Member(name[i+1:]); v.Exists() {
					return v
				}
			}
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
	var out []string
	for _, e := range v.Elements() {
		if text, ok := e.Text(); ok {
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
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' })
}
