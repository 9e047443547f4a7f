package policy

import (
	"bytes"
	"slices"
	"strings"
)

// PathKinds is a set of kinds of spellings that servers read differently.
type PathKinds uint8

// The kinds of spellings that a configuration can allow.
const (
	EncodedSlash     PathKinds = 1 << iota // %2F: part of a segment, or a slash
	EncodedDelimiter                       // %3F and %23: part of a segment, or the end of the path
	Semicolon                              // ; and %3B: part of a segment, or the start of a parameter
	DoubleSlash                            // an empty segment, or one slash
	EncodedPercent                         // %25: a percent sign, or half of a double encoding

	AllPathKinds = EncodedSlash | EncodedDelimiter | Semicolon | DoubleSlash | EncodedPercent
)

// PathRules says which paths are safe and how they are compared. The zero PathRules allow no unsafe
// spelling and compare with case.
type PathRules struct {
	Allow      PathKinds
	IgnoreCase bool // fold ASCII letters
}

// Read returns the path that routes are matched on, from a request's target. If the path has a
// spelling of an allowed kind, others are the paths that other servers read. The path is safe for
// routes only if all of these match the same one.
//
// safe is false, and the path "", if the path isn't safe by [NormalizePath] and the rules don't
// allow it. Never allowed are backslashes, invalid escapes, control characters, and a path that has
// a dot segment in any reading.
//
// Read allocates only for a path that isn't in normal form, or has a letter to fold.
func (p PathRules) Read(raw string) (path string, others []string, safe bool) {
	path, safe = NormalizePath(raw)
	if !safe {
		if p.Allow == 0 {
			return "", nil, false
		}
		if others, safe = readings(raw, p.Allow); !safe {
			return "", nil, false
		}
		path, others = others[0], others[1:]
	}
	if p.IgnoreCase {
		path, others = foldAll(path, others)
	}
	return path, others, true
}

// readings returns the paths that servers read in a target whose unsafe spellings are of the
// allowed kinds. The first one takes every special character as part of its segment.
func readings(raw string, allow PathKinds) (paths []string, safe bool) {
	once, kinds, ok := decodeOnce(raw)
	if !ok || kinds&^allow != 0 {
		return nil, false
	}
	r := reader{}
	r.addServers(once)
	if kinds&EncodedPercent != 0 {
		twice, ok := decodeTwice(once)
		if !ok {
			return nil, false
		}
		r.addServers(twice)
	}
	return r.paths, !r.dots
}

// decodeOnce decodes a target as NormalizePath does. It keeps special characters: ; as it is, and
// the escapes of / ? # ; % in upper case.
func decodeOnce(raw string) (path []byte, kinds PathKinds, ok bool) {
	if raw == "" || raw[0] != '/' {
		return nil, 0, false
	}
	for i := 0; i < len(raw) && raw[i] != '?'; i++ {
		c := raw[i]
		switch {
		case c == '/' && i > 0 && path[len(path)-1] == '/':
			kinds |= DoubleSlash
			path = append(path, c)
		case c == '/', isPlain(c):
			path = append(path, c)
		case c == ';':
			kinds |= Semicolon
			path = append(path, c)
		case isUnwise(c):
			path = appendEscape(path, c)
		default: // an escape, or a byte that no path has
			n := 0
			if path, n = appendDecoded(path, raw[i:], "%"); n == 0 || unescape(raw[i:]) == '.' {
				return nil, 0, false
			}
			if n == 3 {
				kinds |= kindOf(unescape(raw[i:]))
			}
			i += n - 1
		}
	}
	return path, kinds, true
}

func kindOf(c byte) PathKinds {
	switch c {
	case '/':
		return EncodedSlash
	case '?', '#':
		return EncodedDelimiter
	case ';':
		return Semicolon
	case '%':
		return EncodedPercent
	}
	return 0
}

