package policy

import (
	"strings"
	"unicode/utf8"

	"gatehouse/core/ascii"
)

// NormalizePath turns a request's target into the path that routes are matched on: without its
// query, with escapes decoded where the escape and the plain character mean the same to an
// application, all other escapes in upper case (RFC 3986 §6.2.2). Each path has one normal form, so
// that another spelling of the same path can't get around a route:
//   - escapes of unreserved characters are decoded, and those of ! $ & ' ( ) * + , = : @, which a
//     path may have plain and which applications don't tell apart (a route /orders:purge must also
//     match /orders%3Apurge);
//   - plain " < > [ ] ^ ` { | }, which a path can't have but clients send, become escapes.
//
// A path isn't safe if a router behind could read it differently. Then the path is "":
//   - dot segments, an empty segment (//), a backslash, a semicolon, a fragment;
//   - escapes of / . \ % ; ? # and of control characters, broken escapes, escapes that aren't UTF-8
//     (overlong forms too);
//   - control characters, spaces and bytes from 0x80 up, which no URI may have (RFC 3986 §2);
//   - anything that doesn't begin with a slash: an empty target, "*" (OPTIONS), the absolute form
//     (which Envoy splits before a filter sees it) and CONNECT's authority form.
//
// [PathRules] can allow some of these.
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

// escapeLen is the length of the escapes at the start of s that are one character: 3 for ASCII, a
// multiple of 3 for a character of several bytes. It is 0 if they are broken, not UTF-8 or unsafe.
func escapeLen(s string) int {
	encoded, size := unescapeRune(s, "%")
	if size == 0 || isControl(encoded[0]) || strings.IndexByte(`/.\%;?#`, encoded[0]) >= 0 {
		return 0
	}
	return 3 * size
}

// unescapeRune decodes the character at the start of s, whose escapes begin with prefix. size is
// its number of bytes in UTF-8, 0 if the escapes are broken or not UTF-8.
func unescapeRune(s, prefix string) (encoded [utf8.UTFMax]byte, size int) {
	n := 0
	for n < len(encoded) && strings.HasPrefix(s, prefix) && isHexPair(s[len(prefix):]) {
		s = s[len(prefix):]
		encoded[n] = ascii.Unhex(s[0])<<4 | ascii.Unhex(s[1])
		s = s[2:]
		n++
	}
	if n == 0 {
		return encoded, 0
	}
	r, size := utf8.DecodeRune(encoded[:n])
	if r == utf8.RuneError && size == 1 {
		return encoded, 0
	}
	return encoded, size
}

// The characters that need no escape in a path (RFC 3986 §3.3 pchar), but the semicolon, and the
// slash beside them: one bit each, below 64 and from 64 on.
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

// isUnwise reports whether c is one of the visible ASCII characters that RFC 3986 leaves out of its
// grammar, other than the backslash.
func isUnwise(c byte) bool {
	switch c {
	case '"', '<', '>', '[', ']', '^', '`', '{', '|', '}':
		return true
	}
	return false
}

func isControl(c byte) bool { return c < ' ' || c == 0x7f }

func isDots(segment string) bool { return segment == "." || segment == ".." }

// isHexPair reports whether s starts with two hexadecimal digits.
func isHexPair(s string) bool { return len(s) >= 2 && ascii.IsHex(s[0]) && ascii.IsHex(s[1]) }

// unescape returns the byte of the escape at the start of s.
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
