package config

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse/core/ascii"
)

// The limits of the document itself.
const (
	MaxBytes = 1 << 20
	MaxDepth = 32
)

type kind uint8

const (
	isNull kind = iota
	isBoolean
	isNumber
	isText
	isList
	isObject
)

// node is one JSON value and its place in the document.
type node struct {
	parent *node
	name   string // as a member of an object
	index  int    // as an element of a list, else -1
	kind   kind
	offset int    // in the document
	text   string // a string, decoded; a number, as written
	truth  bool
	kids   []*node
	given  bool // false: a default, not in the document
	bad    bool // has been reported
}

// tree reads doc into nodes. It reports duplicate keys and leaves them out. It stops at the first
// syntax error.
func (r *report) tree(doc []byte) *node {
	b := newBuilder(r, doc)
	if len(doc) > MaxBytes {
		b.fail(0, "want at most "+strconv.Itoa(MaxBytes)+" bytes, got "+strconv.Itoa(len(doc)))
		return nil
	}
	root := b.value(nil, "", -1, 1)
	if root == nil {
		return nil
	}
	if _, err := b.d.ReadToken(); err != io.EOF { //nolint:errorlint // jsontext returns io.EOF itself
		b.fail(b.next(), "want nothing after the configuration's object")
		return nil
	}
	if root.kind != isObject {
		b.fail(root.offset, "want a JSON object, got "+root.kind.String())
		return nil
	}
	return root
}

type builder struct {
	*report
	doc []byte
	d   *jsontext.Decoder
}

func newBuilder(r *report, doc []byte) *builder {
	return &builder{r, doc, jsontext.NewDecoder(bytes.NewReader(doc), jsontext.AllowDuplicateNames(true))}
}

// value reads one value. It returns nil after an error, which it has reported.
func (b *builder) value(parent *node, name string, index, depth int) *node {
	n := &node{parent: parent, name: name, index: index, offset: b.next(), given: true}
	if depth > MaxDepth {
		b.fail(n.offset, "nested more than "+strconv.Itoa(MaxDepth)+" deep")
		return nil
	}
	t, err := b.d.ReadToken()
	if err != nil {
		b.syntax(err)
		return nil
	}
	ok := true
	switch t.Kind() {
	case 'n':
		n.kind = isNull
	case 't', 'f':
		n.kind, n.truth = isBoolean, t.Bool()
	case '0':
		n.kind, n.text = isNumber, t.String()
	case '"':
		n.kind, n.text = isText, t.String()
	case '[':
		n.kind = isList
		ok = b.elements(n, depth)
	case '{':
		n.kind = isObject
		ok = b.members(n, depth)
	}
	if !ok {
		return nil
	}
	return n
}

func (b *builder) elements(n *node, depth int) bool {
	for i := 0; b.d.PeekKind() != ']'; i++ {
		kid := b.value(n, "", i, depth+1)
		if kid == nil {
			return false
		}
		n.kids = append(n.kids, kid)
	}
	_, err := b.d.ReadToken()
	return b.syntax(err)
}

func (b *builder) members(n *node, depth int) bool {
	seen := map[string]bool{}
	for b.d.PeekKind() != '}' {
		start := b.next()
		t, err := b.d.ReadToken()
		if !b.syntax(err) {
			return false
		}
		name := t.String()
		kid := b.value(n, name, -1, depth+1)
		if kid == nil {
			return false
		}
		if seen[name] {
			kid.offset = start
			b.problem(kid, "duplicate key")
			continue
		}
		seen[name] = true
		n.kids = append(n.kids, kid)
	}
	_, err := b.d.ReadToken()
	return b.syntax(err)
}

// next is the offset of the next token.
func (b *builder) next() int {
	i := int(b.d.InputOffset())
	for i < len(b.doc) && strings.IndexByte(" \t\r\n,:", b.doc[i]) >= 0 {
		i++
	}
	return i
}

