package audit

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"gatehouse/core/ascii"

	"github.com/go-json-experiment/json/jsontext"
)

const hexDigits = "0123456789abcdef"

// unescaped has the bytes that need no escape in a JSON string: printable ASCII without the quote
// and the backslash.
var unescaped = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func appendStringOrNull(dst []byte, s string, limit int) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return appendString(dst, s, limit)
}

// appendString appends s as a JSON string (RFC 8259 §7) of at most limit bytes, counted after
// decoding.
func appendString(dst []byte, s string, limit int) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s, limit)
	return append(dst, '"')
}

// appendQuoted appends prefix and all of s as one JSON string. The prefix must need no escapes.
func appendQuoted(dst []byte, prefix, s string) []byte {
	dst = append(dst, '"')
	dst = append(dst, prefix...)
	dst = appendEscaped(dst, s, 3*len(s)) // a byte becomes at most a U+FFFD, three bytes
	return append(dst, '"')
}

// appendEscaped appends s with escapes. It stops before the first character that exceeds limit
// bytes, counted after decoding.
func appendEscaped(dst []byte, s string, limit int) []byte {
	for len(s) > 0 {
		n := 0
		for n < len(s) && n < limit && unescaped[s[n]] {
			n++
		}
		dst = append(dst, s[:n]...)
		limit -= n
		s = s[n:]
		if s == "" {
			break
		}
		r, size := utf8.DecodeRuneInString(s) // RuneError, 1 if the byte isn't UTF-8
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
	case r < ' ' || isUnsafe(r):
		return appendEscape(dst, r)
	}
	return utf8.AppendRune(dst, r)
}

// appendJSON appends valid JSON as every reader understands it alike (RFC 7493, I-JSON): without
// white space, with strings escaped as those of the event itself, and with numbers in quotes that a
// float64 can't hold.
func appendJSON(dst, valid []byte) []byte {
	for len(valid) > 0 {
		n := 1
		switch c := valid[0]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		case c == '"':
			n = stringLen(valid)
			text, _ := jsontext.AppendUnquote(nil, valid[:n]) // it is valid
			dst = appendQuoted(dst, "", string(text))
		case c == '-' || ascii.IsDigit(c):
			n = numberLen(valid)
			dst = appendNumber(dst, valid[:n])
		default:
			dst = append(dst, c)
		}
		valid = valid[n:]
	}
	return dst
}

// stringLen returns the length of the JSON string that s begins with.
func stringLen(s []byte) int {
	n := 1
	for n < len(s) && s[n] != '"' {
		if s[n] == '\\' { // the escaped byte doesn't end the string
			n++
		}
		n++
	}
	return min(n+1, len(s))
}

// numberLen returns the length of the JSON number that s begins with.
func numberLen(s []byte) int {
	if n := bytes.IndexAny(s, ",]} \t\n\r"); n >= 0 {
		return n
	}
	return len(s)
}

// maxExact is the integer up to which a float64 holds every integer.
const maxExact = 1 << 53

// appendNumber appends a JSON number as it is, or as a string if readers would make different
// numbers of it.
func appendNumber(dst, number []byte) []byte {
	f, err := strconv.ParseFloat(string(number), 64)
	exact := f > -maxExact && f < maxExact || bytes.ContainsAny(number, ".eE")
	if err == nil && exact {
		return append(dst, number...)
	}
	dst = append(dst, '"')
	dst = append(dst, number...)
	return append(dst, '"')
}

// isUnsafe reports whether a character is allowed in a JSON string but moves a terminal's cursor,
// ends a line for some readers, or shows the text around it in another order or not at all
// (Unicode's bidirectional and zero-width format characters).
func isUnsafe(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r == 0x61c || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2060 && r <= 0x206f || r == 0xfeff
}

func appendEscape(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
