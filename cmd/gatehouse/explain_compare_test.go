package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// compared finds a comparison in an answer.
func compared(t *testing.T, answer map[string]any, what string) (seen, configured any, ok bool) {
	t.Helper()
	for _, c := range answer["compared"].([]any) {
		if c := c.(map[string]any); c["what"] == what {
			return c["seen"], c["configured"], c["ok"].(bool)
		}
	}
	require.Fail(t, "not compared", "%s in %v", what, answer["compared"])
	return nil, nil, false
}

func twoProviders(t *testing.T, first, second issuer) string {
	t.Helper()
	return file(t, "gate.json", `{"tokens":{"providers":[
{"name":"main","issuer":"https://idp.example","audiences":["orders"],"algorithms":["RS256"],"jwks":{"inline":`+first.jwks+`}},
{"name":"other","issuer":"https://other.example","audiences":["orders","stock"],"algorithms":["RS256","ES256"],"required_claims":["tenant"],"jwks":{"inline":`+second.jwks+`}}]},
"routes":[
{"path":"/admin/**","groups_any":["admin"],"claims":{"tenant":["a","b"]}},
{"path":"/jobs/**","methods":["POST"],"caller":"machine","scopes_all":["jobs/write","jobs/read"]},
{"path":"/jobs/list","scopes_any":["jobs/read"]},
{"path":"/users/*/avatar","hosts":["*.example.com"]}]}`)
}

func TestExplainSetsSeenAgainstConfigured(t *testing.T) {
	idp, other := newIssuer(t), newIssuer(t)
	config := twoProviders(t, idp, other)
	ask := func(token string, args ...string) map[string]any {
		t.Helper()
		r := gatehouse(t, token, append([]string{"explain", "--config", config, "--at", "1000"}, args...)...)
		require.Equal(t, 0, r.code, r.err)
		return decoded(t, r.out)
	}
	list := func(s ...any) []any { return s }

	answer := ask(idp.sign(t, `{"iss":"https://idp.exmaple","exp":2000}`), "--path", "/admin/x")
	assert.Equal(t, "invalid_issuer", answer["reason"])
	seen, configured, ok := compared(t, answer, "issuer")
	assert.Equal(t, list("https://idp.exmaple"), seen)
	assert.Equal(t, list("https://idp.example", "https://other.example"), configured)
	assert.False(t, ok)

	answer = ask(other.sign(t, `{"iss":"https://other.example","aud":["a","b"],"exp":999,"tenant":5}`), "--path", "/admin/x")
	assert.Equal(t, "expired_token", answer["reason"])
	seen, configured, ok = compared(t, answer, "audience")
	assert.Equal(t, list("a", "b"), seen)
	assert.Equal(t, list("orders", "stock"), configured)
	assert.False(t, ok)
	seen, configured, ok = compared(t, answer, "expires")
	assert.Equal(t, list("1970-01-01T00:16:39Z"), seen)
	assert.Equal(t, list("after 1970-01-01T00:16:40Z"), configured)
	assert.False(t, ok)
	seen, _, ok = compared(t, answer, "claim tenant")
	assert.Equal(t, list("5"), seen)
	assert.True(t, ok)
	_, _, ok = compared(t, answer, "algorithm")
	assert.True(t, ok)

	answer = ask(newIssuer(t).sign(t, `{"iss":"https://idp.example","exp":2000}`), "--path", "/admin/x")
	assert.Equal(t, "invalid_signature", answer["reason"])
	seen, configured, ok = compared(t, answer, "key id")
	assert.Equal(t, list("k1"), seen)
	assert.Equal(t, list("k1"), configured)
	assert.True(t, ok, "the id is known, the signature isn't the key's")

	machine := idp.sign(t, `{"iss":"https://idp.example","aud":"orders","exp":2000,"sub":"job","client_id":"job","scope":"jobs/read","groups":["ops"],"tenant":"c"}`)
	answer = ask(machine, "--path", "/jobs/x", "--method", "POST")
	assert.Equal(t, "insufficient_scope", answer["reason"])
	seen, configured, ok = compared(t, answer, "scopes_all")
	assert.Equal(t, list("jobs/read"), seen)
	assert.Equal(t, list("jobs/write", "jobs/read"), configured)
	assert.False(t, ok)
	seen, configured, ok = compared(t, answer, "caller")
	assert.Equal(t, list("machine"), seen)
	assert.Equal(t, list("machine"), configured)
	assert.True(t, ok)

	answer = ask(machine, "--path", "/admin/x")
	assert.Equal(t, "group_required", answer["reason"])
	seen, configured, ok = compared(t, answer, "groups_any")
	assert.Equal(t, list("ops"), seen)
	assert.Equal(t, list("admin"), configured)
	assert.False(t, ok)
	seen, _, ok = compared(t, answer, "claim tenant")
	assert.Equal(t, list("c"), seen)
	assert.False(t, ok)
}

