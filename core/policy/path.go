package policy

import "unicode/utf8"

// NormalizePath turns a request's target into the path that routes are matched on: without its query, escapes decoded
// where the escape and the plain character mean the same to an application, all other escapes in upper case (RFC 3986
// §6.2.2). Each path has one normal form, so that a route can't be passed by on another spelling of the same path:
//   - escapes of unreserved characters are decoded, and those of ! $ & ' ( ) * + , = : @, which a path may carry
//     plainly and which applications don't tell apart (a route /orders:purge must also catch /orders%3Apurge);
//   - plain " < > [ ] ^ ` { | }, which a path can't carry but clients send, become escapes.
//
// It is not safe if a router behind could read it differently, and then the path is "":
//   - dot segments, an empty segment (//), a backslash, a semicolon, a fragment;
//   - escapes of / . \ % ; and of control characters, broken escapes, escapes that aren't UTF-8 (overlong forms too);
//   - control characters, spaces and bytes from 0x80 up, which no URI may hold (RFC 3986 §2);
//   - whatever doesn't begin with a slash: an empty target, "*" (OPTIONS), the absolute form (which Envoy splits before
//     a filter sees it) and CONNECT's authority form.
//
// It allocates only for a path that isn't in normal form. Normalizing twice changes nothing.
func NormalizePath(raw string) (path string, safe bool) {
	if raw == "" || raw[0] != '/' {
		return "", false
	}
	var out []byte // the normal form of raw[:i], once it differs
	segment := 1   // where the current segment starts
	i := 1
	for i < len(raw) && raw[i] != '?' {
		c := raw[i]
		if isPlain(c) {
			if out != nil {
				out = append(out, c)
			}
			i++
			continue
		}
		switch {
		case c == '/':
			if i == segment || isDots(raw[segment:i]) {
				return "", false
			}
			if out != nil {
				out = append(out, c)
			}
			i++
			segment = i
		case c == '%':
			n := escapeLen(raw[i:])
			if n == 0 {
				return "", false
			}
			b := unhex(raw[i+1])<<4 | unhex(raw[i+2])
			if isPlain(b) || !isUpperEscape(raw[i:i+n]) {
				out = fork(out, raw[:i])
			}
			switch {
			case out == nil:
			case isPlain(b):
				out = append(out, b)
			default:
				out = appendUpper(out, raw[i:i+n])
			}
			i += n
		case isUnwise(c):
			out = appendEscape(fork(out, raw[:i]), c)
			i++
		default:
			return "", false
		}
	}
	if isDots(raw[segment:i]) {
		return "", false
	}
	if out != nil {
		return string(out), true
	}
	return raw[:i], true
}

// LenientPath is for configurations that allow unsafe paths: the best guess at what a router makes of any target, for
// NormalizePath's safe ones the same. It reads as Envoy does with normalize_path and merge_slashes (dot segments
// resolved, backslashes as slashes, empty segments dropped, a fragment cut off; an encoded slash stays encoded), and
// drops ";parameters" of each segment as servlet containers do, before it resolves dot segments. Bytes that no path
// may hold become escapes. Without a leading slash it is "", which no route matches.
func LenientPath(raw string) string {
	if path, safe := NormalizePath(raw); safe {
		return path
	}
	if raw == "" || raw[0] != '/' {
		return ""
	}
	out := make([]byte, 1, len(raw)+8)
	out[0] = '/' // out always ends with the slash before the current segment, or within that segment
	segment := 1 // where it starts in out
	inParameter := false
	for i := 1; i < len(raw) && raw[i] != '?' && raw[i] != '#'; i++ {
		switch c := raw[i]; {
		case c == '/' || c == '\\':
			if out, segment = closeSegment(out, segment); segment < len(out) {
				out = append(out, '/')
				segment = len(out)
			}
			inParameter = false
		case inParameter:
		case c == ';':
			inParameter = true
		case c == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]):
			b := unhex(raw[i+1])<<4 | unhex(raw[i+2])
			if isPlain(b) {
				out = append(out, b)
			} else {
				out = appendEscape(out, b)
			}
			i += 2
		case isPlain(c):
			out = append(out, c)
		default:
			out = appendEscape(out, c)
		}
	}
	out, _ = closeSegment(out, segment)
	return string(out)
}

// closeSegment resolves the segment that starts at segment if it consists of dots. It returns where the segment, or for
// resolved ones the next, starts.
func closeSegment(out []byte, segment int) (resolved []byte, start int) {
	switch string(out[segment:]) {
	case ".":
		return out[:segment], segment
	case "..":
		end := max(segment-1, 1) // the slash before the dots; the root's stays
		for end > 1 && out[end-1] != '/' {
			end--
		}
		return out[:end], end
	}
	return out, segment
}

// escapeLen is the length of the escapes at s[0] that stand for one character: 3 for ASCII, a multiple for what UTF-8
// writes in several bytes. It is 0 where they are broken, not UTF-8 or unsafe.
func escapeLen(s string) int {
	var encoded [utf8.UTFMax]byte
	n := 0
	for n < len(encoded) && len(s) >= 3*n+3 && s[3*n] == '%' && isHex(s[3*n+1]) && isHex(s[3*n+2]) {
		encoded[n] = unhex(s[3*n+1])<<4 | unhex(s[3*n+2])
		n++
	}
	if n == 0 {
		return 0
	}
	switch c := encoded[0]; {
	case c < ' ' || c == 0x7f, c == '/', c == '.', c == '\\', c == '%', c == ';':
		return 0
	case c < utf8.RuneSelf:
		return 3
	}
	r, size := utf8.DecodeRune(encoded[:n])
	if r == utf8.RuneError && size == 1 {
		return 0
	}
	return 3 * size
}

// fork starts the copy of a path that has to differ from raw; prefix is in normal form already.
func fork(out []byte, prefix string) []byte {
	if out != nil {
		return out
	}
	return append(make([]byte, 0, len(prefix)+64), prefix...)
}

// The characters that need no escape in a path (RFC 3986 §3.3 pchar), without the semicolon, and the slash: one bit
// each, below 64 and from 64 on.
const (
	plainLow = 1<<'!' | 1<<'$' | 1<<'&' | 1<<'\'' | 1<<'(' | 1<<')' | 1<<'*' | 1<<'+' | 1<<',' | 1<<'-' | 1<<'.' |
		(1<<10-1)<<'0' | 1<<':' | 1<<'='
	plainHigh = 1<<('@'-64) | (1<<26-1)<<('A'-64) | 1<<('_'-64) | (1<<26-1)<<('a'-64) | 1<<('~'-64)
)

func isPlain(c byte) bool {
	if c < 64 {
		return uint64(plainLow)>>c&1 != 0
	}
	return c < 128 && uint64(plainHigh)>>(c-64)&1 != 0
}

// isUnwise reports the visible ASCII characters that RFC 3986 leaves out of its grammar, but the backslash.
func isUnwise(c byte) bool {
	switch c {
	case '"', '<', '>', '[', ']', '^', '`', '{', '|', '}':
		return true
	}
	return false
}

func isDots(segment string) bool { return segment == "." || segment == ".." }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

func isUpperEscape(s string) bool {
	for i := range len(s) {
		if 'a' <= s[i] && s[i] <= 'f' {
			return false
		}
	}
	return true
}

func appendUpper(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'f' {
			c &^= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

func appendEscape(dst []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(dst, '%', digits[c>>4], digits[c&15])
}
