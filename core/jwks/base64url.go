package jwks

import (
	"errors"
	"slices"
)

var errBase64URL = errors.New("not strict base64url")

// valid marks the characters of the base64url alphabet (RFC 4648 §5) in sextets.
const valid = 1 << 6

// sextets has the six bits of each character of the alphabet, with valid set; 0 for all others.
var sextets = [256]byte{
	'A': valid, 'B': valid + 1, 'C': valid + 2, 'D': valid + 3, 'E': valid + 4, 'F': valid + 5, 'G': valid + 6, 'H': valid + 7,
	'I': valid + 8, 'J': valid + 9, 'K': valid + 10, 'L': valid + 11, 'M': valid + 12, 'N': valid + 13, 'O': valid + 14, 'P': valid + 15,
	'Q': valid + 16, 'R': valid + 17, 'S': valid + 18, 'T': valid + 19, 'U': valid + 20, 'V': valid + 21, 'W': valid + 22, 'X': valid + 23,
	'Y': valid + 24, 'Z': valid + 25, 'a': valid + 26, 'b': valid + 27, 'c': valid + 28, 'd': valid + 29, 'e': valid + 30, 'f': valid + 31,
	'g': valid + 32, 'h': valid + 33, 'i': valid + 34, 'j': valid + 35, 'k': valid + 36, 'l': valid + 37, 'm': valid + 38, 'n': valid + 39,
	'o': valid + 40, 'p': valid + 41, 'q': valid + 42, 'r': valid + 43, 's': valid + 44, 't': valid + 45, 'u': valid + 46, 'v': valid + 47,
	'w': valid + 48, 'x': valid + 49, 'y': valid + 50, 'z': valid + 51, '0': valid + 52, '1': valid + 53, '2': valid + 54, '3': valid + 55,
	'4': valid + 56, '5': valid + 57, '6': valid + 58, '7': valid + 59, '8': valid + 60, '9': valid + 61, '-': valid + 62, '_': valid + 63,
}

// AppendBase64URL decodes strict base64url (RFC 7515 §2) and appends the bytes to dst. It refuses
// padding, line breaks and non-zero unused bits, so that every value has exactly one spelling. The
// standard library's decoder skips CR and LF even in strict mode, and takes several passes.
func AppendBase64URL(dst []byte, s string) ([]byte, error) {
	start := len(dst)
	dst = slices.Grow(dst, len(s)/4*3+2)
	out := dst[start : start+len(s)/4*3]
	for ; len(s) >= 4 && len(out) >= 3; s, out = s[4:], out[3:] {
		a, b, c, d := sextets[s[0]], sextets[s[1]], sextets[s[2]], sextets[s[3]]
		if a&b&c&d&valid == 0 {
			return dst, errBase64URL
		}
		out[0], out[1], out[2] = a<<2|b>>4&3, b<<4|c>>2&15, c<<6|d&63
	}
	dst = dst[:cap(dst)-cap(out)]
	var last [3]byte // the sextets of an incomplete group
	for i := range len(s) {
		if last[i] = sextets[s[i]]; last[i]&valid == 0 {
			return dst[:start], errBase64URL
		}
	}
	a, b, c := last[0], last[1], last[2]
	switch {
	case len(s) == 0:
		return dst, nil
	case len(s) == 2 && b&15 == 0:
		return append(dst, a<<2|b>>4&3), nil
	case len(s) == 3 && c&3 == 0:
		return append(dst, a<<2|b>>4&3, b<<4|c>>2&15), nil
	}
	return dst[:start], errBase64URL
}
