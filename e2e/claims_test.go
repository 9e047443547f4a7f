package e2e_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// foreignClaims are claims of every JSON type. Those that differ have their value as it is behind
// jwt_authn.
var foreignClaims = []struct {
	name   string
	value  any
	behind string // the JSON text, where it differs
}{
	{"text", "x, y%z ü", ""},
	{"eight", "12345678", ""},    // as long as a number's bytes
	{"byte_of_true", "\x01", ""}, // a boolean's byte
	{"byte_of_false", "\x00", ""},
	{"bytes_of_seven", "\x00\x00\x00\x00\x00\x00\x1c@", ""}, // a number's bytes
	{"bytes_of_a_list", "\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00a\x00\x00", ""},
	{"number", 7, ""},
	{"zero", 0, ""},
	{"negative", -3, ""},
	{"fraction", 1.25, ""},
	{"date", 1795509696, ""},
	{"large", json.Number("9007199254740993"), `"9007199254740992"`}, // beyond a float64, and so a text in events
	{"huge", json.Number("1e300"), "1e+300"},
	{"yes", true, ""},
	{"no", false, ""},
	{"list", []any{"a", "b,c", ""}, ""},
	{"numbers", []any{1, 2.5}, ""},
	{"mixed", []any{"a", 1, true}, ""},
	{"lists", []any{[]any{"a"}, []any{"b", "c"}}, ""},
	{"no_list", []any{}, ""},
	{"nothing", nil, ""},
	{"list_with_null", []any{"a", nil}, ""},
	{"object", map[string]any{"a": 1}, ""},
	{"object_like_a_list", map[string]any{"admins": ""}, ""},                 // which Envoy writes as it writes ["admins"]
	{"object_of_a_digit", map[string]any{"0": "", "": "", "admins": ""}, ""}, // whose member 0 is what its first name is, maybe
	{"object_with_null", map[string]any{"a": nil}, ""},
	{"list_of_objects", []any{map[string]any{"a": "b"}}, ""},
	{"deep.in.leaf", nil, ""}, // of an object, below
	{"deep.in.list", nil, ""},
	{"https://app.example/tenant", "t1", ""},
	{"dotted.name", "literal", ""},
	{"absent", nil, ""},
}

func foreignToken(t *testing.T, issuer *toy.Issuer) string {
	t.Helper()
	claims := issuer.Human("alice", "orders", time.Hour)
	for _, c := range foreignClaims {
		if c.name != "absent" && !strings.HasPrefix(c.name, "deep.") {
			claims = claims.With(c.name, c.value)
		}
	}
	claims = claims.With("deep", map[string]any{"in": map[string]any{"leaf": "l", "list": []any{"x", "y"}}})
	return sign(t, issuer, claims.With("dotted", map[string]any{"name": "not this one"}).With("groups", []any{"admins", "users"}).
		With("roles", map[string]any{"owners": ""})) // an object is no list of roles
}

