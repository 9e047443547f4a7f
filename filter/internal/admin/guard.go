package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

const tokenBytes = sha256.Size

// maxPath bounds a request's path: an identifier may have several parts of a few hundred bytes.
const maxPath = 8192

func hashToken(token string) [tokenBytes]byte { return sha256.Sum256([]byte(token)) }

// guard refuses what isn't from an operator on the same machine.
func (a *API) guard(r *Request) (refusal Response, refused bool) {
	switch {
	case !loopback(r.Destination):
		return failure(403, "want a connection to a loopback address"), true
	case has(r, "origin"): // a browser's: no page may talk to the API
		return failure(403, "want no origin header"), true
	case !a.authorized(r):
		return failure(401, "want authorization: Bearer and the token of the configuration").
			with("www-authenticate", `Bearer realm="gatehouse-admin"`), true
	case len(r.Path) > maxPath:
		return failure(414, "want a path of at most 8192 bytes"), true
	case hasBody(r):
		return failure(413, "want no body"), true
	}
	return Response{}, false
}

// authorized compares the token in constant time: hashes have one length.
func (a *API) authorized(r *Request) bool {
	count, value := 0, ""
	for _, h := range r.Headers {
		if h.Name == "authorization" {
			count++
			value = h.Value
		}
	}
	const scheme = "bearer "
	if count != 1 || len(value) <= len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return false
	}
	sum := hashToken(value[len(scheme):])
	return subtle.ConstantTimeCompare(sum[:], a.token[:]) == 1
}

func has(r *Request, name string) bool {
	for _, h := range r.Headers {
		if h.Name == name {
			return true
		}
	}
	return false
}

// hasBody reports whether a request announces a body.
func hasBody(r *Request) bool {
	for _, h := range r.Headers {
		if h.Name == "content-length" && h.Value != "0" || h.Name == "transfer-encoding" {
			return true
		}
	}
	return false
}

// loopback reports whether an address as the proxy writes it, 127.0.0.1:9902 or [::1]:9902, is a
// loopback address.
func loopback(address string) bool {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return false // a Unix socket's
	}
	host := strings.TrimSuffix(strings.TrimPrefix(address[:i], "["), "]")
	v4 := strings.TrimPrefix(host, "::ffff:")
	return host == "::1" || strings.HasPrefix(v4, "127.") && strings.Trim(v4, "0123456789.") == ""
}
