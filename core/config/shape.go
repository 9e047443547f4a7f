package config

import "gatehouse/core/ascii"

// Type is the kind of JSON value that a Shape describes.
type Type uint8

// The types of a Shape.
const (
	Text Type = iota + 1
	Integer
	Boolean
	List
	Object
	Map    // an object whose member names the user chooses
	Null   // counts as absent
	Either // one of Shape.Either, told apart by their JSON type
)

// Shape describes one JSON value. Fields returns the shape of the whole configuration: Parse, the
// JSON Schema and the reference in docs/config.md all use it.
type Shape struct {
	Type     Type
	Min, Max int64    // inclusive bounds: an Integer's value, a Text's characters, a List's or Map's elements; Min alone: an Object's members
	Enum     []string // Text: the allowed values; nil allows others
	Format   *Format  // Text: the grammar; may be nil
	Unique   bool     // List of Text: no value twice
	Element  *Shape   // List and Map
	Names    *Shape   // Map: the member names, a Text
	Fields   []Field  // Object
	Choices  []Choice // Object: exactly one of them
	Open     bool     // Object: other fields are allowed and ignored
	Secret   bool     // an error never shows the value, nor any value inside
	Either   []*Shape
}

// Field is one member of an Object.
type Field struct {
	Name     string
	Shape    *Shape
	Required bool
	Default  string // as JSON; "" if the field has no default
	Doc      string // one line, Markdown
}

// Choice is one of several ways to fill in an object.
type Choice struct {
	Need []string // all required for this choice
	Also []string // allowed with this choice only
}

// Format is a grammar for strings.
type Format struct {
	Want    string            // the allowed values, for an error
	Pattern string            // the same as an ECMA-262 regular expression, for the JSON Schema
	ok      func(string) bool // the same in Go
}

// Fields is the shape of a configuration.
func Fields() *Shape { return &configuration }

var boolean = Shape{Type: Boolean}

var claimName = Shape{Type: Text, Min: 1, Max: 256}

var label = Shape{Type: Text, Min: 1, Max: 64, Format: &nameFormat}

// labelOrAll is the name of one, or "*" for all.
var labelOrAll = Shape{Type: Text, Min: 1, Max: 64, Format: &nameOrAllFormat}

var nameOrAllFormat = Format{
	Want:    "letters, digits, '.', '_' and '-', or \"*\"",
	Pattern: `^([A-Za-z0-9._-]+|\*)$`,
	ok:      func(s string) bool { return s == "*" || nameFormat.ok(s) },
}

var nameFormat = Format{
	Want:    "letters, digits, '.', '_' and '-'",
	Pattern: `^[A-Za-z0-9._-]+$`,
	ok: func(s string) bool {
		return every(s, func(c byte) bool { return ascii.IsAlnum(c) || c == '.' || c == '_' || c == '-' })
	},
}

// tokenFormat is a token of HTTP (RFC 9110 §5.6.2): a name of a header or cookie, or an
// authentication scheme.
var tokenFormat = Format{
	Want:    "an HTTP token (RFC 9110)",
	Pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
	ok:      func(s string) bool { return every(s, isTokenByte) },
}

var scopeFormat = Format{
	Want:    "a scope (RFC 6749 §3.3: visible ASCII without '\"' and '\\')",
	Pattern: `^[!#-\[\]-~]+$`,
	ok: func(s string) bool {
		return every(s, func(c byte) bool { return c > ' ' && c <= '~' && c != '"' && c != '\\' })
	},
}

var methodFormat = Format{
	Want:    "a method in upper case",
	Pattern: `^[A-Z][A-Z0-9_-]*$`,
	ok: func(s string) bool {
		return s != "" && isUpper(s[0]) && every(s, func(c byte) bool {
			return isUpper(c) || c >= '0' && c <= '9' || c == '_' || c == '-'
		})
	},
}

// pathFormat checks only how a path begins. policy.ParsePattern has the grammar.
var pathFormat = Format{
	Want:    "a path that begins with '/'",
	Pattern: `^/`,
	ok:      func(s string) bool { return s != "" && s[0] == '/' },
}

var uriFormat = Format{
	Want:    "a URI https://HOST/PATH or http://HOST/PATH",
	Pattern: `^https?://[!-"$-.0->A-~]+/[!-"$-~]*$`,
	ok:      func(s string) bool { _, _, ok := splitURI(s); return ok },
}

// stateFormat is the name of a filter state.
var stateFormat = Format{
	Want:    "lower-case letters, digits and '_'",
	Pattern: `^[a-z0-9_]+$`,
	ok: func(s string) bool {
		return every(s, func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' })
	},
}

// targetFormat is an origin-form request target (RFC 9112 §3.2.1).
var targetFormat = Format{
	Want:    "a path that begins with '/'",
	Pattern: `^/[!-"$-~]*$`,
	ok: func(s string) bool {
		return s != "" && s[0] == '/' && every(s, func(c byte) bool { return c > ' ' && c <= '~' && c != '#' })
	},
}

var prefixFormat = Format{
	Want:    "a header prefix: lower-case letters, digits and '-', from a letter to a '-'",
	Pattern: `^[a-z][a-z0-9-]*-$`,
	ok: func(s string) bool {
		return len(s) > 1 && s[0] >= 'a' && s[0] <= 'z' && s[len(s)-1] == '-' && every(s, func(c byte) bool {
			return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-'
		})
	},
}

var envFormat = Format{
	Want:    "the name of an environment variable",
	Pattern: `^[A-Za-z_][A-Za-z0-9_]*$`,
	ok: func(s string) bool {
		return s != "" && (s[0] < '0' || s[0] > '9') && every(s, func(c byte) bool { return ascii.IsAlnum(c) || c == '_' })
	},
}

func every(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return s != ""
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func isTokenByte(c byte) bool {
	if ascii.IsAlnum(c) {
		return true
	}
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}
