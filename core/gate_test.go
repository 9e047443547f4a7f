package core_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/core/jwks"
	"gatehouse/core/ratelimit/ratelimittest"
	"gatehouse/core/reason"
)

func TestTheZeroDecisionDenies(t *testing.T) {
	var d core.Decision
	assert.Equal(t, core.Deny, d.Verdict)
}

func TestAGoodTokenIsAdmittedAndTheUpstreamIsToldWhoCalls(t *testing.T) {
	g := open(t, anyone+`,"identity_headers":{"prefix":"x-gatehouse-","claims":["email","realm.level"]}`)
	token := main(t).mint(t, claims{
		"sub": "al%ice, ä", "client_id": "web", "scope": "read write", "groups": []string{"a,b", "c"}, "realm": map[string]any{"level": 3},
	})
	d := g.decide("GET /orders", token, "x-gatehouse-user-id: eve", "X_Gatehouse_Caller: machine", "x-gatehousekeeper: stays")
	require.Equal(t, core.Admit, d.Verdict)
	assert.Equal(t, []string{"x-gatehouse-user-id", "X_Gatehouse_Caller"}, d.Remove)
	assert.Equal(t, []core.Header{
		{Name: "x-gatehouse-user-id", Value: "al%25ice,%20%C3%A4"},
		{Name: "x-gatehouse-client-id", Value: "web"},
		{Name: "x-gatehouse-caller", Value: "human"},
		{Name: "x-gatehouse-issuer", Value: "https://idp.example"},
		{Name: "x-gatehouse-scopes", Value: "read,write"},
		{Name: "x-gatehouse-groups", Value: "a%2Cb,c"},
		{Name: "x-gatehouse-claim-email", Value: "a@example.com"},
		{Name: "x-gatehouse-claim-realm-level", Value: "3"},
	}, d.Set)
	assert.Equal(t, map[string]uint64{
		"gatehouse_tokens_validated_total":                     1,
		"gatehouse_token_cache_total.result.miss":              1,
		"gatehouse_requests_total.route.___.decision.admitted": 1,
		"gatehouse_callers_total.caller.human":                 1,
		"gatehouse_validation_duration_us":                     1,
	}, g.counts())
	g.decide("GET /orders", token)
	assert.Equal(t, uint64(1), g.counts()["gatehouse_token_cache_total.result.hit"])
}

func TestWhatAClientMayNotSendIsRemovedOnEveryRoute(t *testing.T) {
	g := open(t, `"routes":[{"path":"/open","auth":"none"},{"path":"/maybe","auth":"optional"}]`)
	for _, path := range []string{"/open", "/maybe"} {
		d := g.decide("GET "+path, "", "x-gatehouse-groups: admin")
		require.Equal(t, core.Admit, d.Verdict)
		assert.Equal(t, []string{"x-gatehouse-groups"}, d.Remove)
		assert.Equal(t, []core.Header{{Name: "x-gatehouse-caller", Value: "anonymous"}}, d.Set)
	}
}

