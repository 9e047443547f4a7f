// Package jwks reads JWK Sets (RFC 7517) into keys that verify signatures. It does no I/O: its
// caller fetches the set.
package jwks

import (
	"bytes"
	"crypto/subtle"
)

// Type is a key's "kty" (RFC 7518 §6.1, RFC 8037 §2). The zero Type is invalid.
type Type uint8

// The key types of JWS algorithms.
const (
	RSA Type = iota + 1
	EC
	OKP
	Oct
)

// Curve is a key's "crv" (RFC 7518 §6.2.1.1, RFC 8037 §2). RSA and oct keys have the zero Curve.
type Curve uint8

// The curves of JWS algorithms.
const (
	P256 Curve = iota + 1
	P384
	P521
	Ed25519
)

// Key is a public key or an HMAC secret that verifies signatures. It is immutable.
type Key struct {
	ID    string // "kid", "" when absent; at most MaxKeyID bytes
	Type  Type
	Curve Curve
	Alg   string // "alg", "" when absent; it fits Type and Curve; "EdDSA" for "Ed25519" (RFC 9864 §2.2)

	// Issuer is the member "issuer" of Entra ID's common sets, "" when absent. "{tenantid}" in it
	// stands for any tenant.
	Issuer string

	// N is the RSA modulus of 2048 to 8192 bits, big-endian without leading zeros. E is the odd
	// exponent. They are not an rsa.PublicKey: stored in an interface, that type would link all
	// methods of big.Int, which adds 0.2 MB to the module.
	N []byte
	E int

	X, Y   []byte // EC: coordinates, big-endian, as wide as the field; OKP: X is the public key, 32 bytes
	Secret []byte // oct: at least MinSecret bytes

	SPKI []byte // RSA and EC: the DER SubjectPublicKeyInfo (RFC 5280 §4.1), for the host's verifier
}

// Equal reports whether two keys have the same key material, "kid", "alg" and "issuer". It compares
// secrets in constant time.
func (k *Key) Equal(o *Key) bool {
	return k.ID == o.ID && k.Type == o.Type && k.Curve == o.Curve && k.Alg == o.Alg && k.Issuer == o.Issuer &&
		bytes.Equal(k.SPKI, o.SPKI) && bytes.Equal(k.X, o.X) && subtle.ConstantTimeCompare(k.Secret, o.Secret) == 1
}

// Skipped says why an element of a set's "keys" can't be used. ID is the key's "kid", "" if that
// can't be read. Why never contains key material.
type Skipped struct {
	Index int
	ID    string
	Why   string
}

// Set is a parsed JWK Set. It is immutable.
type Set struct {
	Keys    []*Key
	Skipped []Skipped
}

// algFitsKey reports whether alg is a JWS algorithm for keys of this type and curve (RFC 7518 §3.1,
// RFC 8037 §3.1).
func algFitsKey(alg string, t Type, c Curve) bool {
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
