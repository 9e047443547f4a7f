package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeysComeFromTheOpenIDConfiguration(t *testing.T) {
	idp := newIssuer(t)
	document := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_, _ = w.Write([]byte(idp.jwks))
			return
		}
		_, _ = w.Write([]byte(strings.ReplaceAll(document, "HERE", "http://"+r.Host)))
	}))
	defer server.Close()
	config := configFile(t, `{"cluster":"idp","discovery":"`+server.URL+`/.well-known/openid-configuration"}`)
	token := idp.sign(t, payload)

	document = `{"issuer":"https://idp.example","jwks_uri":"HERE/keys"}`
	r := gatehouse(t, token, "token", "verify", "--config", config, "--at", "1999")
	assert.Equal(t, 0, r.code, r.err)
	r = gatehouse(t, token, "explain", "--config", config, "--at", "1999", "--path", "/x")
	require.Equal(t, 0, r.code, r.err)
	assert.Equal(t, "admitted", decoded(t, r.out)["decision"])

	for doc, want := range map[string]string{
		`{"issuer":"https://other.example","jwks_uri":"HERE/keys"}`:          `its issuer is "https://other.example", want the provider's, "https://idp.example"`,
		`{"issuer":"https://idp.example","jwks_uri":"http://else.invalid/"}`: `has another scheme or authority: the filter takes it only as jwks.uri`,
		`{"issuer":"https://idp.example"}`:                                   `its jwks_uri "" has another scheme or authority`,
		`[]`:                                                                 `not a JSON object with issuer and jwks_uri`,
	} {
		document = doc
		r := gatehouse(t, token, "token", "verify", "--config", config, "--at", "1999")
		assert.Equal(t, 2, r.code, doc)
		assert.Contains(t, r.err, "OpenID configuration "+server.URL)
		assert.Contains(t, r.err, want)
	}
	assert.True(t, sameIssuer("https://l/{tenantid}/v2.0", "https://l/{tid}/v2.0"))
	assert.False(t, sameIssuer("https://l/t1/v2.0", "https://l/{tid}/v2.0"))
}
