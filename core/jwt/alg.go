package jwt

import (
	"crypto"

	"gatehouse/core/jwks"
)

// Alg is a JWS algorithm (RFC 7518 §3.1, RFC 8037 §3.1). The zero Alg is invalid. There is no Alg
// for "none".
type Alg uint8

// The algorithms.
const (
	RS256 Alg = iota + 1
	RS384
	RS512
	PS256
	PS384
	PS512
	ES256
	ES384
	ES512
	EdDSA // with Ed25519; RFC 9864 §2.2 names it "Ed25519"
	HS256
	HS384
	HS512

	algCount
)

// algorithm says how an Alg verifies, and which keys it takes.
type algorithm struct {
	name   string
	hash   crypto.Hash // 0 for EdDSA, which takes the message itself
	host   string      // the hash's name for HostVerify; "" if hosts can't verify the algorithm
	kty    jwks.Type
	crv    jwks.Curve
	scheme scheme
}

type scheme uint8

const (
	pkcs1 scheme = iota + 1
	pss
	ecdsa
	eddsa
	hmacSHA
)

var algorithms = [algCount]algorithm{
	RS256: {"RS256", crypto.SHA256, "sha256", jwks.RSA, 0, pkcs1},
	RS384: {"RS384", crypto.SHA384, "sha384", jwks.RSA, 0, pkcs1},
	RS512: {"RS512", crypto.SHA512, "sha512", jwks.RSA, 0, pkcs1},
	PS256: {"PS256", crypto.SHA256, "", jwks.RSA, 0, pss},
	PS384: {"PS384", crypto.SHA384, "", jwks.RSA, 0, pss},
	PS512: {"PS512", crypto.SHA512, "", jwks.RSA, 0, pss},
	ES256: {"ES256", crypto.SHA256, "sha256", jwks.EC, jwks.P256, ecdsa},
	ES384: {"ES384", crypto.SHA384, "sha384", jwks.EC, jwks.P384, ecdsa},
	ES512: {"ES512", crypto.SHA512, "sha512", jwks.EC, jwks.P521, ecdsa},
	EdDSA: {"EdDSA", 0, "", jwks.OKP, jwks.Ed25519, eddsa},
	HS256: {"HS256", crypto.SHA256, "", jwks.Oct, 0, hmacSHA},
	HS384: {"HS384", crypto.SHA384, "", jwks.Oct, 0, hmacSHA},
	HS512: {"HS512", crypto.SHA512, "", jwks.Oct, 0, hmacSHA},
}

// ParseAlg reads the registered name of an algorithm. Names are case-sensitive. "Ed25519" and
// "EdDSA" are one algorithm.
func ParseAlg(name string) (Alg, bool) {
	if name == "Ed25519" {
		return EdDSA, true
	}
	for a := RS256; a < algCount; a++ {
		if algorithms[a].name == name {
			return a, true
		}
	}
	return 0, false
}

// String is the registered name; "" for an invalid Alg.
func (a Alg) String() string {
	if a >= algCount {
		return ""
	}
	return algorithms[a].name
}

// Symmetric reports whether the key that verifies also signs (HS256, HS384, HS512).
func (a Alg) Symmetric() bool { return a >= HS256 && a < algCount }

// AlgSet is a set of algorithms. The zero AlgSet is empty.
type AlgSet uint16

// AllAlgs has every algorithm.
const AllAlgs AlgSet = 1<<algCount - 1<<RS256

// NewAlgSet makes a set of algorithms.
func NewAlgSet(algs ...Alg) (s AlgSet) {
	for _, a := range algs {
		s = s.With(a)
	}
	return s
}

// With is the set with a added.
func (s AlgSet) With(a Alg) AlgSet { return s | 1<<a }

// Has reports whether a is in the set.
func (s AlgSet) Has(a Alg) bool { return s>>a&1 == 1 }

// Names are the registered names of the algorithms in the set.
func (s AlgSet) Names() (names []string) {
	for a := RS256; a < algCount; a++ {
		if s.Has(a) {
			names = append(names, a.String())
		}
	}
	return names
}

// fits reports whether a key can verify signatures of a. The key needs a's type and curve, must not
// be restricted to another algorithm and, for HMAC, must be at least as long as the hash (RFC 7518
// §3.2).
func (a Alg) fits(k *jwks.Key) bool {
	want := &algorithms[a]
	if k.Type != want.kty || k.Curve != want.crv || k.Alg != "" && k.Alg != want.name {
		return false
	}
	return want.scheme != hmacSHA || len(k.Secret) >= want.hash.Size()
}

// Fits reports whether a key can verify signatures of an algorithm in the set.
func (s AlgSet) Fits(k *jwks.Key) bool {
	for a := RS256; a < algCount; a++ {
		if s.Has(a) && a.fits(k) {
			return true
		}
	}
	return false
}
