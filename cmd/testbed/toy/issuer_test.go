package toy_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/toy"
)

func newIssuer(t *testing.T, name string) *toy.Issuer {
	t.Helper()
	issuer, err := toy.StartIssuer("", name)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	return issuer
}

func get(t *testing.T, url string) (*http.Response, string, error) {
	t.Helper()
	response, err := http.Get(url) //nolint:noctx // bounded by the test's own timeout
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(body), nil
}

// published fetches the keys as a client does.
func published(t *testing.T, issuer *toy.Issuer) jwk.Set {
	t.Helper()
	response, body, err := get(t, issuer.URL()+"/jwks.json")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	set, err := jwk.ParseString(body)
	require.NoError(t, err)
	return set
}

func verify(token string, set jwk.Set) (toy.Claims, error) {
	payload, err := jws.Verify([]byte(token), jws.WithKeySet(set, jws.WithInferAlgorithmFromKey(true)))
	if err != nil {
		return nil, err
	}
	var claims toy.Claims
	return claims, json.Unmarshal(payload, &claims)
}

func header(t *testing.T, token string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(token[:strings.IndexByte(token, '.')])
	require.NoError(t, err)
	var h map[string]any
	require.NoError(t, json.Unmarshal(text, &h))
	return h
}

func TestTokensVerifyWithThePublishedKeysByEveryAlgorithm(t *testing.T) {
	issuer := newIssuer(t, "")
	set := published(t, issuer)
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			token, err := issuer.Sign(issuer.Human("alice", "orders", time.Hour), toy.Algorithm(alg))
			require.NoError(t, err)
			claims, err := verify(token, set)
			require.NoError(t, err)
			assert.Equal(t, issuer.URL(), claims["iss"])
			assert.Equal(t, "alice", claims["sub"])
			assert.Equal(t, alg, header(t, token)["alg"])
		})
	}
}

func TestSpoiltTokensDoNotVerify(t *testing.T) {
	issuer := newIssuer(t, "https://idp.example")
	set := published(t, issuer)
	claims := issuer.Machine("nightly", "orders", time.Hour, "jobs/write")
	good, err := issuer.Sign(claims)
	require.NoError(t, err)
	_, err = verify(good, set)
	require.NoError(t, err)

	for name, spoil := range map[string]func() (string, error){
		"tampered": func() (string, error) { return toy.Tampered(good) },
		"forged":   func() (string, error) { return toy.Forged(good, claims.With("scope", "everything")) },
		"unsigned": func() (string, error) { return toy.Unsigned(claims) },
		"a stranger's key": func() (string, error) {
			stranger := newIssuer(t, "https://idp.example")
			return stranger.Sign(claims)
		},
		"a key in HMAC": func() (string, error) {
			return issuer.Sign(claims, toy.Key("HS256", issuer.JWKS()), toy.Header("kid", header(t, good)["kid"]))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bad, err := spoil()
			require.NoError(t, err)
			require.NotEqual(t, good, bad)
			require.Equal(t, 2, strings.Count(bad, "."), "still a JWS in compact form")
			_, err = verify(bad, set)
			require.Error(t, err)
		})
	}
}

func TestHeaderParametersCanBeChangedAndRemoved(t *testing.T) {
	issuer := newIssuer(t, "")
	token, err := issuer.Sign(toy.Claims{}, toy.Algorithm("ES256"))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"alg": "ES256", "kid": "es256-1", "typ": "JWT"}, header(t, token))
	token, err = issuer.Sign(toy.Claims{}, toy.Header("kid", nil), toy.Header("typ", "at+jwt"), toy.Header("jku", "https://evil.example"))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"alg": "RS256", "typ": "at+jwt", "jku": "https://evil.example"}, header(t, token))

	_, err = issuer.Sign(toy.Claims{}, toy.Algorithm("HS256"))
	require.EqualError(t, err, "the issuer has no key for HS256")
}

func TestHMACTokensVerifyWithTheSharedSecret(t *testing.T) {
	issuer := newIssuer(t, "")
	secret := []byte("0123456789abcdef0123456789abcdef")
	token, err := issuer.Sign(toy.Claims{"sub": "x"}, toy.Key("HS256", secret))
	require.NoError(t, err)
	payload, err := jws.Verify([]byte(token), jws.WithKey(jwa.HS256(), secret))
	require.NoError(t, err)
	assert.JSONEq(t, `{"sub":"x"}`, string(payload))
}

