package jwt

import (
	"strings"

	"gatehouse/core/claims"
	"gatehouse/core/jwks"
)

// compact is a JWS in its parts (RFC 7515 §7.1). Its strings are the token's memory.
type compact struct {
	header    string     // encoded
	claims    claims.Set // of the payload, a copy
	isClaims  bool       // the payload is a set of claims
	signed    string     // the signed text: the token's first two parts and the dot between them
	signature []byte
}

// room is how many bytes of a part are decoded on the stack. Larger parts are rare.
const room = 1024

// parse takes a compact JWS apart, and leaves its header to parseHeader. ok is false for a
// malformed one. An empty payload and an empty signature are well-formed: the first fails later
// because it holds no claims, the second because no algorithm accepts it.
func parse(token string) (c compact, ok bool) {
	// Two dots make three parts. If there are more dots, as in the five parts of a JWE, the ones in
	// between end up in the payload, where base64url refuses them.
	first := strings.IndexByte(token, '.')
	last := strings.LastIndexByte(token, '.')
	if first <= 0 || last == first {
		return c, false
	}
	var memory [room]byte
	payload, err := jwks.AppendBase64URL(memory[:0], token[first+1:last])
	if err != nil {
		return c, false
	}
	c.claims, err = claims.Parse(payload)
	c.isClaims = err == nil
	c.header, c.signed = token[:first], token[:last]
	c.signature, err = jwks.AppendBase64URL(nil, token[last+1:])
	return c, err == nil
}
