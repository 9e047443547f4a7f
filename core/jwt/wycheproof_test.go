package jwt_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
)

// vectorGroup is a group of Wycheproof's test vectors: one key and what it signed, or seems to have
// signed.
type vectorGroup struct {
	TagSize   int // of HMAC, in bits
	PublicKey struct{ Uncompressed, Pk, Modulus, PublicExponent string }
	Tests     []vector
}

type vector struct {
	TcID              int
	Comment           string
	Key               string // of HMAC
	Msg, Sig, Tag     string
	Result            string // valid, invalid; acceptable for what old programs wrote and new ones need not take
	signed, signature []byte
}

// wycheproof are the files of vectors for each algorithm. In those marked never, no signature may
// be accepted: they are right ones of another scheme.
var wycheproof = []struct {
	alg   jwt.Alg
	file  string
	never bool
}{
	{jwt.ES256, "ecdsa_secp256r1_sha256_p1363", false},
	{jwt.ES384, "ecdsa_secp384r1_sha384_p1363", false},
	{jwt.ES512, "ecdsa_secp521r1_sha512_p1363", false},
	{jwt.EdDSA, "ed25519", false},
	{jwt.RS256, "rsa_signature_2048_sha256", false},
	{jwt.RS384, "rsa_signature_2048_sha384", false},
	{jwt.RS512, "rsa_signature_2048_sha512", false},
	{jwt.RS256, "rsa_signature_3072_sha256", false},
	{jwt.RS384, "rsa_signature_3072_sha384", false},
	{jwt.RS512, "rsa_signature_3072_sha512", false},
	{jwt.RS256, "rsa_signature_4096_sha256", false},
	{jwt.RS384, "rsa_signature_4096_sha384", false},
	{jwt.RS512, "rsa_signature_4096_sha512", false},
	{jwt.RS256, "rsa_signature_8192_sha256", false},
	{jwt.PS256, "rsa_pss_2048_sha256_mgf1_32", false},
	{jwt.PS384, "rsa_pss_2048_sha384_mgf1_48", false},
	{jwt.PS256, "rsa_pss_3072_sha256_mgf1_32", false},
	{jwt.PS256, "rsa_pss_4096_sha256_mgf1_32", false},
	{jwt.PS384, "rsa_pss_4096_sha384_mgf1_48", false},
	{jwt.PS512, "rsa_pss_4096_sha512_mgf1_64", false},
	{jwt.HS256, "hmac_sha256", false},
	{jwt.HS384, "hmac_sha384", false},
	{jwt.HS512, "hmac_sha512", false},

	{jwt.ES256, "ecdsa_secp256r1_sha256", true},          // DER (RFC 7518 §3.4: r and s side by side)
	{jwt.ES384, "ecdsa_secp384r1_sha384", true},          // DER
	{jwt.ES512, "ecdsa_secp521r1_sha512", true},          // DER
	{jwt.ES256, "ecdsa_secp256r1_sha512_p1363", true},    // another hash
	{jwt.ES384, "ecdsa_secp384r1_sha512_p1363", true},    // another hash
	{jwt.PS256, "rsa_pss_2048_sha256_mgf1_0", true},      // no salt (RFC 7518 §3.5: as long as the hash)
	{jwt.PS512, "rsa_pss_4096_sha512_mgf1_32", true},     // a short salt
	{jwt.PS256, "rsa_pss_2048_sha256_mgf1sha1_20", true}, // another hash in the mask
	{jwt.PS256, "rsa_signature_2048_sha256", true},       // PKCS #1 v1.5
	{jwt.RS256, "rsa_pss_2048_sha256_mgf1_32", true},     // PSS
	{jwt.RS256, "rsa_signature_2048_sha512", true},       // another hash
	{jwt.RS256, "rsa_signature_2048_sha3_256", true},     // another hash
	{jwt.RS256, "rsa_signature_3072_sha512_256", true},   // another hash
}

// macBits is the length of an HMAC.
var macBits = map[jwt.Alg]int{jwt.HS256: 256, jwt.HS384: 384, jwt.HS512: 512}