func TestTheFirstFailureDecides(t *testing.T) {
	g := open(t, `"routes":[
		{"path":"/humans","caller":"human"},
		{"path":"/machines","caller":"machine"},
		{"path":"/scoped","scopes_all":["a","b"],"scopes_any":["c","d"],"groups_any":["g"],"claims":{"tenant":["x","7","true"]}},
		{"path":"/maybe","auth":"optional"},
		{"path":"/maybe-human","auth":"optional","caller":"human"},
		{"path":"/maybe-scoped","auth":"optional","scopes_any":["a"]}]`)
	human, machine := main(t).mint(t, nil), main(t).mint(t, claims{"email": nil, "sub": "svc", "client_id": "svc"})
	unknown := main(t).mint(t, claims{"email": nil, "client_id": "web"})
	all := claims{"scope": "a b c", "groups": "g", "tenant": "x"}
	with := func(name string, v any) string {
		c := claims{}
		for k, w := range all {
			c[k] = w
		}
		c[name] = v
		return main(t).mint(t, c)
	}
	for _, c := range []struct {
		line, token string
		reason      reason.Reason
	}{
		{"GET /humans", human, reason.None},
		{"GET /humans", machine, reason.HumanRequired},
		{"GET /humans", unknown, reason.HumanRequired},
		{"GET /machines", machine, reason.None},
		{"GET /machines", human, reason.MachineRequired},
		{"GET /machines", unknown, reason.MachineRequired},
		{"GET /scoped", with("scope", "a b d"), reason.None},
		{"GET /scoped", with("scope", "a c"), reason.InsufficientScope},
		{"GET /scoped", with("scope", "a b"), reason.InsufficientScope},
		{"GET /scoped", with("groups", []string{"h"}), reason.GroupRequired},
		{"GET /scoped", with("tenant", "y"), reason.ClaimRequired},
		{"GET /scoped", with("tenant", []any{"y", "x"}), reason.None},
		{"GET /scoped", with("tenant", 7), reason.None},
		{"GET /scoped", with("tenant", 7.0), reason.None},
		{"GET /scoped", with("tenant", true), reason.None},
		{"GET /scoped", with("tenant", nil), reason.ClaimRequired},
		{"GET /scoped", with("tenant", map[string]any{"x": 1}), reason.ClaimRequired},
		{"GET /maybe", "", reason.None},
		{"GET /maybe", "not-a-token", reason.MalformedToken},
		{"GET /maybe-human", "", reason.MissingToken},
		{"GET /maybe-human", human, reason.None},
		{"GET /maybe-human", machine, reason.HumanRequired},
		{"GET /maybe-scoped", "", reason.MissingToken},
		{"GET /maybe-scoped", human, reason.InsufficientScope},
		{"GET /nowhere", human, reason.NoRoute},
		{"GET /humans/../machines", human, reason.UnsafePath},
		{"GET /humans", "", reason.MissingToken},
		{"GET /humans", main(t).mint(t, claims{"exp": wall.Unix()}), reason.ExpiredToken},
		{"GET /humans", main(t).mint(t, claims{"iss": "https://other.example"}), reason.InvalidIssuer},
		{"GET /humans", main(t).mint(t, claims{"aud": "others"}), reason.InvalidAudience},
		{"GET /humans", main(t).mint(t, claims{"exp": nil}), reason.MissingClaim},
		{"GET /humans", newIssuer(t, "k1").mint(t, nil), reason.InvalidSignature},
		{"GET /humans", newIssuer(t, "k2").mint(t, nil), reason.UnknownKey},
	} {
		d := g.decide(c.line, c.token)
		assert.Equal(t, c.reason.String(), d.Reason.String(), "%s", c.line)
		assert.Equal(t, c.reason == reason.None, d.Verdict == core.Admit, "%s", c.line)
	}
}

func TestARefusalSaysNoMoreThanItsStatus(t *testing.T) {
	g := open(t, `"routes":[{"path":"/scoped","scopes_all":["a","b"]},{"path":"/**"}]`)
	d := g.decide("GET /x", "")
	assert.Equal(t, `Bearer realm="gatehouse"`, header(d.Response, "www-authenticate"))
	assert.Equal(t, "no-store", header(d.Response, "cache-control"))
	assert.Equal(t, "application/json", header(d.Response, "content-type"))
	assert.Equal(t, `{"detail": "Authentication required"}`, d.Reason.Body())

	d = g.decide("GET /x", "bad")
	assert.Equal(t, `Bearer realm="gatehouse", error="invalid_token"`, header(d.Response, "www-authenticate"))
	assert.Equal(t, `{"detail": "Invalid token"}`, d.Reason.Body())

	d = g.decide("GET /scoped", main(t).mint(t, claims{"scope": "a"}))
	assert.Equal(t, `Bearer realm="gatehouse", error="insufficient_scope", scope="a b"`, header(d.Response, "www-authenticate"))

	d = g.decide("GET /../x", "")
	assert.Empty(t, header(d.Response, "www-authenticate"))
}

func TestObserveModeRefusesNothingAndChargesNothingForIt(t *testing.T) {
	g := open(t, `"mode":"observe","routes":[{"path":"/machines","caller":"machine"},{"path":"/**"}],
		"rate_limits":[{"name":"ip","max_requests":2,"window_seconds":60,"identifier":["ip"],"when":"before_auth"},
			{"name":"one","max_requests":1,"window_seconds":60}]`)
	token := main(t).mint(t, nil)
	for range 5 {
		d := g.decide("GET /machines", token)
		require.Equal(t, core.Admit, d.Verdict)
		assert.Equal(t, reason.MachineRequired, d.WouldBe)
		assert.Equal(t, "2", header(d.Response, "x-ratelimit-remaining"))
	}
	assert.Equal(t, reason.None, g.decide("GET /", token).WouldBe)
	d := g.decide("GET /", token)
	assert.Equal(t, reason.RateLimited, d.WouldBe)
	assert.Equal(t, core.Admit, d.Verdict)
	assert.Equal(t, uint64(5), g.counts()["gatehouse_requests_total.route._machines.decision.would_be_machine_required"])
}

