package jwt

import (
	"strings"

	"gatehouse/core/claims"
	"gatehouse/core/jwks"
)

// compact is a parsed JWS (RFC 7515 §7.1). Its slices are copies, not the token's memory.
type compact struct {
	header    claims.Set
	payload   []byte
	signed    []byte // the signed text: the token's first two parts and the dot between them
	signature []byte
	alg       string // as the header has it: any text
	kid       string
	typ       string // "" when absent
}

// parse reads a compact JWS. ok is false for a malformed one. An empty payload and an empty
// signature are well-formed: the first fails later because it holds no claims, the second because
// no algorithm accepts it.
func parse(token string) (c compact, ok bool) {
	// Two dots make three parts. If there are more dots, as in the five parts of a JWE, the ones in
	// between end up in the payload, where base64url refuses them.
	first := strings.IndexByte(token, '.')
	last := strings.LastIndexByte(token, '.')
	if first <= 0 || last == first {
		return c, false
	}
	// One buffer takes the signed text and the decoded parts, which are three quarters of the
	// token.
	buf := make([]byte, last, last+len(token))
	copy(buf, token)
	c.signed = buf[:last:last]
	buf, err := jwks.AppendBase64URL(buf[last:last], token[:first])
	if err != nil {
		return c, false
	}
	if c.header, err = claims.Parse(buf[:len(buf):len(buf)]); err != nil {
		return c, false
	}
	if buf, err = jwks.AppendBase64URL(buf[len(buf):], token[first+1:last]); err != nil {
		return c, false
	}
	c.payload = buf[:len(buf):len(buf)]
	if buf, err = jwks.AppendBase64URL(buf[len(buf):], token[last+1:]); err != nil {
		return c, false
	}
	c.signature = buf[:len(buf):len(buf)]
	ok = c.readHeader()
	return c, ok
}

// readHeader reads the header members that count. It ignores "jwk", "jku", "x5c" and "x5u": keys
// come from the provider's set only (RFC 8725 §3.10).
func (c *compact) readHeader() bool {
	for _, refused := range [...]string{
		"crit", // lists extensions that the verifier must understand (RFC 7515 §4.1.11); we know none
		"b64",  // says that the payload may not be base64url (RFC 7797)
		"enc",  // only a JWE has it (RFC 7516 §9)
	} {
		if c.header.Get(refused).Exists() {
			return false
		}
	}
	var cty string
	for _, member := range [...]struct {
		name string
		dst  *string
	}{{"alg", &c.alg}, {"kid", &c.kid}, {"typ", &c.typ}, {"cty", &cty}} {
		v := c.header.Get(member.name)
		if !v.Exists() {
			continue
		}
		text, ok := v.Text()
		if !ok {
			return false
		}
		*member.dst = text
	}
	return c.header.Get("alg").Exists() && mediaType(cty) != "jwt"
}

// mediaType is a "typ" or "cty" in the form in which it is compared: in lower case and without
// "application/" (RFC 7515 §4.1.9).
func mediaType(s string) string {
	return strings.TrimPrefix(strings.ToLower(s), "application/")
}
