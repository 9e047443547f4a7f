package toy

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

// keyPair is a private key and its public half as published.
type keyPair struct {
	kid     string
	private any
	public  jwk.Key
}

// keyFor names the kind of key that signs by an algorithm.
func keyFor(alg string) string {
	switch {
	case strings.HasPrefix(alg, "RS"), strings.HasPrefix(alg, "PS"):
		return "rsa"
	case alg == "EdDSA":
		return "ed25519"
	default:
		return strings.ToLower(alg) // each ES algorithm has a curve of its own
	}
}

// generateKeys makes a key pair of each kind; generation goes into the key ids, so that they differ
// after a rotation.
func generateKeys(generation int) (map[string]keyPair, error) {
	pairs := map[string]keyPair{}
	for kind, generate := range map[string]func() (private, public any, err error){
		"rsa": func() (any, any, error) {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				return nil, nil, err
			}
			return key, key.Public(), nil
		},
		"es256": func() (any, any, error) { return generateECDSA(elliptic.P256()) },
		"es384": func() (any, any, error) { return generateECDSA(elliptic.P384()) },
		"es512": func() (any, any, error) { return generateECDSA(elliptic.P521()) },
		"ed25519": func() (any, any, error) {
			public, private, err := ed25519.GenerateKey(rand.Reader)
			return private, public, err
		},
	} {
		private, public, err := generate()
		if err != nil {
			return nil, err
		}
		published, err := jwk.Import(public)
		if err != nil {
			return nil, err
		}
		kid := fmt.Sprintf("%s-%d", kind, generation)
		for name, value := range map[string]string{jwk.KeyIDKey: kid, jwk.KeyUsageKey: "sig"} {
			if err := published.Set(name, value); err != nil {
				return nil, err
			}
		}
		pairs[kind] = keyPair{kid: kid, private: private, public: published}
	}
	return pairs, nil
}

func generateECDSA(curve elliptic.Curve) (private, public any, err error) {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	return key, key.Public(), nil
}

// encodeSet returns the JWK Set of some generations of keys.
func encodeSet(generations ...map[string]keyPair) ([]byte, error) {
	set := jwk.NewSet()
	for _, pairs := range generations {
		for _, pair := range pairs {
			if err := set.AddKey(pair.public); err != nil {
				return nil, err
			}
		}
	}
	return json.Marshal(set)
}