// decodeTwice decodes a path from decodeOnce again, as a server does that decodes twice. A percent
// sign that begins no escape stays one. It reports false for a path that could be decoded a third
// time.
func decodeTwice(once []byte) (path []byte, ok bool) {
	const percent = "%25"
	s := string(once)
	for i := 0; i < len(s); i++ {
		switch {
		case !strings.HasPrefix(s[i:], percent):
			path = append(path, s[i])
		case !isHexPair(s[i+len(percent):]):
			path = append(path, percent...)
			i += len(percent) - 1
		default:
			n := 0
			if path, n = appendDecoded(path, s[i:], percent); n == 0 || s[i+3:i+5] == "25" {
				return nil, false
			}
			i += n - 1
		}
	}
	return path, true
}

// appendDecoded decodes the character at the start of s, whose escapes begin with prefix. n is the
// length of its escapes, 0 if they aren't safe in any configuration.
func appendDecoded(dst []byte, s, prefix string) (_ []byte, n int) {
	encoded, size := unescapeRune(s, prefix)
	if size == 0 || isControl(encoded[0]) || encoded[0] == '\\' {
		return dst, 0
	}
	for _, c := range encoded[:size] {
		if isPlain(c) {
			dst = append(dst, c)
		} else {
			dst = appendEscape(dst, c)
		}
	}
	return dst, size * (len(prefix) + 2)
}

// reader collects the readings of a path.
type reader struct {
	paths []string
	dots  bool // a reading has a dot segment
}

// What a server may do with a path, in this order.
const (
	stripPlain   = 1 << iota // remove parameters: from ; to the next slash
	splitSlashes             // take %2F for a slash
	cutDelimiter             // take %3F or %23 for the end of the path
	stripDecoded             // remove parameters after decoding: from ; or %3B to the next slash
	serverCount  = 1 << iota
)

// addServers adds what each kind of server reads in a path.
func (r *reader) addServers(path []byte) {
	has := func(s string) bool { return bytes.Contains(path, []byte(s)) }
	useful := 0
	if has("%2F") {
		useful |= splitSlashes
	}
	if has("%3F") || has("%23") {
		useful |= cutDelimiter
	}
	if has(";") {
		useful |= stripPlain | stripDecoded
	}
	if has("%3B") {
		useful |= stripDecoded
	}
	for server := range serverCount {
		if server&^useful == 0 {
			r.add(readAs(server, string(path)))
		}
	}
}

func readAs(server int, path string) string {
	if server&stripPlain != 0 {
		path = stripParameters(path)
	}
	if server&splitSlashes != 0 {
		path = strings.ReplaceAll(path, "%2F", "/")
	}
	if server&cutDelimiter != 0 {
		path, _, _ = strings.Cut(path, "%3F")
		path, _, _ = strings.Cut(path, "%23")
	}
	if server&stripDecoded != 0 {
		path = stripParameters(strings.ReplaceAll(path, "%3B", ";"))
	}
	return strings.ReplaceAll(path, ";", "%3B")
}

// stripParameters removes the parameters of each segment, as servlet containers do.
func stripParameters(path string) string {
	var out []byte
	for segment := range strings.SplitAfterSeq(path, "/") {
		name, _, found := strings.Cut(segment, ";")
		out = append(out, name...)
		if found && segment[len(segment)-1] == '/' {
			out = append(out, '/')
		}
	}
	return string(out)
}

// add adds a reading, and if it has empty segments what servers make of these: one slash, or at the
// beginning a host name before the path (RFC 3986 §4.2; URL parsers of browsers and Node.js).
func (r *reader) add(path string) {
	r.addOne(path)
	if !strings.Contains(path, "//") {
		return
	}
	r.addOne(mergeSlashes(path))
	if strings.HasPrefix(path, "//") {
		_, rest, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
		r.addOne("/" + rest)
		r.addOne(mergeSlashes("/" + rest))
	}
}

func (r *reader) addOne(path string) {
	for segment := range strings.SplitSeq(path, "/") {
		r.dots = r.dots || isDots(segment)
	}
	if !slices.Contains(r.paths, path) {
		r.paths = append(r.paths, path)
	}
}

func mergeSlashes(path string) string {
	out := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			out = append(out, path[i])
		}
	}
	return string(out)
}