// TestClaimsAreTheSameBehindJWTAuthn has both gates record, pass on and require the same claims of
// the same token.
func TestClaimsAreTheSameBehindJWTAuthn(t *testing.T) {
	t.Parallel()
	issuer, upstream := startIssuer(t, shippedIssuer), startUpstream(t)
	var names []string
	rules := map[string]string{ // a value that the route wants of a claim
		"text": "x, y%z ü", "eight": "12345678", "number": "7", "zero": "0", "negative": "-3", "fraction": "1.25", "date": "1795509696", "yes": "true",
		"no": "false", "list": "b,c", "numbers": "2.5", "mixed": "true", "deep.in.leaf": "l", "deep.in.list": "y",
		"https://app.example/tenant": "t1", "dotted.name": "literal",
	}
	var routes []string
	for claim, value := range rules {
		good, err := json.Marshal(map[string][]string{claim: {"other", value}})
		require.NoError(t, err)
		bad, err := json.Marshal(map[string][]string{claim: {"other", value + "1"}})
		require.NoError(t, err)
		at := fmt.Sprint(len(routes) / 2)
		routes = append(routes, `{"name": "good-`+at+`", "path": "/good/`+at+`", "claims": `+string(good)+`}`,
			`{"name": "bad-`+at+`", "path": "/bad/`+at+`", "claims": `+string(bad)+`}`)
	}
	for _, c := range foreignClaims {
		names = append(names, c.name)
	}
	list, err := json.Marshal(names)
	require.NoError(t, err)
	patch := `{"audit": {"claims": ` + string(list) + `}, "identity_headers": {"prefix": "x-gatehouse-", "claims": ` + string(list) + `},
		"routes": [` + strings.Join(routes, ",") + `, {"path": "/groups", "groups_any": ["users"]}, {"path": "/mentioned", "groups_any": ["owners"]},
		{"path": "/boolean", "claims": {"byte_of_true": ["true"]}}, {"path": "/number", "claims": {"bytes_of_seven": ["7"]}},
		{"path": "/list", "claims": {"bytes_of_a_list": ["a"]}}, {"path": "/with-null", "claims": {"list_with_null": ["a"]}}, {"path": "/**"}], "rate_limits": null}`
	p := envoy.StartForTest(t, options(t, envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address()),
		envoy.MergePluginConfig("gate", patch), envoy.MergePluginConfig("gate_envoy_jwt", patch)))
	token := foreignToken(t, issuer)
	c := client()

	type seen struct {
		headers  map[string]string
		metadata map[string]json.RawMessage
	}
	look := func(gate string) (s seen) {
		from := len(p.Stdout.Lines())
		a := get(c, p.Address(gate), "/", token)
		require.Equal(t, http.StatusOK, a.status, a.body)
		var echo toy.Echo
		require.NoError(t, json.Unmarshal([]byte(a.body), &echo))
		s.headers = map[string]string{}
		for name, values := range echo.Header {
			if strings.HasPrefix(name, "X-Gatehouse-") {
				s.headers[strings.ToLower(name)] = strings.Join(values, " | ")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		line, _, err := p.Stdout.Wait(ctx, from, func(string) bool { return true })
		require.NoError(t, err)
		var event struct{ Metadata map[string]json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(line), &event))
		s.metadata = event.Metadata
		return s
	}
	own, behind := look("gate"), look("gate_envoy_jwt")
	for _, claim := range foreignClaims {
		want := string(own.metadata[claim.name])
		if claim.behind != "" {
			want = claim.behind
		}
		if got := string(behind.metadata[claim.name]); strings.HasPrefix(want, "{") { // members of metadata have no order
			assert.JSONEq(t, want, got, claim.name)
		} else {
			assert.Equal(t, want, got, claim.name)
		}
		header := "x-gatehouse-claim-" + strings.Trim(strings.NewReplacer(".", "-", "_", "-", "/", "-", ":", "-").Replace(claim.name), "-")
		if claim.behind == "" {
			assert.Equal(t, own.headers[header], behind.headers[header], header)
		}
	}
	// The comparison isn't of two empty lists.
	assert.Equal(t, "a,b%2Cc,", behind.headers["x-gatehouse-claim-list"])
	assert.Equal(t, `["a",1,true]`, string(behind.metadata["mixed"]))
	assert.Equal(t, `[["a"],["b","c"]]`, string(behind.metadata["lists"]))
	assert.Equal(t, "1795509696", behind.headers["x-gatehouse-claim-date"])
	for _, name := range []string{"user-id", "client-id", "caller", "issuer", "scopes", "groups"} {
		assert.NotEmpty(t, own.headers["x-gatehouse-"+name])
		assert.Equal(t, own.headers["x-gatehouse-"+name], behind.headers["x-gatehouse-"+name])
	}

	for _, gate := range []string{"gate", "gate_envoy_jwt"} {
		assert.Equal(t, http.StatusOK, get(c, p.Address(gate), "/groups", token).status, gate)
		assert.Equal(t, http.StatusForbidden, get(c, p.Address(gate), "/mentioned", token).status, gate)
		for _, path := range []string{"/boolean", "/number", "/list"} { // text with the bytes of another type
			assert.Equal(t, http.StatusForbidden, get(c, p.Address(gate), path, token).status, gate+path)
		}
		assert.Equal(t, http.StatusOK, get(c, p.Address(gate), "/with-null", token).status, gate)
		for i := range len(rules) {
			assert.Equal(t, http.StatusOK, get(c, p.Address(gate), fmt.Sprintf("/good/%d", i), token).status, "%s: %s", gate, routes[2*i])
			assert.Equal(t, http.StatusForbidden, get(c, p.Address(gate), fmt.Sprintf("/bad/%d", i), token).status, "%s: %s", gate, routes[2*i+1])
		}
	}
}

