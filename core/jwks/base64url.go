package jwks

import (
	"encoding/base64"
	"errors"
	"strings"
)

var errBase64URL = errors.New("not strict base64url")

// AppendBase64URL decodes strict base64url (RFC 7515 §2) and appends the bytes to dst. It refuses
// padding, line breaks and non-zero unused bits, so that every value has exactly one spelling.
func AppendBase64URL(dst []byte, s string) ([]byte, error) {
	// Go's decoder skips CR and LF even in strict mode. They would be a second spelling.
	if strings.ContainsAny(s, "\r\n") {
		return dst, errBase64URL
	}
	n := base64.RawURLEncoding.DecodedLen(len(s))
	start := len(dst)
	if cap(dst)-start < n {
		grown := make([]byte, start, start+n)
		copy(grown, dst)
		dst = grown
	}
	m, err := base64.RawURLEncoding.Strict().Decode(dst[start:start+n], []byte(s))
	if err != nil {
		return dst, errBase64URL
	}
	return dst[:start+m], nil
}
