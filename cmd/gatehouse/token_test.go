package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// issuer signs tokens with a key of its own.
type issuer struct {
	private jwk.Key
	jwks    string // the public JWK Set
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	raw, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	private, err := jwk.Import(raw)
	require.NoError(t, err)
	require.NoError(t, private.Set(jwk.KeyIDKey, "k1"))
	public, err := private.PublicKey()
	require.NoError(t, err)
	text, err := json.Marshal(public)
	require.NoError(t, err)
	return issuer{private, `{"keys":[` + string(text) + `,{"kty":"oct","kid":"old","k":"c2hvcnQ"}]}`}
}

func (i issuer) sign(t *testing.T, payload string) string {
	t.Helper()
	token, err := jws.Sign([]byte(payload), jws.WithKey(jwa.RS256(), i.private))
	require.NoError(t, err)
	return string(token)
}

// configFile writes a configuration whose provider has these jwks.
func configFile(t *testing.T, jwks string) string {
	t.Helper()
	return file(t, "config.json", `{"tokens":{"providers":[{"name":"main","issuer":"https://idp.example","audiences":["orders"],"algorithms":["RS256"],"jwks":`+
		jwks+`}]},"routes":[{"path":"/**"}]}`)
}

const payload = `{"iss":"https://idp.example","aud":"orders","sub":"alice","exp":2000,"note":"<&>"}`

func TestATokenIsVerifiedAsTheFilterWould(t *testing.T) {
	idp := newIssuer(t)
	config := configFile(t, `{"inline":`+idp.jwks+`}`)
	token := idp.sign(t, payload) + "\n"

	r := gatehouse(t, token, "token", "verify", "--config", config, "--at", "1999")
	assert.Equal(t, result{0, `{"valid":true,"provider":"main","reason":null,"claims":` + payload + "}\n", ""}, r)

	r = gatehouse(t, token, "token", "verify", "--config", config, "--at", "2000")
	assert.Equal(t, result{1, `{"valid":false,"provider":"main","reason":"expired_token","claims":` + payload + "}\n", ""}, r)

	r = gatehouse(t, token, "token", "verify", "--config", config)
	assert.Equal(t, 1, r.code, "2000 is long past")

	r = gatehouse(t, newIssuer(t).sign(t, payload), "token", "verify", "--config", config, "--at", "1999")
	assert.Equal(t, result{1, `{"valid":false,"provider":"main","reason":"invalid_signature","claims":null}` + "\n", ""}, r)

	r = gatehouse(t, idp.sign(t, ""), "token", "verify", "--config", config, "--at", "1999")
	assert.Equal(t, result{1, `{"valid":false,"provider":null,"reason":"malformed_token","claims":null}` + "\n", ""}, r, "no claims")

	r = gatehouse(t, "nonsense", "token", "verify", "--config", config)
	assert.Equal(t, result{1, `{"valid":false,"provider":null,"reason":"malformed_token","claims":null}` + "\n", ""}, r)

	other := idp.sign(t, `{"iss":"https://other.example","exp":2000}`)
	r = gatehouse(t, other, "token", "verify", "--config", config)
	assert.Equal(t, result{1, `{"valid":false,"provider":null,"reason":"invalid_issuer","claims":null}` + "\n", ""}, r)
}