// TestFailuresOfJWTAuthnAreReasons has real Envoy produce the failure codes that core.JWTStatus
// translates.
func TestFailuresOfJWTAuthnAreReasons(t *testing.T) {
	t.Parallel()
	issuer, down, empty, upstream := startIssuer(t, shippedIssuer), startIssuer(t, shippedIssuer), startIssuer(t, shippedIssuer), startUpstream(t)
	down.Stop()
	empty.Misbehave(toy.Fault{Body: []byte(`{"keys": []}`)})
	withCode := func(listener string) envoy.Edit { // the code in front of the audit event
		return func(b envoy.Bootstrap) error {
			manager, err := b.ConnectionManager(listener)
			if err == nil {
				format := manager["access_log"].([]any)[0].(map[string]any)["typed_config"].(map[string]any)["log_format"].(map[string]any)
				format["text_format_source"] = map[string]any{
					"inline_string": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:fail:code)% %FILTER_STATE(wasm.gatehouse_audit:PLAIN)%\n"}
			}
			return err
		}
	}
	keysFrom := func(listener string, issuer *toy.Issuer) []envoy.Edit {
		_, port, _ := strings.Cut(issuer.Address(), ":")
		return []envoy.Edit{
			envoy.CopyListener("gate_envoy_jwt", listener),
			envoy.AddCluster(strings.NewReplacer("NAME", listener, "PORT", port).Replace(staticCluster)),
			func(b envoy.Bootstrap) error {
				filter, err := b.HTTPFilter(listener, "JwtAuthentication")
				if err == nil {
					provider := filter["providers"].(map[string]any)["main"].(map[string]any)
					provider["remote_jwks"].(map[string]any)["http_uri"].(map[string]any)["cluster"] = listener
				}
				return err
			},
		}
	}
	edits := []envoy.Edit{envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address()),
		// This jwt_authn lets no request pass that it has not verified.
		envoy.CopyListener("gate_envoy_jwt", "strict"), func(b envoy.Bootstrap) error {
			filter, err := b.HTTPFilter("strict", "JwtAuthentication")
			if err == nil {
				filter["rules"].([]any)[0].(map[string]any)["requires"] = map[string]any{"provider_name": "main"}
			}
			return err
		}}
	edits = append(append(edits, keysFrom("down", down)...), keysFrom("empty", empty)...)
	edits = append(edits, withCode("gate_envoy_jwt"), withCode("down"), withCode("empty"))
	p := envoy.StartForTest(t, options(t, edits...))

	claims := issuer.Human("alice", "orders", time.Hour)
	good := sign(t, issuer, claims)
	parts := strings.Split(good, ".")
	tampered, err := toy.Tampered(good)
	require.NoError(t, err)
	encoded := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	forged := func(header, payload string) string { return encoded(header) + "." + encoded(payload) + "." + parts[2] }
	c, next := client(), 0
	for _, test := range []struct {
		name, gate, token string
		code              string
		status            int
		reason            string
	}{
		{"no token", "gate_envoy_jwt", "", "1", 401, "missing_token"},
		{"not yet valid", "gate_envoy_jwt", sign(t, issuer, claims.With("nbf", time.Now().Add(time.Hour).Unix())), "2", 401, "not_yet_valid"},
		{"expired", "gate_envoy_jwt", sign(t, issuer, claims.With("exp", 1)), "3", 401, "expired_token"},
		{"no dots", "gate_envoy_jwt", "abc", "4", 401, "malformed_token"},
		{"a header that isn't JSON", "gate_envoy_jwt", forged("{", "{}"), "6", 401, "malformed_token"},
		{"alg isn't text", "gate_envoy_jwt", forged(`{"alg":1}`, "{}"), "7", 401, "malformed_token"},
		{"an unknown algorithm", "gate_envoy_jwt", forged(`{"alg":"RS1"}`, "{}"), "8", 401, "unsupported_algorithm"},
		{"kid isn't text", "gate_envoy_jwt", forged(`{"alg":"RS256","kid":1}`, "{}"), "9", 401, "malformed_token"},
		{"claims that aren't JSON", "gate_envoy_jwt", forged(`{"alg":"RS256"}`, "{"), "11", 401, "malformed_token"},
		{"sub isn't text", "gate_envoy_jwt", sign(t, issuer, claims.With("sub", 1)), "13", 401, "malformed_token"},
		{"exp isn't a number", "gate_envoy_jwt", sign(t, issuer, claims.With("exp", "tomorrow")), "18", 401, "malformed_token"},
		{"aud is a number", "gate_envoy_jwt", sign(t, issuer, claims.With("aud", 1)), "21", 401, "malformed_token"},
		{"another issuer", "gate_envoy_jwt", sign(t, issuer, claims.With("iss", "http://other.example")), "24", 401, "invalid_issuer"},
		{"another audience", "gate_envoy_jwt", sign(t, issuer, claims.With("aud", "other")), "25", 401, "invalid_audience"},
		{"a changed signature", "gate_envoy_jwt", tampered, "26", 401, "invalid_signature"},
		{"an unknown key", "gate_envoy_jwt", sign(t, issuer, claims, toy.Header("kid", "nobody's")), "32", 401, "unknown_key"},
		{"an issuer that is down", "down", good, "40", 503, "jwks_unavailable"},
		{"an issuer without keys", "empty", good, "40", 503, "jwks_unavailable"},
		{"no code at all", "gate_envoy_jwt", good, "", 200, ""},
	} {
		a := get(c, p.Address(test.gate), "/", test.token)
		require.NoError(t, a.err)
		assert.Equal(t, test.status, a.status, test.name)
		if test.status == http.StatusServiceUnavailable {
			unavailable(t, a)
		}
		var line string
		line, next, err = p.Stdout.Wait(t.Context(), next, func(string) bool { return true })
		require.NoError(t, err)
		code, audit, _ := strings.Cut(line, " ")
		reason := ""
		if test.reason != "" {
			reason = `"reason":"` + test.reason + `"`
		}
		assert.Equal(t, test.code, code, "%s: %s", test.name, line)
		assert.Contains(t, audit, reason, test.name)
	}

	// jwt_authn refused it before Gatehouse was asked, but it is recorded like any other refusal.
	expired := sign(t, issuer, claims.With("exp", 1))
	a := exchange(c, http.MethodGet, p.Address("strict"), "/account/me?secret=1", "User-Agent", "e2e", "Authorization", "Bearer "+expired)
	require.NoError(t, a.err)
	assert.Equal(t, http.StatusUnauthorized, a.status)
	assert.NotContains(t, a.body, "detail", "the answer is Envoy's own")
	line, _, err := p.Stdout.Wait(t.Context(), next, func(string) bool { return true })
	require.NoError(t, err)
	var event map[string]any
	require.NoError(t, json.Unmarshal([]byte(line), &event), line)
	metadata := event["metadata"].(map[string]any)
	for name, want := range map[string]any{
		"event_type": "auth_failure", "status_code": 401.0, "path": "/account/me", "method": "GET", "user_id": nil, "client_id": nil,
		"is_m2m": false, "user_agent": "e2e", "ip_address": "127.0.0.1",
	} {
		assert.Equal(t, want, event[name], name)
	}
	assert.Equal(t, "jwt_authn", metadata["origin"])
	assert.Equal(t, "account", metadata["route"])
	assert.Nil(t, metadata["reason"], "it is Envoy's own")
	assert.Equal(t, http.StatusOK, get(c, p.Address("strict"), "/account/me", good).status)
}
