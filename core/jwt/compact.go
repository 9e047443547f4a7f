package jwt

import (
	"strings"

	"gatehouse/core/claims"
	"gatehouse/core/jwks"
)

// compact is a parsed JWS (RFC 7515 §7.1).
type compact struct {
	header
	claims    claims.Set // of the payload, if it holds claims
	claimsOK  bool
	signed    string // the signed text: the token's first two parts and the dot between them, in the token's memory
	signature []byte
}

// header is what counts of a JOSE header.
type header struct {
	alg     string // as the header has it: any text
	kid     string
	typ     string // "" when absent
	typHere bool   // there is a "typ"
}

// room is how many bytes of a part are decoded on the stack. Larger parts are rare.
const room = 1024

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
	if c.header, ok = parseHeader(token[:first]); !ok {
		return c, false
	}
	var memory [room]byte
	payload, err := jwks.AppendBase64URL(memory[:0], token[first+1:last])
	if err != nil {
		return c, false
	}
	c.claims, err = claims.Parse(payload)
	c.claimsOK = err == nil
	c.signed = token[:last]
	c.signature, err = jwks.AppendBase64URL(nil, token[last+1:])
	return c, err == nil
}

// parseHeader decodes and reads a header.
func parseHeader(encoded string) (h header, ok bool) {
	var memory [room]byte
	doc, err := jwks.AppendBase64URL(memory[:0], encoded)
	if err != nil {
		return h, false
	}
	set, err := claims.Parse(doc)
	if err != nil {
		return h, false
	}
	return readHeader(set)
}

// readHeader reads the header members that count. It ignores "jwk", "jku", "x5c" and "x5u": keys
// come from the provider's set only (RFC 8725 §3.10).
func readHeader(set claims.Set) (h header, ok bool) {
	for _, refused := range [...]string{
		"crit", // lists extensions that the verifier must understand (RFC 7515 §4.1.11); we know none
		"b64",  // says that the payload may not be base64url (RFC 7797)
		"enc",  // only a JWE has it (RFC 7516 §9)
	} {
		if set.Get(refused).Exists() {
			return h, false
		}
	}
	var cty string
	for _, member := range [...]struct {
		name string
		dst  *string
	}{{"alg", &h.alg}, {"kid", &h.kid}, {"typ", &h.typ}, {"cty", &cty}} {
		v := set.Get(member.name)
		if !v.Exists() {
			continue
		}
		text, ok := v.Text()
		if !ok {
			return h, false
		}
		*member.dst = text
	}
	h.typHere = set.Get("typ").Exists()
	return h, set.Get("alg").Exists() && mediaType(cty) != "jwt"
}

// mediaType is a "typ" or "cty" in the form in which it is compared: in lower case and without
// "application/" (RFC 7515 §4.1.9).
func mediaType(s string) string {
	return strings.TrimPrefix(strings.ToLower(s), "application/")
}