func TestExplainNamesTheRouteThatNearlyMatched(t *testing.T) {
	config := twoProviders(t, newIssuer(t), newIssuer(t))
	for _, test := range []struct {
		args   []string
		route  any // the matched one
		near   any
		lacked string
	}{
		{[]string{"--path", "/jobs/x"}, nil, "/jobs/**", `method "GET", want POST`},
		{[]string{"--path", "/jobs/list?x"}, "/jobs/list", "/jobs/**", `method "GET", want POST`},
		{[]string{"--path", "/jobs/x", "--method", "POST"}, "/jobs/**", nil, ""},
		{[]string{"--path", "/users/7/avatar"}, nil, "/users/*/avatar", `host "localhost", want *.example.com`},
		{[]string{"--path", "/users/7/photo", "--host", "a.example.com:80"}, nil, "/users/*/avatar", `segment 3 of the path is "photo", want "avatar"`},
		{[]string{"--path", "/users/7", "--host", "a.example.com"}, nil, "/users/*/avatar", "the path ends before /avatar"},
		{[]string{"--path", "/users/7/avatar/big", "--host", "a.example.com"}, nil, "/users/*/avatar", `the path goes on with "/big": /** at the end would match it`},
		{[]string{"--path", "/nothing/alike"}, nil, nil, ""},
	} {
		r := gatehouse(t, "", append([]string{"explain", "--config", config}, test.args...)...)
		require.Equal(t, 0, r.code, r.err)
		answer := decoded(t, r.out)
		route, _ := answer["route"].(map[string]any)
		assert.Equal(t, test.route, route["path"], test.args)
		near, _ := answer["nearest_route"].(map[string]any)
		assert.Equal(t, test.near, near["path"], test.args)
		if test.lacked != "" {
			assert.Equal(t, test.lacked, near["lacked"], test.args)
		}
	}
}

func TestExplainTakesAJWKSetForEachProvider(t *testing.T) {
	idp, other := newIssuer(t), newIssuer(t)
	config := twoProviders(t, newIssuer(t), newIssuer(t)) // neither has the keys
	first, second := file(t, "a=b.json", idp.jwks), file(t, "second.json", other.jwks)
	ask := func(token string, jwks ...string) string {
		args := []string{"explain", "--config", config, "--at", "1000", "--path", "/jobs/list"}
		for _, source := range jwks {
			args = append(args, "--jwks", source)
		}
		r := gatehouse(t, token, args...)
		require.Equal(t, 0, r.code, r.err)
		reason, _ := decoded(t, r.out)["reason"].(string)
		return reason
	}
	a := idp.sign(t, `{"iss":"https://idp.example","aud":"orders","exp":2000,"sub":"x","scope":"jobs/read"}`)
	b := other.sign(t, `{"iss":"https://other.example","aud":"stock","exp":2000,"sub":"x","tenant":"t","scope":"jobs/read"}`)
	assert.Equal(t, "invalid_signature", ask(a))
	for _, sources := range [][]string{{"main=" + first, "other=" + second}, {first, "other=" + second}, {"other=" + second, first}} {
		assert.Empty(t, ask(a, sources...), sources)
		assert.Empty(t, ask(b, sources...), sources)
	}
	assert.Equal(t, "invalid_signature", ask(b, first), "for all providers")
	r := gatehouse(t, a, "explain", "--config", config, "--path", "/x", "--jwks", first, "--jwks", second)
	assert.Equal(t, result{2, "", "gatehouse: --jwks: given twice for all providers\n"}, r)
}

