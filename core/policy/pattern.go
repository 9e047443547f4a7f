package policy

import (
	"errors"
	"strings"
)

// MaxPatternBytes bounds a path pattern's length.
const MaxPatternBytes = 1024

// Pattern is a route's path. The zero value matches nothing.
type Pattern struct {
	text     string
	segments []string // "*" stands for any one segment
	tree     bool     // ends in /**
}

var (
	errPatternStart  = errors.New("want a path that begins with /")
	errPatternLength = errors.New("want at most 1024 bytes")
	errPatternUnsafe = errors.New("want a path without query, fragment, //, dot segments, \\, ; or escapes of / . \\ % ; ? #, " +
		"other bytes than visible ASCII as escapes in UTF-8")
	errPatternSlash = errors.New("want no / at the end: /exact also matches /exact/, and /tree/** the tree below")
	errPatternStar  = errors.New("want * as a whole segment, for any one segment, and ** as the last segment only, for all below")
)

// ParsePattern reads a path pattern: /exact (and /exact/), /tree/** (the path itself and all below
// it), and * for one segment that isn't empty, anywhere. Case counts. A pattern must be in the
// normal form of NormalizePath, because it is compared byte by byte. An error is one line that says
// what is allowed.
func ParsePattern(s string) (Pattern, error) {
	if s == "" || s[0] != '/' {
		return Pattern{}, errPatternStart
	}
	if len(s) > MaxPatternBytes {
		return Pattern{}, errPatternLength
	}
	normal, safe := NormalizePath(s)
	if !safe {
		return Pattern{}, errPatternUnsafe
	}
	if strings.ContainsAny(s, "{}[]<>^|") { // a template or a regular expression, whose normal form would match nothing
		return Pattern{}, errPatternStar
	}
	if normal != s {
		return Pattern{}, errors.New("want the path's normal form, " + normal)
	}
	if len(s) > 1 && s[len(s)-1] == '/' {
		return Pattern{}, errPatternSlash
	}
	p := Pattern{text: s}
	for rest := s[1:]; rest != ""; {
		var segment string
		segment, rest, _ = strings.Cut(rest, "/")
		switch {
		case segment == "**" && rest == "":
			p.tree = true
		case segment != "*" && strings.Contains(segment, "*"):
			return Pattern{}, errPatternStar
		default:
			p.segments = append(p.segments, segment)
		}
	}
	return p, nil
}

// String is the pattern as it was written; ParsePattern reads it again.
func (p Pattern) String() string { return p.text }

// Match reports whether the pattern matches a path from NormalizePath or PathRules.Read.
func (p Pattern) Match(path string) bool {
	rest, ok := segmentsOf(path)
	if !ok || p.text == "" {
		return false
	}
	for _, want := range p.segments {
		if rest == "" {
			return false
		}
		var segment string
		segment, rest, _ = strings.Cut(rest, "/")
		if segment != want && (want != "*" || segment == "") {
			return false
		}
	}
	return p.tree || rest == ""
}

// segmentsOf returns the segments of a path: it removes the first slash, and one at the end. The
// root has "".
func segmentsOf(path string) (segments string, ok bool) {
	if path == "" || path[0] != '/' {
		return "", false
	}
	end := len(path)
	if end > 1 && path[end-1] == '/' {
		end--
	}
	return path[1:end], true
}
