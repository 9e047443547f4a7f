package jwt

import (
	"strings"

	"gatehouse/core/claims"
	"gatehouse/core/jwks"
)

// compact is a JWS taken apart (RFC 7515 §7.1). Its slices are its own memory.
type compact struct {
	header    claims.Set
	payload   []byte
	signed    []byte // header and payload as signed: the token's first two parts and the dot between them
	signature []byte
	alg       string // the header's, not yet judged
	kid       string
	typ       string // "" when absent
}

// parse takes a compact JWS apart. Whatever it doesn't accept is MalformedToken. An empty signature passes: whether it
// may be so is for the algorithm to say.
func parse(token string) (c compact, ok bool) {
	// Two dots make three parts. Of more dots, as in a JWE's five parts, the payload gets those between, which base64url
	// doesn't have.
	first := strings.IndexByte(token, '.')
	last := strings.LastIndexByte(token, '.')
	if first <= 0 || last <= first+1 {
		return c, false
	}
	// One buffer for all: the parts' decoded bytes take three quarters of the token.
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

// readHeader takes what is understood from the header. "jwk", "jku", "x5c" and the like are ignored: keys come from the
// provider's set alone (RFC 8725 §3.10).
func (c *compact) readHeader() bool {
	for _, refused := range [...]string{
		"crit", // extensions that must be understood, and none is
		"b64",  // the payload might not be base64url (RFC 7797)
		"enc",  // a JWE (RFC 7516 §9)
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

// mediaType is a "typ" or "cty" as it is compared: in lower case and without "application/" (RFC 7515 §4.1.9).
func mediaType(s string) string {
	return strings.TrimPrefix(strings.ToLower(s), "application/")
}