func TestClaimsAreCopiedBeforeTheyChange(t *testing.T) {
	c := toy.Claims{"a": 1}
	assert.Equal(t, toy.Claims{"a": 1, "b": 2}, c.With("b", 2))
	assert.Equal(t, toy.Claims{}, c.Without("a"))
	assert.Equal(t, toy.Claims{"a": 1}, c)
}

func TestRotationReplacesTheKeysOrKeepsTheLast(t *testing.T) {
	issuer := newIssuer(t, "")
	first, err := issuer.Sign(toy.Claims{"sub": "x"})
	require.NoError(t, err)

	require.NoError(t, issuer.Rotate(true))
	_, err = verify(first, published(t, issuer))
	require.NoError(t, err)
	second, err := issuer.Sign(toy.Claims{"sub": "x"})
	require.NoError(t, err)
	_, err = verify(second, published(t, issuer))
	require.NoError(t, err)

	require.NoError(t, issuer.Rotate(false))
	for _, old := range []string{first, second} {
		_, err = verify(old, published(t, issuer))
		require.Error(t, err)
	}
	assert.Equal(t, 3, issuer.Fetches()-1)
}

func TestTheIssuerMisbehavesAsTold(t *testing.T) {
	issuer := newIssuer(t, "")
	issuer.Misbehave(toy.Fault{Status: 503, Body: []byte("sorry"), Delay: time.Millisecond})
	response, body, err := get(t, issuer.URL()+"/jwks.json")
	require.NoError(t, err)
	assert.Equal(t, 503, response.StatusCode)
	assert.Equal(t, "sorry", body)

	issuer.Misbehave(toy.Fault{Reset: true})
	_, _, err = get(t, issuer.URL()+"/jwks.json")
	assert.ErrorIs(t, err, syscall.ECONNRESET)

	issuer.Misbehave(toy.Fault{})
	published(t, issuer)
}

func TestAStoppedIssuerComesBackAtTheSameAddress(t *testing.T) {
	issuer := newIssuer(t, "")
	url := issuer.URL()
	require.Error(t, issuer.Restart())
	issuer.Stop()
	_, _, err := get(t, url+"/jwks.json")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.NoError(t, issuer.Restart())
	assert.Equal(t, url, issuer.URL())
	published(t, issuer)
}

func TestMetadataLeadsToTheKeys(t *testing.T) {
	issuer := newIssuer(t, "https://idp.example")
	_, body, err := get(t, issuer.URL()+"/.well-known/openid-configuration")
	require.NoError(t, err)
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &metadata))
	assert.Equal(t, "https://idp.example", metadata.Issuer)
	assert.Equal(t, issuer.URL()+"/jwks.json", metadata.JWKSURI)
}

func TestAnAddressInUseIsAnError(t *testing.T) {
	issuer := newIssuer(t, "")
	_, err := toy.StartIssuer(issuer.Address(), "")
	require.True(t, errors.Is(err, syscall.EADDRINUSE), "%v", err)
	_, err = toy.StartUpstream(issuer.Address())
	require.True(t, errors.Is(err, syscall.EADDRINUSE), "%v", err)
}

func TestTheIssuerSignsForScriptsIfAllowedTo(t *testing.T) {
	issuer := newIssuer(t, "")
	ask := func(query, body string) (int, string) {
		response, err := http.Post(issuer.URL()+"/sign"+query, "", strings.NewReader(body)) //nolint:noctx // bounded by the test's own timeout
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
	status, _ := ask("", `{}`)
	assert.Equal(t, http.StatusNotFound, status)

	issuer.ServeSigning("orders", time.Hour)
	for _, alg := range []string{"", "ES256"} {
		status, token := ask("?alg="+alg, `{"sub": "alice", "exp": 17, "iat": null, "roles": ["a"]}`)
		require.Equal(t, http.StatusOK, status, token)
		claims, err := verify(token, published(t, issuer))
		require.NoError(t, err)
		assert.Equal(t, toy.Claims{"iss": issuer.URL(), "aud": "orders", "sub": "alice", "exp": 17.0, "roles": []any{"a"}}, claims)
	}
	for _, body := range []string{"", "null", "[]", `{"sub": "alice"} x`, `{"a": "` + strings.Repeat("a", 64<<10) + `"}`} {
		status, text := ask("", body)
		assert.Equal(t, http.StatusBadRequest, status, text)
	}
	status, text := ask("?alg=none", `{}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "the issuer has no key for none\n", text)
}
