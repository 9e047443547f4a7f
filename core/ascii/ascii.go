// Package ascii has the few helpers for ASCII that several packages of core need.
package ascii

const hexDigits = "0123456789abcdef"

// AppendHex appends a number as 16 hexadecimal digits.
func AppendHex(dst []byte, v uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[v>>shift&15])
	}
	return dst
}

// IsLetter reports whether c is an ASCII letter.
func IsLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// IsDigit reports whether c is a decimal digit.
func IsDigit(c byte) bool { return '0' <= c && c <= '9' }

// IsAlnum reports whether c is an ASCII letter or a decimal digit.
func IsAlnum(c byte) bool { return IsLetter(c) || IsDigit(c) }

// IsHex reports whether c is a hexadecimal digit (RFC 3986 §2.1).
func IsHex(c byte) bool { return IsDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// Unhex returns the value of a hexadecimal digit, see [IsHex].
func Unhex(c byte) byte {
	if IsDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