// syntax reports an error of the decoder with its position. It returns true if err is nil.
func (b *builder) syntax(err error) bool {
	if err == nil {
		return true
	}
	at, why := len(b.doc), "unexpected end"
	// errors.As would link reflection into the filter.
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok && !errors.Is(err, io.ErrUnexpectedEOF) {
		at, why = min(int(syntactic.ByteOffset), len(b.doc)), syntactic.Err.Error()
	}
	b.fail(at, "not JSON: "+why)
	return false
}

// fail reports an error with a position in place of a path.
func (b *builder) fail(offset int, message string) {
	before := b.doc[:offset]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := offset - bytes.LastIndexByte(before, '\n')
	path := "line " + strconv.Itoa(line) + ", column " + strconv.Itoa(column)
	b.problems = append(b.problems, finding{offset, Problem{path, message}})
}

// String is the kind's name in an error.
func (k kind) String() string {
	switch k {
	case isBoolean:
		return "a boolean"
	case isNumber:
		return "a number"
	case isText:
		return "a string"
	case isList:
		return "a list"
	case isObject:
		return "an object"
	}
	return "null"
}

// path is the node's path in the document, such as tokens.providers[0].issuer.
func (n *node) path() string {
	switch {
	case n.parent == nil:
		return ""
	case n.index >= 0:
		return n.parent.path() + "[" + strconv.Itoa(n.index) + "]"
	}
	return childPath(n.parent.path(), n.name)
}

func childPath(parent, name string) string {
	if !plainName(name) {
		return parent + "[" + quote(name) + "]"
	}
	if parent == "" {
		return name
	}
	return parent + "." + name
}

func plainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !ascii.IsAlnum(c) && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= maxQuoted
}

// maxQuoted bounds how much of the document an error repeats.
const maxQuoted = 64

// quote escapes a string of the document for an error message, and cuts a long one.
func quote(s string) string {
	if len(s) > maxQuoted {
		cut := maxQuoted
		for cut > 0 && s[cut]&0xC0 == 0x80 { // don't cut a character
			cut--
		}
		return strconv.Quote(s[:cut]) + "…"
	}
	return strconv.Quote(s)
}

// byDefault marks a value as a default, which the document doesn't have. offset is the enclosing
// object's.
func (n *node) byDefault(offset int) {
	n.given, n.offset = false, offset
	for _, kid := range n.kids {
		kid.byDefault(offset)
	}
}

// The readers below are for checked nodes. A node that is absent or bad reads as the zero value.

func (n *node) usable() bool { return n != nil && !n.bad }

// has reports whether the document has the field.
func (n *node) has(name string) bool {
	kid := n.get(name)
	return kid != nil && kid.given
}

// get returns a member of an object, bad or not; nil if the object doesn't have it.
func (n *node) get(name string) *node {
	if n == nil || n.kind != isObject {
		return nil
	}
	for _, kid := range n.kids {
		if kid.name == name {
			return kid
		}
	}
	return nil
}

func (n *node) list(name string) []*node {
	if kid := n.get(name); kid.usable() && kid.kind == isList {
		return kid.kids
	}
	return nil
}

func (n *node) str(name string) string {
	if kid := n.get(name); kid.usable() && kid.kind == isText {
		return kid.text
	}
	return ""
}

func (n *node) yes(name string) bool {
	kid := n.get(name)
	return kid.usable() && kid.kind == isBoolean && kid.truth
}

func (n *node) num(name string) int64 {
	if kid := n.get(name); kid.usable() && kid.kind == isNumber {
		v, _ := integer(kid.text)
		return v
	}
	return 0
}

// strs returns a list's strings, without the bad ones.
func (n *node) strs(name string) []string {
	var out []string
	for _, kid := range n.list(name) {
		if kid.usable() && kid.kind == isText {
			out = append(out, kid.text)
		}
	}
	return out
}

// integer reads a JSON number without a fraction. 60, 60.0 and 6e1 are the same number (RFC 8259
// §6): a value that passes through a protobuf Struct becomes a float on the way.
func integer(literal string) (int64, bool) {
	if v, err := strconv.ParseInt(literal, 10, 64); err == nil {
		return v, true
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || f > 1<<53 || f < -1<<53 || f != float64(int64(f)) {
		return 0, false
	}
	return int64(f), true
}
