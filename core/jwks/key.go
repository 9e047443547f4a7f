// Package jwks reads JWK Sets (RFC 7517) into public keys that signatures can be checked with. It does no I/O: fetching
// a set is its caller's business.
package jwks

import (
	"bytes"
	"crypto/subtle"
)

// Type is a key's "kty" (RFC 7518 §6.1, RFC 8037 §2). The zero Type is no key's.
type Type uint8

// The key types that JWS algorithms use.
const (
	RSA Type = iota + 1
	EC
	OKP
	Oct
)

// Curve is a key's "crv" (RFC 7518 §6.2.1.1, RFC 8037 §2). RSA and oct keys have the zero Curve.
type Curve uint8

// The curves that JWS algorithms use.
const (
	P256 Curve = iota + 1
	P384
	P521
	Ed25519
)

// Key is one key that signatures may be verified with. It is not changed once parsed.
type Key struct {
	ID    string // "kid", "" when absent; at most MaxKeyID bytes
	Type  Type
	Curve Curve
	Alg   string // "alg", "" when absent; always one that fits Type and Curve

	// N is the modulus of 2048 to 8192 bits, big-endian without leading zeros, E the odd exponent. They are not kept as an
	// rsa.PublicKey: a type that ends up in an interface would bring big.Int's methods along, 0.2 MB of module.
	N []byte
	E int

	X, Y   []byte // EC: coordinates, big-endian, as wide as the field; OKP: X is the public key, 32 bytes
	Secret []byte // oct: at least MinSecret bytes

	SPKI []byte // RSA and EC: the DER SubjectPublicKeyInfo (RFC 5280 §4.1), for a verifier outside the module
}

// Equal reports whether both are the same key: same material, same identifier, same restriction to an algorithm. Secrets
// are compared in constant time.
func (k *Key) Equal(o *Key) bool {
	return k.ID == o.ID && k.Type == o.Type && k.Curve == o.Curve && k.Alg == o.Alg &&
		bytes.Equal(k.SPKI, o.SPKI) && bytes.Equal(k.X, o.X) && subtle.ConstantTimeCompare(k.Secret, o.Secret) == 1
}

// Skipped says why a member of a set's "keys" is not used. Why never holds key material; ID is the key's "kid" where it
// could be read.
type Skipped struct {
	Index int
	ID    string
	Why   string
}

// Set is a provider's current keys. It is not changed once parsed.
type Set struct {
	Keys    []*Key
	Skipped []Skipped
}

// suits reports whether alg is a JWS algorithm for keys of this type and curve (RFC 7518 §3.1, RFC 8037 §3.1).
func suits(alg string, t Type, c Curve) bool {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return t == RSA
	case "ES256":
		return t == EC && c == P256
	case "ES384":
		return t == EC && c == P384
	case "ES512":
		return t == EC && c == P521
	case "EdDSA":
		return t == OKP && c == Ed25519
	case "HS256", "HS384", "HS512":
		return t == Oct
	}
	return false
}