// TestWycheproofVectors runs Google's and C2SP's Wycheproof over the verification of signatures, by
// Go's crypto and by a host that verifies as Envoy's does. The vectors sign messages of their own,
// not tokens.
func TestWycheproofVectors(t *testing.T) {
	dir := wycheproofVectors(t)
	byGo, byHost := jwt.SignatureChecker(nil), jwt.SignatureChecker(honest)
	valid, invalid := 0, 0
	for _, w := range wycheproof {
		t.Run(fmt.Sprint(w.alg, " ", w.file, map[bool]string{true: ", never"}[w.never]), func(t *testing.T) {
			tested := 0
			for _, group := range readVectors(t, filepath.Join(dir, w.file+"_test.json")) {
				for _, v := range group.Tests {
					key := group.key(t, &v)
					if key == nil || !jwt.Fitting(w.alg, key) {
						continue // refused with its set, which jwks tests
					}
					if w.never && v.Result != "valid" {
						continue // it may be a valid signature of this scheme
					}
					tested++
					want := v.Result == "valid" && !w.never && group.TagSize == macBits[w.alg] // no truncated mac
					for name, check := range map[string]func(jwt.Alg, *jwks.Key, string, []byte) bool{"Go": byGo, "host": byHost} {
						got := check(w.alg, key, string(v.signed), v.signature)
						if v.Result == "acceptable" && !w.never {
							continue
						}
						assert.Equal(t, want, got, "%s: vector %d: %s", name, v.TcID, v.Comment)
					}
					if want {
						valid++
					} else {
						invalid++
					}
				}
			}
			assert.Greater(t, tested, 5)
		})
	}
	t.Logf("%d valid and %d invalid signatures", valid, invalid)
	assert.Greater(t, valid, 1200)
	assert.Greater(t, invalid, 4000)
}

// wycheproofVectors is the folder of the vectors in the crate that testdata/wycheproof pins; cargo
// fetches it.
func wycheproofVectors(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", "testdata/wycheproof/Cargo.toml")
	out, err := cmd.Output()
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("cargo can't fetch the crate wycheproof: ", err)
	}
	require.NoError(t, err, "cargo fetches the crate wycheproof")
	var metadata struct {
		Packages []struct {
			Name         string
			ManifestPath string `json:"manifest_path"`
		}
	}
	require.NoError(t, json.Unmarshal(out, &metadata))
	for _, p := range metadata.Packages {
		if p.Name == "wycheproof" {
			return filepath.Join(filepath.Dir(p.ManifestPath), "src", "data")
		}
	}
	require.Fail(t, "cargo names no crate wycheproof")
	return ""
}

func readVectors(t *testing.T, file string) []vectorGroup {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var doc struct{ TestGroups []vectorGroup }
	require.NoError(t, json.Unmarshal(text, &doc))
	for i := range doc.TestGroups {
		for j := range doc.TestGroups[i].Tests {
			v := &doc.TestGroups[i].Tests[j]
			v.signed, v.signature = unhex(t, v.Msg), unhex(t, v.Sig+v.Tag)
		}
	}
	return doc.TestGroups
}

// key is the key of a vector, as a JWK Set has it; nil if the set leaves it out.
func (g *vectorGroup) key(t *testing.T, v *vector) *jwks.Key {
	t.Helper()
	b64 := func(text string) string { return base64.RawURLEncoding.EncodeToString(unhex(t, text)) }
	var jwk map[string]string
	switch k := &g.PublicKey; {
	case v.Key != "":
		jwk = map[string]string{"kty": "oct", "k": b64(v.Key)}
	case k.Modulus != "":
		jwk = map[string]string{"kty": "RSA", "n": b64(k.Modulus), "e": b64(k.PublicExponent)}
	case k.Pk != "":
		jwk = map[string]string{"kty": "OKP", "crv": "Ed25519", "x": b64(k.Pk)}
	case k.Uncompressed != "":
		xy := k.Uncompressed[2:] // behind 04
		crv := map[int]string{128: "P-256", 192: "P-384", 264: "P-521"}[len(xy)]
		jwk = map[string]string{"kty": "EC", "crv": crv, "x": b64(xy[:len(xy)/2]), "y": b64(xy[len(xy)/2:])}
	default:
		return nil
	}
	doc, err := json.Marshal(map[string]any{"keys": []any{jwk}})
	require.NoError(t, err)
	set, err := jwks.Parse(doc)
	require.NoError(t, err)
	if len(set.Keys) == 0 {
		return nil
	}
	return set.Keys[0]
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}
