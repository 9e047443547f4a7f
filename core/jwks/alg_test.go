package jwks_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"

	"gatehouse/core/jwks"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAKeyTakesTheAlgorithmsOfItsKindAlone(t *testing.T) {
	keys := map[string]members{
		"RSA":     jwkOf(t, &testRSA().PublicKey),
		"P-256":   jwkOf(t, &testEC().PublicKey),
		"P-384":   jwkOf(t, &must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)).PublicKey),
		"P-521":   jwkOf(t, &must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)).PublicKey),
		"Ed25519": {"kty": "OKP", "crv": "Ed25519", "x": b64(ed25519Of(1))},
		"oct":     {"kty": "oct", "k": b64(make([]byte, 64))},
	}
	takes := map[string]string{"RSA": "RS256 RS384 RS512 PS256 PS384 PS512", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512",
		"Ed25519": "EdDSA Ed25519", "oct": "HS256 HS384 HS512"}
	for kind, key := range keys {
		for _, alg := range strings.Fields("RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA HS256 HS384 HS512 ES256K Ed25519 RSA-OAEP dir none") {
			s, err := jwks.Parse(set(t, key.with("alg", alg)))
			require.NoError(t, err)
			want := 0
			for _, a := range strings.Fields(takes[kind]) {
				if a == alg {
					want = 1
				}
			}
			assert.Len(t, s.Keys, want, "%s with %s", kind, alg)
		}
	}
}
