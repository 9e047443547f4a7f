package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"gatehouse/core/clock"
	"gatehouse/core/jwks"
	"gatehouse/core/jwt"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws/jwsbb"
	"github.com/stretchr/testify/require"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// issuerKeys are an issuer's private keys by "kid"; jwx signs with them and writes the JWK Set.
var issuerKeys = sync.OnceValue(func() map[string]any {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	secret := make([]byte, 64)
	rand.Read(secret)
	return map[string]any{
		"rsa":    must(rsa.GenerateKey(rand.Reader, 2048)),
		"p256":   must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"p384":   must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"p521":   must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		"ed":     ed,
		"secret": secret,
	}
})

var kidOf = map[jwt.Alg]string{
	jwt.RS256: "rsa", jwt.RS384: "rsa", jwt.RS512: "rsa", jwt.PS256: "rsa", jwt.PS384: "rsa", jwt.PS512: "rsa",
	jwt.ES256: "p256", jwt.ES384: "p384", jwt.ES512: "p521", jwt.EdDSA: "ed",
	jwt.HS256: "secret", jwt.HS384: "secret", jwt.HS512: "secret",
}

func allAlgs() (algs []jwt.Alg) {
	for a := jwt.RS256; a.String() != ""; a++ {
		algs = append(algs, a)
	}
	return algs
}

func everyAlg() jwt.AlgSet { return jwt.NewAlgSet(allAlgs()...) }

// jwxSet is the issuer's keys as jwx has them, without "alg".
var jwxSet = sync.OnceValue(func() jwk.Set {
	set := jwk.NewSet()
	for _, kid := range []string{"rsa", "p256", "p384", "p521", "ed", "secret"} {
		k := must(jwk.Import(issuerKeys()[kid]))
		if pub, ok := issuerKeys()[kid].(crypto.Signer); ok {
			k = must(jwk.Import(pub.Public()))
		}
		if err := k.Set(jwk.KeyIDKey, kid); err != nil {
			panic(err)
		}
		if err := set.AddKey(k); err != nil {
			panic(err)
		}
	}
	return set
})

var ourSet = sync.OnceValue(func() *jwks.Set {
	set := must(jwks.Parse(must(json.Marshal(jwxSet()))))
	if len(set.Keys) != 6 {
		panic("keys were skipped")
	}
	return set
})

func b64(b string) string { return base64.RawURLEncoding.EncodeToString([]byte(b)) }

// mint signs any header and payload, sensible or not.
func mint(a jwt.Alg, header, payload string) string {
	return signed(a, b64(header)+"."+b64(payload))
}

func signed(a jwt.Alg, input string) string {
	sig := must(jwsbb.Sign(issuerKeys()[kidOf[a]], a.String(), []byte(input), nil))
	return input + "." + b64(string(sig))
}

// fixedKeys gives each provider a set.
type fixedKeys []*jwks.Set

func (k fixedKeys) Keys(provider int) *jwks.Set { return k[provider] }

const (
	second  = 1_000_000_000
	testNow = clock.Wall(1_700_000_000 * second)
)

func testRules() jwt.Rules {
	return jwt.Rules{Name: "main", Issuer: "https://idp.example", Audiences: []string{"orders", "stock"}, Algorithms: everyAlg()}
}

func verifier(rules ...jwt.Rules) *jwt.Verifier {
	keys := make(fixedKeys, len(rules))
	for i := range keys {
		keys[i] = ourSet()
	}
	return jwt.New(rules, keys, nil, 16384)
}

// The claims of a good token.
const goodPayload = `{"iss":"https://idp.example","aud":"orders","sub":"alice","exp":1700000060,"nbf":1700000000}`

func header(a jwt.Alg, more string) string {
	return `{"alg":"` + a.String() + `","kid":"` + kidOf[a] + `"` + more + `}`
}

// payload is the good one with a member replaced ("" takes it away).
func payload(t *testing.T, name, value string) string {
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(goodPayload), &m))
	if m[name] = json.RawMessage(value); value == "" {
		delete(m, name)
	}
	doc, err := json.Marshal(m)
	require.NoError(t, err)
	return string(doc)
}

func parts(token string) []string { return strings.Split(token, ".") }
