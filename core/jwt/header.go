package jwt

import (
	"strings"

	"gatehouse/core/claims"
	"gatehouse/core/jwks"
)

// header is what counts of a JOSE header.
type header struct {
	encoded string // as the token has it, if the header is remembered
	alg     string // as the header has it: any text
	kid     string
	typ     string // in the form in which it is compared; "" when absent
	// emptyTyp is true if there is a "typ", but an empty one.
	emptyTyp bool
}

// parseHeader decodes and reads a header.
func parseHeader(encoded string) (h *header, ok bool) {
	var memory [room]byte
	doc, err := jwks.AppendBase64URL(memory[:0], encoded)
	if err != nil {
		return nil, false
	}
	set, err := claims.Parse(doc)
	if err != nil {
		return nil, false
	}
	return readHeader(set)
}

// readHeader reads the header members that count. It ignores "jwk", "jku", "x5c" and "x5u": keys
// come from the provider's set only (RFC 8725 §3.10).
func readHeader(set claims.Set) (h *header, ok bool) {
	h = &header{}
	for _, refused := range [...]string{
		"crit", // lists extensions that the verifier must understand (RFC 7515 §4.1.11); we know none
		"b64",  // says that the payload may not be base64url (RFC 7797)
		"enc",  // only a JWE has it (RFC 7516 §9)
	} {
		if set.Get(refused).Exists() {
			return nil, false
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
			return nil, false
		}
		*member.dst = text
	}
	h.typ = mediaType(h.typ)
	h.emptyTyp = h.typ == "" && set.Get("typ").Exists()
	return h, set.Get("alg").Exists() && mediaType(cty) != "jwt"
}

// mediaType is a "typ" or "cty" in the form in which it is compared: in lower case and without
// "application/" (RFC 7515 §4.1.9).
func mediaType(s string) string {
	return strings.TrimPrefix(strings.ToLower(s), "application/")
}

// knownHeader is the header of a token if an earlier token of the provider had the very same. All
// tokens of an issuer have the same header until it changes its key.
func (v *Verifier) knownHeader(provider int, encoded string) *header {
	if provider < 0 {
		return nil
	}
	if h := v.headers[provider].Load(); h != nil && h.encoded == encoded {
		return h
	}
	return nil
}

// rememberHeader keeps the header of a token whose signature holds: nobody but an issuer chooses
// what is kept. encoded may be the host's memory.
func (v *Verifier) rememberHeader(provider int, h *header, encoded string) {
	if h.encoded == "" && len(encoded) <= room {
		h.encoded = strings.Clone(encoded)
		v.headers[provider].Store(h)
	}
}
