package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const explained = `
routes:
- {path: /health, auth: none}
- {path: /machines, caller: machine, name: robots}
- {path: /public/**, auth: optional}
- {path: /**}
tokens:
  providers:
  - name: envoy
    claims_from: {envoy_metadata: {filter: envoy.filters.http.jwt_authn, key: payload}, failed_status_key: fail}
rate_limits:
- {name: flood, max_requests: 3, window_seconds: 60, identifier: [ip], when: before_auth}
- {name: mine, max_requests: 10, window_seconds: 60}
`

func runExplain(t *testing.T, doc, token string, args ...string) (answer map[string]any, stderr string, code int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gate.yaml")
	require.NoError(t, os.WriteFile(file, []byte(doc), 0o600))
	var out, errOut bytes.Buffer
	args = append([]string{"explain", "--config", file}, args...)
	code = run(context.Background(), args, strings.NewReader(token), &out, &errOut)
	if out.Len() > 0 {
		require.NoError(t, json.Unmarshal(out.Bytes(), &answer))
	}
	return answer, errOut.String(), code
}

func unsigned(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestExplainSaysWhatHappensToARequestAndWhy(t *testing.T) {
	human := unsigned(`{"sub":"alice","email":"a@example.com","exp":2000}`)
	for _, c := range []struct {
		token    string
		args     []string
		decision string
		status   any
		reason   any
		route    any
		caller   any
		limits   int
	}{
		{"", []string{"--path", "/health"}, "admitted", nil, nil, "/health", "anonymous", 0},
		{"", []string{"--path", "/public/x?y"}, "admitted", nil, nil, "/public/**", "anonymous", 2},
		{"", []string{"--path", "/x"}, "refused", 401.0, "missing_token", "/**", "anonymous", 1},
		{human, []string{"--path", "/x", "--at", "1999"}, "admitted", nil, nil, "/**", "human", 2},
		{human, []string{"--path", "/x", "--at", "2000"}, "refused", 401.0, "expired_token", "/**", nil, 1},
		{human, []string{"--path", "/machines", "--method", "POST", "--at", "1"}, "refused", 403.0, "machine_required", "robots", "human", 1},
		{"", []string{"--path", "/a/../b"}, "refused", 400.0, "unsafe_path", nil, "anonymous", 0},
	} {
		answer, stderr, code := runExplain(t, explained, c.token, c.args...)
		require.Equal(t, 0, code, stderr)
		assert.Equal(t, c.decision, answer["decision"], c.args)
		assert.Equal(t, c.status, answer["status"], c.args)
		assert.Equal(t, c.reason, answer["reason"], c.args)
		assert.NotEmpty(t, answer["why"])
		assert.Len(t, answer["limits"], c.limits, c.args)
		route, _ := answer["route"].(map[string]any)
		assert.Equal(t, c.route, route["name"], c.args)
		who, _ := answer["caller"].(map[string]any)
		assert.Equal(t, c.caller, who["kind"], c.args)
	}
}

func TestExplainRefusesWhatItCantRead(t *testing.T) {
	for _, c := range []struct {
		doc, token string
		args       []string
		stderr     string
	}{
		{explained, "nonsense", []string{"--path", "/x"}, "want a JWS"},
		{explained, "", nil, "want --path, or --event"},
		{explained, "", []string{"--path", "/x", "--header", "nocolon"}, `want "name: value"`},
		{explained, "", []string{"--path", "/x", "--header", "Authorization: Bearer a.b.c"}, `"authorization" may carry a token`},
		{explained, "", []string{"--path", "/x", "--at", "-1"}, "--at"},
		{explained, "", []string{"--path", "/x", "--ip", "192.0.2.1:80"}, `--ip: want an IP address, got "192.0.2.1:80"`},
		{"routes: []", "", []string{"--path", "/x"}, "routes"},
		{explained, "", []string{"--path", "/x", "--jwks", "/nowhere"}, "JWK Set /nowhere"},
	} {
		_, stderr, code := runExplain(t, c.doc, c.token, c.args...)
		assert.Equal(t, exitError, code)
		assert.Contains(t, stderr, c.stderr)
		assert.Equal(t, 1, strings.Count(stderr, "\n"), "one line")
	}
}

func TestExplainKnowsWhoVerifiesATokenWhereBothDo(t *testing.T) {
	secret := strings.Repeat("k", 32)
	doc := strings.Replace(explained, "  providers:\n", `  providers:
  - name: own
    issuer: https://own/{org}/v2
    claims: {org: ["*"]}
    any_audience: true
    algorithms: [HS256]
    jwks: {inline: {keys: [{kty: oct, k: "`+base64.RawURLEncoding.EncodeToString([]byte(secret))+`"}]}}
`, 1)
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`))
	signed := header + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://own/blue/v2","org":"blue","sub":"bob","exp":2000}`))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	for token, provider := range map[string]string{
		signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)): "own",
		unsigned(`{"iss":"https://else","sub":"alice","exp":2000}`):       "envoy",
	} {
		answer, _, code := runExplain(t, doc, token, "--path", "/x", "--at", "1000")
		assert.Equal(t, 0, code)
		require.Equal(t, "admitted", answer["decision"], "%v", answer)
		assert.Equal(t, provider, answer["caller"].(map[string]any)["provider"])
	}
	answer, _, _ := runExplain(t, doc, "no token", "--path", "/x", "--at", "1000")
	assert.Equal(t, "malformed_token", answer["reason"])
	answer, _, _ = runExplain(t, doc, signed+".AAAA", "--path", "/x", "--at", "1000")
	assert.Equal(t, "invalid_signature", answer["reason"])
}

// decoded is the JSON that a command printed.
func decoded(t *testing.T, out string) (answer map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(out), &answer))
	return answer
}