func TestExplainReadsAnAuditEvent(t *testing.T) {
	config := twoProviders(t, newIssuer(t), newIssuer(t))
	event := func(metadata string) string {
		return `[2026-03-01 12:30:45] info wasm log gate: {"timestamp":"2026-03-01T12:30:45.123456Z","event_type":"access_denied","user_id":"job","client_id":"job","is_m2m":true,` +
			`"path":"/jobs/x","method":"POST","status_code":403,"ip_address":"192.0.2.7","user_agent":"curl","metadata":{"event_id":"e-1",` + metadata + `}}` + "\n"
	}
	ask := func(text string) map[string]any {
		t.Helper()
		r := gatehouse(t, text, "explain", "--config", config, "--event")
		require.Equal(t, 0, r.code, r.err)
		return decoded(t, r.out)
	}
	answer := ask(event(`"reason":"insufficient_scope","route":"/jobs/**","rule":null,"caller":"machine","issuer":"https://idp.example","m2m_evidence":"client-id-subject","required":{"scopes_all":["jobs/write"]}`))
	assert.Equal(t, "refused", answer["decision"])
	assert.Equal(t, 403.0, answer["status"])
	assert.Equal(t, "insufficient_scope", answer["reason"])
	assert.Equal(t, "the token lacks a scope that the route wants", answer["why"])
	assert.Equal(t, 1.0, answer["route"].(map[string]any)["index"])
	who := answer["caller"].(map[string]any)
	assert.Equal(t, "main", who["provider"])
	assert.Equal(t, "job", who["user_id"])
	_, configured, ok := compared(t, answer, "scopes_all")
	assert.Equal(t, []any{"jobs/write"}, configured)
	assert.False(t, ok)
	assert.Empty(t, answer["notes"])

	answer = ask(event(`"reason":"rate_limited","route":"gone\u001b[31m\u202e","rule":"per-caller","caller":"human","issuer":"https://nobody"`))
	assert.Equal(t, "a rate limit refuses (per-caller)", answer["why"])
	assert.Nil(t, answer["route"])
	assert.Equal(t, []any{`the configuration has no route "gone\x1b[31m\u202e": the event is of another configuration`,
		`the configuration has no rate limit "per-caller": the event is of another configuration`}, answer["notes"])
	_, _, ok = compared(t, answer, "issuer")
	assert.False(t, ok)

	answer = ask(event(`"reason":null,"route":"/jobs/list","would_be":"machine_required"`))
	assert.Equal(t, "admitted", answer["decision"])
	assert.Equal(t, "machine_required", answer["would_be"])
	assert.Contains(t, answer["why"], "admitted in observe mode; otherwise: ")
	assert.Len(t, answer["notes"], 1, "the route is for another path now")

	answer = ask(strings.Replace(event(`"reason":"no_route","route":null`), `"POST"`, `"PUT"`, 1))
	assert.Equal(t, `method "PUT", want POST`, answer["nearest_route"].(map[string]any)["lacked"])

	r := gatehouse(t, event(`"reason":"rate_limited","route":null,"rule":"\u007f\u0085\u200b"`), "explain", "--config", config, "--event")
	for _, c := range []string{"\x7f", "\u0085", "\u200b", "\x1b"} {
		assert.NotContains(t, r.out, c)
	}
}

func TestExplainRefusesWhatIsNoEvent(t *testing.T) {
	config := twoProviders(t, newIssuer(t), newIssuer(t))
	for in, want := range map[string]string{
		"":                            "event: want an audit event, a JSON object, on the standard input",
		"{":                           "event: not an audit event: malformed JSON",
		`{"a":1}`:                     "event: not an audit event: it has no event_type, or neither path nor method",
		`{"event_type":5,"path":"/"}`: "event: not an audit event: the member event_type is a number",
		`{"event_type":"audit_gap"}`:  "event: an audit_gap says that events were lost, it is about no request",
		`{"event_type":"request","path":"/"} {"event_type":"request","path":"/"}`: "event: want one audit event, got more",
	} {
		r := gatehouse(t, in, "explain", "--config", config, "--event")
		assert.Equal(t, result{2, "", "gatehouse: " + want + "\n"}, r, in)
	}
	r := gatehouse(t, "", "explain", "--config", config, "--event", "--path", "/x")
	assert.Equal(t, result{2, "", "gatehouse: --event: not together with --path, which the event tells or lacks\n"}, r)
}