func TestATokenOfATenantIsVerifiedAsTheFilterWould(t *testing.T) {
	idp := newIssuer(t)
	config := file(t, "tenants.json", `{"tokens":{"providers":[{"name":"main","issuer":"https://idp.example/{tid}/v2","claims":{"tid":["a","b"],"token_use":["access"]},
		"audiences":["orders"],"algorithms":["RS256"],"jwks":{"inline":`+idp.jwks+`}}]},"routes":[{"path":"/**"}]}`)
	for claims, want := range map[string]string{
		`{"iss":"https://idp.example/a/v2","tid":"a","token_use":"access","aud":"orders","exp":2000}`:         "null",
		`{"iss":"https://idp.example/b/v2","tid":"a","token_use":"access","aud":"orders","exp":2000}`:         `"invalid_issuer"`,
		`{"iss":"https://idp.example/c/v2","tid":"c","token_use":"access","aud":"orders","exp":2000}`:         `"invalid_claim"`,
		`{"iss":"https://idp.example/a/v2","tid":"a","token_use":"id","aud":"orders","exp":2000}`:             `"invalid_claim"`,
		`{"iss":"https://idp.example/a/v2","tid":"a","token_use":"access","aud":"orders","exp":2000,"sub":7}`: `"malformed_token"`,
	} {
		r := gatehouse(t, idp.sign(t, claims), "token", "verify", "--config", config, "--at", "1999")
		valid, code := "false", 1
		if want == "null" {
			valid, code = "true", 0
		}
		assert.Equal(t, result{code, `{"valid":` + valid + `,"provider":"main","reason":` + want + `,"claims":` + claims + "}\n", ""}, r)
	}
	r := gatehouse(t, idp.sign(t, `{"iss":"https://idp.example/a/b/v2"}`), "token", "verify", "--config", config)
	assert.Equal(t, result{1, `{"valid":false,"provider":null,"reason":"invalid_issuer","claims":null}` + "\n", ""}, r)
}

func TestKeysComeFromTheProviderOrFromWhereTheUserSays(t *testing.T) {
	idp := newIssuer(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/jwks.json":
		case "/moved":
			http.Redirect(w, r, "/jwks.json", http.StatusFound)
			return
		default:
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(idp.jwks))
	}))
	defer server.Close()
	token := idp.sign(t, payload)
	valid := result{0, `{"valid":true,"provider":"main","reason":null,"claims":` + payload + "}\n", ""}

	remote := configFile(t, `{"cluster":"idp","uri":"`+server.URL+`/jwks.json"}`)
	assert.Equal(t, valid, gatehouse(t, token, "token", "verify", "--config", remote, "--at", "1999"))

	broken := configFile(t, `{"cluster":"idp","uri":"`+server.URL+`/nothing"}`)
	r := gatehouse(t, token, "token", "verify", "--config", broken, "--at", "1999")
	assert.Equal(t, result{2, "", "gatehouse: JWK Set " + server.URL + "/nothing: answered 404 Not Found\n"}, r)
	r = gatehouse(t, token, "token", "verify", "--config", broken, "--at", "1999", "--jwks", server.URL+"/moved")
	assert.Equal(t, result{2, "", "gatehouse: JWK Set " + server.URL + "/moved: answered 302 Found\n"}, r, "the filter follows no redirects either")

	assert.Equal(t, valid, gatehouse(t, token, "token", "verify", "--config", broken, "--at", "1999", "--jwks", file(t, "jwks.json", idp.jwks)))
	assert.Equal(t, valid, gatehouse(t, token, "token", "verify", "--config", broken, "--at", "1999", "--jwks", server.URL+"/jwks.json"))

	r = gatehouse(t, token, "token", "verify", "--config", remote, "--at", "1999", "--jwks", file(t, "jwks.json", `{"keys":[{"kty":"oct","kid":"old","k":"c2hvcnQ"}]}`))
	assert.Equal(t, result{1, `{"valid":false,"provider":"main","reason":"unknown_key","claims":null}` + "\n",
		`gatehouse: keys[0] "old" is not used: secret below 32 bytes` + "\n"}, r)
}

