package jwks

import (
	"bytes"
	"math/bits"

	"gatehouse/core/jwks/ec"
	"gatehouse/core/jwks/rsa"

	"github.com/go-json-experiment/json/jsontext"
)

// MinSecret is the minimum length of an oct key in bytes: that of HS256 (RFC 7518 §3.2). HS384 and
// HS512 need longer keys; package jwt checks that, because it knows the algorithm.
const MinSecret = 32

const (
	minRSABits = 2048
	maxRSABits = rsa.MaxBits
)

// jwk holds the members of a JWK that this package reads, as text.
type jwk struct {
	kty, crv, alg, use, kid string
	n, e, x, y, k           string
	issuer                  string
	hasOps, opsVerify       bool // "key_ops" lists something; "key_ops" lists "verify"
}

// parseKey reads one JWK. why is "" if the key can be used; otherwise it says why not, and only the
// key's ID is set.
func parseKey(v jsontext.Value) (key *Key, why string) {
	key = &Key{}
	if v.Kind() != '{' {
		return key, "not a JSON object"
	}
	j, why := readJWK(v)
	if len(j.kid) > MaxKeyID {
		return key, "kid is too long"
	}
	if j.alg == "Ed25519" {
		j.alg = "EdDSA" // RFC 9864 §2.2 gives one algorithm a second name
	}
	key.ID, key.Alg, key.Issuer = j.kid, j.alg, j.issuer
	if why != "" {
		return key, why
	}
	switch {
	case j.use != "" && j.use != "sig":
		return key, "use is not sig"
	case j.hasOps && !j.opsVerify:
		return key, "key_ops lacks verify"
	}
	switch j.kty {
	case "RSA":
		why = key.setRSA(j)
	case "EC":
		why = key.setEC(j)
	case "OKP":
		why = key.setOKP(j)
	case "oct":
		why = key.setOct(j)
	default:
		why = "unknown kty"
	}
	if why == "" && j.alg != "" && !algFitsKey(j.alg, key.Type, key.Curve) {
		why = "alg is not one for signatures with this kind of key"
	}
	return key, why
}

// readJWK reads the members that a key of its "kty" needs; it doesn't look at others. Null counts
// as absent: some issuers write it for each member that they don't use.
func readJWK(v jsontext.Value) (j jwk, why string) {
	read := func(name string, value jsontext.Value) error {
		switch value.Kind() {
		case 'n':
			return nil
		case '"':
			s, err := jsontext.AppendUnquote(nil, value)
			*j.text(name) = string(s)
			return err
		}
		why = name + " is not a string"
		return nil
	}
	err := eachMember(v, func(name string, value jsontext.Value) error {
		if name == "kty" {
			return read(name, value)
		}
		return nil
	})
	if err == nil && why == "" {
		err = eachMember(v, func(name string, value jsontext.Value) error {
			switch {
			case name == "key_ops":
				if value.Kind() != 'n' && !j.readOps(value) {
					why = "key_ops is not a list of strings"
				}
			case name == "issuer":
				return j.readIssuer(value)
			case j.text(name) != nil:
				return read(name, value)
			}
			return nil
		})
	}
	if err != nil {
		why = "not strict JSON"
	}
	return j, why
}

// text is where a member is kept that is a string; nil for a member that a key of this "kty"
// doesn't need (RFC 7518 §6, RFC 8037 §2).
func (j *jwk) text(name string) *string {
	switch name {
	case "kty":
		return &j.kty
	case "alg":
		return &j.alg
	case "use":
		return &j.use
	case "kid":
		return &j.kid
	}
	ec, rsa := j.kty == "EC", j.kty == "RSA"
	switch {
	case name == "crv" && (ec || j.kty == "OKP"):
		return &j.crv
	case name == "x" && (ec || j.kty == "OKP"):
		return &j.x
	case name == "y" && ec:
		return &j.y
	case name == "n" && rsa:
		return &j.n
	case name == "e" && rsa:
		return &j.e
	case name == "k" && j.kty == "oct":
		return &j.k
	}
	return nil
}