func TestPreflights(t *testing.T) {
	g := open(t, `"routes":[{"path":"/api/**","methods":["POST"],"cors_preflight":"pass"},{"path":"/**"}]`)
	preflight := []string{"origin: https://app.example", "access-control-request-method: POST"}
	assert.Equal(t, core.Admit, g.decide("OPTIONS /api/x", "", preflight...).Verdict)
	assert.Equal(t, reason.MissingToken, g.decide("OPTIONS /api/x", "", preflight[0]).Reason)
	assert.Equal(t, reason.MissingToken, g.decide("OPTIONS /api/x", "", preflight[1]).Reason)
	assert.Equal(t, reason.MissingToken, g.decide("OPTIONS /api/x", "", preflight[0], "access-control-request-method: DELETE").Reason)
	assert.Equal(t, reason.MissingToken, g.decide("OPTIONS /other", "", preflight...).Reason)
	assert.Equal(t, reason.MissingToken, g.decide("POST /api/x", "", preflight...).Reason)

	g = open(t, `"routes":[{"path":"/api/x","methods":["OPTIONS"],"caller":"human"},{"path":"/api/**","cors_preflight":"pass","rate_limits":["named"]}],
		"rate_limits":[{"name":"l","max_requests":1,"window_seconds":60},{"name":"named","max_requests":2,"window_seconds":60,"apply":"by_name"}]`)
	assert.Equal(t, reason.MissingToken, g.decide("OPTIONS /api/x", "", preflight...).Reason, "the first route that matches decides")
	for _, want := range []reason.Reason{reason.None, reason.None, reason.RateLimited} {
		assert.Equal(t, want, g.decide("OPTIONS /api/y", "", preflight...).Reason, "only the named limit counts preflights")
	}
}

func TestARequestWaitsForKeysThatAreOnTheirWay(t *testing.T) {
	token := main(t).mint(t, nil)
	set, err := jwks.Parse([]byte(main(t).set))
	require.NoError(t, err)
	remote := `"tokens":{"providers":[{"name":"main","issuer":"https://idp.example","audiences":["orders"],"algorithms":["RS256"],
		"jwks":{"cluster":"idp","uri":"https://idp.example/jwks"}}]},`

	g := open(t, remote+anyone+`,"rate_limits":[{"name":"ip","max_requests":1,"window_seconds":60,"identifier":["ip"],"when":"before_auth"}]`)
	g.remote.comes = true
	require.Equal(t, core.Wait, g.decide("GET /", token).Verdict)
	assert.Equal(t, 0, g.decision.WaitFor)
	g.remote.set = set
	g.Resume(g.request("GET /", token), &g.decision)
	assert.Equal(t, core.Admit, g.decision.Verdict, "the limit before authentication is charged once: %s", g.decision.Reason)

	g = open(t, remote+anyone)
	g.remote.comes = true
	require.Equal(t, core.Wait, g.decide("GET /", token).Verdict)
	g.Resume(g.request("GET /", token), &g.decision)
	assert.Equal(t, reason.KeysUnavailable, g.decision.Reason)
	assert.Equal(t, "1", header(g.decision.Response, "retry-after"))
	assert.NotContains(t, g.counts(), "gatehouse_tokens_failed_total.reason.unknown_key.provider.main", "it isn't the token's fault")

	g.remote.comes = false
	assert.Equal(t, reason.KeysUnavailable, g.decide("GET /", token).Reason)

	g.remote.set = set
	stranger := newIssuer(t, "k9").mint(t, nil)
	assert.Equal(t, reason.UnknownKey, g.decide("GET /", stranger).Reason)
	g.remote.comes = true
	assert.Equal(t, core.Wait, g.decide("GET /", stranger).Verdict)
}