func TestWhatCannotBeVerifiedIsAnErrorAndNoAnswer(t *testing.T) {
	idp := newIssuer(t)
	token := idp.sign(t, payload)
	for config, want := range map[string]string{
		file(t, "open.json", good):               "the configuration has no providers",
		file(t, "bad.json", `{"routes": []}`):    "bad.json:1:12: routes: want a list of 1..1000, got 0",
		"../../envoy.yaml":                       "../../envoy.yaml: several plugins: say which by --plugin, one of gate, gate_envoy_jwt",
		file(t, "none.yaml", "apiVersion: v1\n"): "none.yaml: no configuration of Gatehouse in it",
		file(t, "claims.json", `{"tokens":{"providers":[{"name":"envoys","issuer":"https://idp.example","claims_from":{"envoy_metadata":{"filter":"f","key":"k"}}}]},"routes":[{"path":"/**"}]}`): "provider envoys takes claims that Envoy has verified: there is nothing to verify here",
	} {
		r := gatehouse(t, token, "token", "verify", "--config", config)
		assert.Equal(t, 2, r.code, config)
		assert.Empty(t, r.out)
		assert.Contains(t, r.err, want+"\n")
		assert.Equal(t, 1, strings.Count(r.err, "\n"))
		assert.NotContains(t, r.err, token[:20])
	}
	config := configFile(t, `{"inline":`+idp.jwks+`}`)
	for at, want := range map[string]string{"-1": "--at: want 0..9223372036, got -1", "9223372037": "--at: want 0..9223372036, got 9223372037"} {
		r := gatehouse(t, token, "token", "verify", "--config", config, "--at", at)
		assert.Equal(t, result{2, "", "gatehouse: " + want + "\n"}, r)
	}
	assert.Equal(t, result{2, "", "gatehouse: token: want one on the standard input\n"}, gatehouse(t, "\n", "token", "verify", "--config", config))
	assert.Equal(t, result{2, "", "gatehouse: token: more than 1048576 bytes\n"}, gatehouse(t, strings.Repeat("a", maxInput+1), "token", "verify", "--config", config))
}

func TestATokenAmongTheArgumentsIsNotRepeated(t *testing.T) {
	idp := newIssuer(t)
	token, config := idp.sign(t, payload), configFile(t, `{"inline":`+idp.jwks+`}`)
	for _, args := range [][]string{
		{"token", "verify", "--config", config, token},
		{"token", "signature", "--jwks", file(t, "jwks.json", idp.jwks), "--algorithms", "RS256", token},
		{"token", "inspect", token},
		{"explain", "--config", config, "--path", "/", token},
	} {
		r := gatehouse(t, "", args...)
		assert.Equal(t, result{2, "", "gatehouse: want no arguments: what the command looks at is on the standard input\n"}, r)
	}
}

func TestASymmetricKeyComesFromTheEnvironment(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	token, err := jws.Sign([]byte(payload), jws.WithKey(jwa.HS256(), []byte(secret)))
	require.NoError(t, err)
	config := file(t, "config.json", `{"tokens":{"providers":[{"name":"main","issuer":"https://idp.example","audiences":["orders"],"algorithms":["HS256"],`+
		`"jwks":{"inline":{"keys":[{"kty":"oct","k":{"env":"GATEHOUSE_TEST_KEY"}}]}}}]},"routes":[{"path":"/**"}]}`)

	r := gatehouse(t, string(token), "token", "verify", "--config", config, "--at", "1999")
	assert.Equal(t, result{2, "", "gatehouse: " + config + ":1:167: tokens.providers[0].jwks.inline.keys[0].k.env: the environment variable GATEHOUSE_TEST_KEY is not set\n"}, r)

	t.Setenv("GATEHOUSE_TEST_KEY", base64.RawURLEncoding.EncodeToString([]byte(secret)))
	r = gatehouse(t, string(token), "token", "verify", "--config", config, "--at", "1999")
	assert.Equal(t, result{0, `{"valid":true,"provider":"main","reason":null,"claims":` + payload + "}\n", ""}, r)
}

func TestASignatureIsVerifiedAlone(t *testing.T) {
	idp := newIssuer(t)
	keys := file(t, "jwks.json", idp.jwks)
	token := idp.sign(t, `{"exp":1}`) // long expired, and no issuer
	assert.Equal(t, result{0, `{"valid":true,"kid":"k1","reason":null}` + "\n", ""},
		gatehouse(t, token, "token", "signature", "--jwks", keys, "--algorithms", "ES256,RS256"))
	assert.Equal(t, result{0, `{"valid":true,"kid":"k1","reason":null}` + "\n", ""},
		gatehouse(t, idp.sign(t, ""), "token", "signature", "--jwks", keys, "--algorithms", "RS256"), "an empty payload")
	assert.Equal(t, result{1, `{"valid":false,"kid":"k1","reason":"unsupported_algorithm"}` + "\n", ""},
		gatehouse(t, token, "token", "signature", "--jwks", keys, "--algorithms", "ES256"))
	assert.Equal(t, result{1, `{"valid":false,"kid":"k1","reason":"invalid_signature"}` + "\n", ""},
		gatehouse(t, newIssuer(t).sign(t, `{}`), "token", "signature", "--jwks", keys, "--algorithms", "RS256"))
	assert.Equal(t, result{1, `{"valid":false,"kid":null,"reason":"malformed_token"}` + "\n", ""},
		gatehouse(t, "a.b", "token", "signature", "--jwks", keys, "--algorithms", "RS256"))
	r := gatehouse(t, token, "token", "signature", "--jwks", keys, "--algorithms", "")
	assert.Equal(t, result{2, "", "gatehouse: --algorithms: want at least one\n"}, r)
	r = gatehouse(t, token, "token", "signature", "--jwks", file(t, "broken.json", "{"), "--algorithms", "RS256")
	assert.Equal(t, 2, r.code)
	assert.Contains(t, r.err, "broken.json: JWK Set is not strict JSON\n")
}

