package policy

import (
	"unicode/utf8"

	"gatehouse/core/ascii"
)

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
	var out []byte
	done := 0    // out is the normal form of raw[:done]
	segment := 1 // where the current segment starts in raw
	i := 1
	for ; i < len(raw) && raw[i] != '?'; i++ {
		c := raw[i]
		if isPlain(c) {
			continue
		}
		switch {
		case c == '/':
			if i == segment || isDots(raw[segment:i]) {
				return "", false
			}
			segment = i + 1
		case c == '%':
			n := escapeLen(raw[i:])
			if n == 0 {
				return "", false
			}
			if b := unescape(raw[i:]); isPlain(b) {
				out = append(append(out, raw[done:i]...), b)
				done = i + n
			} else if !isUpper(raw[i : i+n]) {
				out = appendUpper(append(out, raw[done:i]...), raw[i:i+n])
				done = i + n
			}
			i += n - 1
		case isUnwise(c):
			out = appendEscape(append(out, raw[done:i]...), c)
			done = i + 1
		default:
			return "", false
		}
	}
	if isDots(raw[segment:i]) {
		return "", false
	}
	if done == 0 {
		return raw[:i], true
	}
	return string(append(out, raw[done:i]...)), true
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
		case isEscape(raw[i:]):
			if b := unescape(raw[i:]); isPlain(b) {
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
	for n < len(encoded) && isEscape(s[3*n:]) {
		encoded[n] = unescape(s[3*n:])
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

// isEscape reports a percent sign and two hexadecimal digits at the beginning of s.
func isEscape(s string) bool {
	return len(s) >= 3 && s[0] == '%' && ascii.IsHex(s[1]) && ascii.IsHex(s[2])
}

// unescape is the byte that the escape at the beginning of s stands for.
func unescape(s string) byte { return ascii.Unhex(s[1])<<4 | ascii.Unhex(s[2]) }

func isUpper(s string) bool {
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