// readIssuer reads "issuer", which Entra ID adds to the keys of its common sets.
func (j *jwk) readIssuer(value jsontext.Value) error {
	switch value.Kind() {
	case 'n':
	case '"':
		s, err := jsontext.AppendUnquote(nil, value)
		j.issuer = string(s)
		return err
	default:
		j.issuer = notText
	}
	return nil
}

// notText stands for an "issuer" of another type than a string. It fits no token: no segment of a
// path has a question mark.
const notText = "?"

func (j *jwk) readOps(list jsontext.Value) bool {
	d := jsontext.NewDecoder(bytes.NewReader(list))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '[' {
		return false
	}
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return false
		}
		j.hasOps = true
		j.opsVerify = j.opsVerify || t.String() == "verify"
	}
	return d.PeekKind() == ']'
}

// setRSA reads an RSA key (RFC 7518 §6.3.1). It accepts leading zero octets in n and e, which some
// issuers write.
func (k *Key) setRSA(j jwk) string {
	n, errN := AppendBase64URL(nil, j.n)
	e, errE := AppendBase64URL(nil, j.e)
	if errN != nil || errE != nil || len(n) == 0 || len(e) == 0 {
		return "n or e is not base64url"
	}
	n, e = bytes.TrimLeft(n, "\x00"), bytes.TrimLeft(e, "\x00")
	switch {
	case bitLen(n) < minRSABits:
		return "RSA key below 2048 bits"
	case bitLen(n) > maxRSABits:
		return "RSA key above 8192 bits"
	case n[len(n)-1]&1 == 0:
		return "RSA modulus is even"
	}
	exp := 0
	if len(e) <= 4 {
		for _, b := range e {
			exp = exp<<8 | int(b)
		}
	}
	// crypto/rsa refuses exponents above 2^31 - 1, and BoringSSL those of more than 33 bits.
	if exp < 3 || exp > 1<<31-1 || exp&1 == 0 {
		return "RSA exponent is even, below 3 or above 31 bits"
	}
	k.Type, k.N, k.E = RSA, n, exp
	k.SPKI = spkiRSA(n, e)
	return ""
}

// bitLen is the length in bits of a big-endian number that has no leading zero bytes.
func bitLen(n []byte) int {
	if len(n) == 0 {
		return 0
	}
	return 8*len(n) - bits.LeadingZeros8(n[0])
}

// setEC reads an elliptic curve key (RFC 7518 §6.2.1). Coordinates have the field's full width.
func (k *Key) setEC(j jwk) string {
	var curve *ec.Curve
	switch j.crv {
	case "P-256":
		k.Curve, curve = P256, ec.P256()
	case "P-384":
		k.Curve, curve = P384, ec.P384()
	case "P-521":
		k.Curve, curve = P521, ec.P521()
	default:
		return "unknown crv"
	}
	x, errX := AppendBase64URL(nil, j.x)
	y, errY := AppendBase64URL(nil, j.y)
	if errX != nil || errY != nil {
		return "x or y is not base64url"
	}
	if len(x) != curve.Size() || len(y) != curve.Size() {
		return "x or y is not as wide as the field"
	}
	if !curve.OnCurve(x, y) {
		return "point is not on its curve"
	}
	k.Type, k.X, k.Y = EC, x, y
	k.SPKI = spkiEC(k.Curve, x, y)
	return ""
}

// setOKP reads an Ed25519 key (RFC 8037 §2).
func (k *Key) setOKP(j jwk) string {
	if j.crv != "Ed25519" {
		return "unknown crv"
	}
	x, err := AppendBase64URL(nil, j.x)
	if err != nil || len(x) != 32 {
		return "x is not 32 bytes of base64url"
	}
	if !ec.Edwards25519(x) {
		return "x is no point of its curve, or one of small order"
	}
	k.Type, k.Curve, k.X = OKP, Ed25519, x
	return ""
}

// setOct reads an HMAC secret (RFC 7518 §6.4).
func (k *Key) setOct(j jwk) string {
	secret, err := AppendBase64URL(nil, j.k)
	if err != nil {
		return "k is not base64url"
	}
	if len(secret) < MinSecret {
		return "secret below 32 bytes"
	}
	k.Type, k.Secret = Oct, secret
	return ""
}
