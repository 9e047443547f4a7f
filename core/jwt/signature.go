package jwt

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"gatehouse/core/jwks"
	"gatehouse/core/jwks/ec"
	"gatehouse/core/jwks/rsa"
	"gatehouse/core/reason"
)

// HostVerify verifies a signature outside the module, as Envoy's "verify_signature" does. hash is
// "sha256", "sha384" or "sha512". spki is the key as DER SubjectPublicKeyInfo. An ECDSA signature
// is in DER (RFC 3279 §2.2.3), an RSA signature (PKCS #1 v1.5) as it is. signed may be the host's
// memory. handled is false if the host can't verify; then Go's crypto decides.
type HostVerify func(hash string, spki, sig []byte, signed string) (ok, handled bool)

// checker verifies signatures: by the host for the algorithms that passed SelfTest, else by Go's
// crypto.
type checker struct {
	host     HostVerify
	hostAlgs AlgSet // the algorithms that passed SelfTest
}

// check reports whether sig is k's signature of signed. The key must fit a.
func (c checker) check(a Alg, k *jwks.Key, signed string, sig []byte) bool {
	if c.hostAlgs.Has(a) {
		if form, valid := hostSignature(a, k, sig); valid {
			if ok, handled := c.host(algorithms[a].host, k.SPKI, form, signed); handled {
				return ok
			}
		}
	}
	return check(a, k, signed, sig)
}

// check verifies a signature in the module itself.
func check(a Alg, k *jwks.Key, signed string, sig []byte) bool {
	switch algorithms[a].scheme {
	case pkcs1:
		return rsa.VerifyPKCS1v15(k.N, k.E, digest(a, signed), sig)
	case pss:
		return rsa.VerifyPSS(k.N, k.E, hasher(a)(), digest(a, signed), sig)
	case ecdsa:
		curve := curveOf(k)
		if len(sig) != 2*curve.Size() {
			return false
		}
		return curve.Verify(k.X, k.Y, digest(a, signed), sig[:curve.Size()], sig[curve.Size():])
	case eddsa:
		return ed25519.Verify(k.X, []byte(signed), sig)
	case hmacSHA:
		mac := hmac.New(hasher(a), k.Secret)
		mac.Write([]byte(signed))
		return hmac.Equal(mac.Sum(nil), sig) // in constant time
	}
	return false
}

func hasher(a Alg) func() hash.Hash {
	switch algorithms[a].hash.Size() {
	case sha512.Size384:
		return sha512.New384
	case sha512.Size:
		return sha512.New
	}
	return sha256.New
}

func digest(a Alg, signed string) []byte {
	h := hasher(a)()
	h.Write([]byte(signed))
	return h.Sum(nil)
}

func curveOf(k *jwks.Key) *ec.Curve {
	switch k.Curve {
	case jwks.P384:
		return ec.P384()
	case jwks.P521:
		return ec.P521()
	}
	return ec.P256()
}

// hostSignature converts a signature to the form that HostVerify takes. valid is false for an empty
// RSA signature, and for an ECDSA signature of a wrong length or with r or s out of range.
func hostSignature(a Alg, k *jwks.Key, sig []byte) (form []byte, valid bool) {
	if algorithms[a].scheme != ecdsa {
		return sig, len(sig) > 0
	}
	curve := curveOf(k)
	size := curve.Size()
	if len(sig) != 2*size || !curve.Scalar(sig[:size]) || !curve.Scalar(sig[size:]) {
		return nil, false
	}
	const integer, sequence = 0x02, 0x30
	body := appendInteger(appendInteger(make([]byte, 0, 2*size+8), integer, sig[:size]), integer, sig[size:])
	der := make([]byte, 0, len(body)+3)
	der = append(der, sequence)
	if len(body) >= 0x80 {
		der = append(der, 0x81)
	}
	return append(append(der, byte(len(body))), body...), true
}

// appendInteger appends a positive DER INTEGER. It has no leading zero bytes, except one that keeps
// it positive.
func appendInteger(dst []byte, tag byte, v []byte) []byte {
	for len(v) > 1 && v[0] == 0 {
		v = v[1:]
	}
	if v[0] >= 0x80 {
		dst = append(dst, tag, byte(len(v)+1), 0)
	} else {
		dst = append(dst, tag, byte(len(v)))
	}
	return append(dst, v...)
}

// VerifySignature verifies only the signature of a JWS, with the keys of a set. It checks no claims
// and accepts any payload. kid is the token's, "" if it is absent or longer than jwks.MaxKeyID. The
// reasons are those of Verify up to the signature.
func VerifySignature(token string, set *jwks.Set, allowed AlgSet) (kid string, why reason.Reason) {
	c, ok := parse(token)
	if !ok {
		return "", reason.MalformedToken
	}
	h, ok := parseHeader(c.header)
	if !ok {
		return "", reason.MalformedToken
	}
	if len(h.kid) <= jwks.MaxKeyID {
		kid = h.kid
	}
	_, why = checker{}.verify(&c, h, keyChoice{set: set}, allowed)
	return kid, why
}

// maxTries bounds how many keys one token is tried with.
const maxTries = 4

// keyChoice says which keys a token may be tried with.
type keyChoice struct {
	set     *jwks.Set
	tried   *jwks.Set // keys that this set has too are left out
	segment string    // of the token's issuer, where that is an IssuerPattern
}

// verify checks algorithm, key and signature, and returns the key. It tries up to maxTries keys
// that fit, in the set's order.
func (c checker) verify(t *compact, h *header, keys keyChoice, allowed AlgSet) (*jwks.Key, reason.Reason) {
	alg, known := ParseAlg(h.alg)
	if !known || !allowed.Has(alg) {
		return nil, reason.UnsupportedAlgorithm
	}
	if keys.set == nil {
		return nil, reason.KeysUnavailable
	}
	why, tries := reason.UnknownKey, 0
	for _, k := range keys.set.Keys {
		if h.kid != "" && k.ID != h.kid || !alg.fits(k) || keys.segment != "" && !servesSegment(k, keys.segment) {
			continue
		}
		why = reason.InvalidSignature
		if findEqual(keys.tried, k) != nil {
			continue
		}
		if c.check(alg, k, t.signed, t.signature) {
			return k, reason.None
		}
		if tries++; tries == maxTries {
			break
		}
	}
	return nil, why
}