func TestClaimsAreInspected(t *testing.T) {
	r := gatehouse(t, `{"sub":"orders@clients","gty":"client-credentials","azp":"orders","scope":"a b"}`, "token", "inspect")
	assert.Equal(t, 0, r.code)
	assert.Equal(t, `{"is_m2m":true,"caller":"machine","client_id":"orders","token_use":null,"scopes":["a","b"],"has_user_context":false,`+
		`"requires_user_context":false,"subject":"orders@clients","username":null,"email":null,"evidence":"auth0-gty"}`+"\n", r.out)

	r = gatehouse(t, `{}`, "token", "inspect")
	assert.Equal(t, `{"is_m2m":false,"caller":"unknown","client_id":null,"token_use":null,"scopes":[],"has_user_context":false,`+
		`"requires_user_context":true,"subject":null,"username":null,"email":null,"evidence":null}`+"\n", r.out)

	r = gatehouse(t, `{"a":1,"a":2}`, "token", "inspect")
	assert.Equal(t, 2, r.code)
	assert.True(t, strings.HasPrefix(r.err, "gatehouse: claims: "), r.err)
}

// TestInspectSaysWhatThePythonLibrarySays replays input/output pairs of the Python library: what
// its get_token_metadata says, `token inspect --profile cognito` says too.
func TestInspectSaysWhatThePythonLibrarySays(t *testing.T) {
	text, err := os.ReadFile("../../core/testdata/vectors.json")
	require.NoError(t, err)
	var vectors []struct {
		Service, Case string
		Input         json.RawMessage
		Expected      json.RawMessage
	}
	require.NoError(t, json.Unmarshal(text, &vectors))
	seen := 0
	for _, v := range vectors {
		if v.Service != "m2m" || !strings.Contains(string(v.Input), `"claims"`) {
			continue
		}
		var input struct{ Claims json.RawMessage }
		require.NoError(t, json.Unmarshal(v.Input, &input))
		var expected struct {
			Metadata map[string]any `json:"get_token_metadata"`
		}
		require.NoError(t, json.Unmarshal(v.Expected, &expected))
		seen += len(expected.Metadata)
		r := gatehouse(t, string(input.Claims), "token", "inspect", "--profile", "cognito")
		require.Equal(t, 0, r.code, v.Case)
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(r.out), &got))
		for name, want := range expected.Metadata {
			if name == "service_account" { // the library's second name for client_id
				name = "client_id"
			}
			assert.Equal(t, want, got[name], "%s: %s", v.Case, name)
		}
	}
	assert.Greater(t, seen, 50)
}

func TestFlagsWithAClosedListSayWhatIsMeant(t *testing.T) {
	r := gatehouse(t, "{}", "token", "inspect", "--profile", "congito")
	assert.Equal(t, result{2, "", `gatehouse: --profile: want auto or cognito, got "congito"; did you mean "cognito"?` + "\n"}, r)
	r = gatehouse(t, "a.b.c", "token", "signature", "--jwks", "x", "--algorithms", "RS265")
	assert.Equal(t, 2, r.code)
	assert.Contains(t, r.err, `--algorithms: want RS256, `)
	assert.Contains(t, r.err, `got "RS265"; did you mean "RS256"?`)
}