func TestASignatureOfNoKeyAsksForAnotherSet(t *testing.T) {
	parse := func(i *issuer) *jwks.Set {
		set, err := jwks.Parse([]byte(i.set))
		require.NoError(t, err)
		return set
	}
	rotated := newIssuer(t, "k1") // another key under the same kid
	token := rotated.mint(t, nil)
	g := open(t, `"tokens":{"providers":[{"name":"main","issuer":"https://idp.example","audiences":["orders"],"algorithms":["RS256"],
		"jwks":{"cluster":"idp","uri":"https://idp.example/jwks"}}]},`+anyone)
	g.remote.set, g.remote.comes = parse(main(t)), true
	require.Equal(t, core.Wait, g.decide("GET /", token).Verdict)
	assert.Equal(t, reason.InvalidSignature, g.decision.WaitWhy)
	assert.Equal(t, []reason.Reason{reason.InvalidSignature}, g.remote.wanted)
	g.remote.set = parse(rotated)
	g.Resume(g.request("GET /", token), &g.decision)
	assert.Equal(t, core.Admit, g.decision.Verdict, "%s", g.decision.Reason)
	assert.Equal(t, core.Admit, g.decide("GET /", token).Verdict)

	// A set that has no new key doesn't help, and nobody waits twice.
	forged := newIssuer(t, "k1").mint(t, nil)
	require.Equal(t, core.Wait, g.decide("GET /", forged).Verdict)
	g.remote.set = parse(rotated)
	g.Resume(g.request("GET /", forged), &g.decision)
	assert.Equal(t, reason.InvalidSignature, g.decision.Reason)

	// The next request is tried with all keys again.
	require.Equal(t, core.Admit, g.decide("GET /", token).Verdict)
	g.remote.comes = false
	assert.Equal(t, reason.InvalidSignature, g.decide("GET /", forged).Reason)
}

func TestACachedTokenStillExpiresAndFollowsItsKey(t *testing.T) {
	g := open(t, anyone)
	token := main(t).mint(t, claims{"exp": wall.Add(time.Minute).Unix()})
	require.Equal(t, core.Admit, g.decide("GET /", token).Verdict)
	g.now = time.Minute - time.Nanosecond
	require.Equal(t, core.Admit, g.decide("GET /", token).Verdict)
	g.now = time.Minute
	assert.Equal(t, reason.ExpiredToken, g.decide("GET /", token).Reason)
}

func TestAFailureOfOurOwnIsARefusal(t *testing.T) {
	g := open(t, anyone)
	d := g.decide("GET /", main(t).mint(t, nil), "x-gatehouse-a: b")
	g.Fail(d)
	assert.Equal(t, core.Deny, d.Verdict)
	assert.Equal(t, reason.Internal, d.Reason)
	assert.Empty(t, d.Set)
	assert.Empty(t, d.Remove)
	assert.Equal(t, "1", header(d.Response, "retry-after"))
}

// admitted returns a function that takes one request with a token in the cache all the way to its
// audit event.
func admitted(t testing.TB) (*gate, func()) {
	t.Helper()
	// A store that copies into its own memory, as a proxy's shared data does.
	g := openOn(t, ratelimittest.NewShared().Worker(), anyone+`,"rate_limits":[{"name":"per-caller","max_requests":100000000,"window_seconds":60}]`)
	r := g.request("GET /orders/7?q=1", main(t).mint(t, nil), "user-agent: test", "x-request-id: 1")
	write := func([]byte) {}
	return g, func() {
		r.Wall, r.Mono = r.Wall+50_000, r.Mono+50_000
		g.Decide(r, &g.decision)
		g.Finish(&g.decision, core.Outcome{Status: 200, Details: "via_upstream", Mono: r.Mono}, write)
	}
}

func TestTheAdmittedPathWithACachedTokenAllocatesNothing(t *testing.T) {
	g, once := admitted(t)
	for range 2000 {
		once()
	}
	nothing := func(int, uint64) {}
	g.Flush(nothing, func(int64) {})
	for range 200 { // room for a run's counts
		once()
	}
	g.Flush(nothing, func(int64) {})
	assert.Zero(t, testing.AllocsPerRun(100, once))
	require.Equal(t, core.Admit, g.decision.Verdict)
}

func BenchmarkAdmittedWithACachedToken(b *testing.B) {
	benchmarkAdmitted(b, admitted)
}

// benchmarkAdmitted measures a decision, with what the filter does at each tick.
func benchmarkAdmitted(b *testing.B, prepare func(testing.TB) (*gate, func())) {
	b.Helper()
	g, once := prepare(b)
	nothing := func(int, uint64) {}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if once(); i%1000 == 0 {
			g.Flush(nothing, func(int64) {})
		}
	}
	require.Equal(b, core.Admit, g.decision.Verdict)
}
