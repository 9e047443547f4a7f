package audit

import "unicode/utf8"

const hex = "0123456789abcdef"

// plain tells the bytes that stand for themselves in a JSON string: printable ASCII but the quote and the backslash.
var plain = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func appendNullable(dst []byte, s string, limit int) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return appendString(dst, s, limit)
}

// appendString appends s as a JSON string (RFC 8259 §7) of at most limit bytes, counted as a reader will get them.
func appendString(dst []byte, s string, limit int) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s, limit)
	return append(dst, '"')
}

// appendQuoted appends a prefix that needs no escapes and s, whole, as one JSON string.
func appendQuoted(dst []byte, prefix, s string) []byte {
	dst = append(dst, '"')
	dst = append(dst, prefix...)
	dst = appendEscaped(dst, s, 3*len(s)) // a byte becomes a U+FFFD of three at most
	return append(dst, '"')
}

// appendEscaped appends the longest run of whole characters of s that takes at most limit bytes, escaped.
func appendEscaped(dst []byte, s string, limit int) []byte {
	for len(s) > 0 {
		n := 0
		for n < len(s) && n < limit && plain[s[n]] {
			n++
		}
		dst = append(dst, s[:n]...)
		limit -= n
		s = s[n:]
		if s == "" {
			break
		}
		r, size := utf8.DecodeRuneInString(s) // RuneError, 1 for what isn't UTF-8
		if limit -= utf8.RuneLen(r); limit < 0 {
			break
		}
		s = s[size:]
		dst = appendRune(dst, r)
	}
	return dst
}

func appendRune(dst []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r == '\n':
		return append(dst, `\n`...)
	case r == '\r':
		return append(dst, `\r`...)
	case r == '\t':
		return append(dst, `\t`...)
	case r < ' ' || disruptive(r):
		return appendEscape(dst, r)
	}
	return utf8.AppendRune(dst, r)
}

// appendJSON appends compact, valid JSON; the disruptive characters that its strings may hold are escaped.
func appendJSON(dst, compact []byte) []byte {
	for len(compact) > 0 {
		r, size := utf8.DecodeRune(compact)
		if disruptive(r) {
			dst = appendEscape(dst, r)
		} else {
			dst = append(dst, compact[:size]...)
		}
		compact = compact[size:]
	}
	return dst
}

// disruptive tells the characters that JSON allows in a string but that move terminals' cursors or end lines for some readers.
func disruptive(r rune) bool { return r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029' }

func appendEscape(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
