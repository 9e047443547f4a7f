// Package ascii has the few helpers for ASCII that several packages of core need.
package ascii

import (
	"encoding/binary"
	"unsafe"
)

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

// HasByte reports whether s has a byte below 0x80. It reads eight bytes at a time: WebAssembly has
// no faster instruction for what strings.IndexByte does, and a token is long.
func HasByte(s string, c byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for len(b) >= 8 {
		// A byte of x is 0 where s has c; only then, or above such a byte, does the subtraction
		// leave a high bit.
		x := binary.LittleEndian.Uint64(b) ^ ones*uint64(c)
		if (x-ones)&^x&highs != 0 {
			return true
		}
		b = b[8:]
	}
	for _, other := range b {
		if other == c {
			return true
		}
	}
	return false
}

// FoldHeader maps bytes of header names to one byte that a server could take for each other:
// servers that follow CGI (RFC 3875 §4.1.18) ignore case, and several read every byte that is no
// letter or digit as the same one.
func FoldHeader(c byte) byte {
	switch {
	case IsLetter(c):
		return c | 0x20 // lower case
	case IsDigit(c):
		return c
	}
	return '-'
}

// FoldCookie is FoldHeader for names of cookies: ASP.NET ignores case, and PHP reads a dot, a space
// and a bracket as "_".
func FoldCookie(c byte) byte {
	switch {
	case IsLetter(c):
		return c | 0x20
	case c == '.', c == ' ', c == '+', c == '[':
		return '_'
	}
	return c
}

// Fold maps each byte of s.
func Fold(s string, fold func(byte) byte) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = fold(c)
	}
	return string(b)
}
