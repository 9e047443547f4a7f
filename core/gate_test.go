package core_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/ratelimit"
	"gatehouse/core/ratelimit/ratelimittest"
)

// wall is the tests' present.
var wall = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// issuer mints tokens with an independent implementation.
type issuer struct {
	private jwk.Key
	set     string // its JWK Set
}

func newIssuer(t testing.TB, kid string) *issuer {
	t.Helper()
	raw, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	private, err := jwk.Import(raw)
	require.NoError(t, err)
	require.NoError(t, private.Set(jwk.KeyIDKey, kid))
	public, err := private.PublicKey()
	require.NoError(t, err)
	set := jwk.NewSet()
	require.NoError(t, set.AddKey(public))
	doc, err := json.Marshal(set)
	require.NoError(t, err)
	return &issuer{private, string(doc)}
}

// claims are a token's; nil values leave a default out.
type claims map[string]any

func (i *issuer) mint(t testing.TB, c claims) string {
	t.Helper()
	all := claims{"iss": "https://idp.example", "aud": "orders", "sub": "alice", "exp": wall.Add(time.Hour).Unix(), "email": "a@example.com"}
	for name, v := range c {
		all[name] = v
	}
	token := jwt.New()
	for name, v := range all {
		if v != nil {
			require.NoError(t, token.Set(name, v))
		}
	}
	signed, err := jwt.Sign(token, jwt.WithKey(jwa.RS256(), i.private))
	require.NoError(t, err)
	return string(signed)
}

var main = func() func(t testing.TB) *issuer {
	var one *issuer
	return func(t testing.TB) *issuer {
		if one == nil {
			one = newIssuer(t, "k1")
		}
		return one
	}
}()

// gate is a Gate with clocks that the test owns.
type gate struct {
	*core.Gate
	t        testing.TB
	now      time.Duration // since wall, on both clocks
	decision core.Decision
	remote   *remoteKeys
}

type remoteKeys struct {
	set    *jwks.Set
	wanted int
	comes  bool
}

func (r *remoteKeys) Keys(int) *jwks.Set        { return r.set }
func (r *remoteKeys) Want(int, int64) bool      { r.wanted++; return r.comes }
func provider(t testing.TB, more string) string { return providerOf(main(t), more) }

func providerOf(i *issuer, more string) string {
	return `{"name":"main","issuer":"https://idp.example","audiences":["orders"],"algorithms":["RS256"],"jwks":{"inline":` + i.set + `}` + more + `}`
}

// open makes a Gate; the configuration's members are given as JSON, without tokens the main issuer's are used.
func open(t testing.TB, members string) *gate {
	t.Helper()
	return openOn(t, ratelimit.NewMemoryStore(), members)
}

// openOn makes it over a store of the test's own.
func openOn(t testing.TB, store ratelimit.Store, members string) *gate {
	t.Helper()
	if !strings.Contains(members, `"tokens"`) {
		members = `"tokens":{"providers":[` + provider(t, "") + `]},` + members
	}
	cfg, err := config.Parse([]byte("{"+members+"}"), nil)
	require.NoError(t, err)
	g := &gate{t: t, remote: &remoteKeys{}}
	g.Gate, err = core.New(cfg, core.Host{
		Store: store, Remote: g.remote, Mono: func() int64 { return g.mono() + 7_000 },
		HashKey: [16]byte{1}, InstanceID: 0xabc,
	})
	require.NoError(t, err)
	return g
}

func (g *gate) mono() int64 { return int64(time.Hour + g.now) }

// request builds a request from "METHOD path" and headers; a token goes into authorization.
func (g *gate) request(line, token string, headers ...string) *core.Request {
	method, path, _ := strings.Cut(line, " ")
	r := &core.Request{
		Method: method, Path: path, Host: "api.example", Source: "192.0.2.1:4711",
		Wall: wall.Add(g.now).UnixNano(), Mono: g.mono(),
	}
	if token != "" {
		r.Headers = append(r.Headers, core.Header{Name: "authorization", Value: "Bearer " + token})
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Headers = append(r.Headers, core.Header{Name: name, Value: value})
	}
	return r
}

func (g *gate) decide(line, token string, headers ...string) *core.Decision {
	g.Decide(g.request(line, token, headers...), &g.decision)
	return &g.decision
}

// counts are the metrics that have counted something since the last call.
func (g *gate) counts() map[string]uint64 {
	out := map[string]uint64{}
	g.Flush(func(m int, n uint64) { out[g.Metrics().Def(m).Full] += n },
		func(m int, _ uint64) { out[g.Metrics().Def(m).Full]++ })
	return out
}

func header(list []core.Header, name string) string {
	var found []string
	for _, h := range list {
		if h.Name == name {
			found = append(found, h.Value)
		}
	}
	return strings.Join(found, " | ")
}

const anyone = `"routes":[{"path":"/**"}]`

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
		reason      core.Reason
	}{
		{"GET /humans", human, core.None},
		{"GET /humans", machine, core.HumanRequired},
		{"GET /humans", unknown, core.HumanRequired},
		{"GET /machines", machine, core.None},
		{"GET /machines", human, core.MachineRequired},
		{"GET /machines", unknown, core.MachineRequired},
		{"GET /scoped", with("scope", "a b d"), core.None},
		{"GET /scoped", with("scope", "a c"), core.InsufficientScope},
		{"GET /scoped", with("scope", "a b"), core.InsufficientScope},
		{"GET /scoped", with("groups", []string{"h"}), core.GroupRequired},
		{"GET /scoped", with("tenant", "y"), core.ClaimRequired},
		{"GET /scoped", with("tenant", []any{"y", "x"}), core.None},
		{"GET /scoped", with("tenant", 7), core.None},
		{"GET /scoped", with("tenant", 7.0), core.None},
		{"GET /scoped", with("tenant", true), core.None},
		{"GET /scoped", with("tenant", nil), core.ClaimRequired},
		{"GET /scoped", with("tenant", map[string]any{"x": 1}), core.ClaimRequired},
		{"GET /maybe", "", core.None},
		{"GET /maybe", "not-a-token", core.MalformedToken},
		{"GET /maybe-human", "", core.MissingToken},
		{"GET /maybe-human", human, core.None},
		{"GET /maybe-human", machine, core.HumanRequired},
		{"GET /maybe-scoped", "", core.MissingToken},
		{"GET /maybe-scoped", human, core.InsufficientScope},
		{"GET /nowhere", human, core.NoRoute},
		{"GET /humans/../machines", human, core.UnsafePath},
		{"GET /humans", "", core.MissingToken},
		{"GET /humans", main(t).mint(t, claims{"exp": wall.Unix()}), core.ExpiredToken},
		{"GET /humans", main(t).mint(t, claims{"iss": "https://other.example"}), core.InvalidIssuer},
		{"GET /humans", main(t).mint(t, claims{"aud": "others"}), core.InvalidAudience},
		{"GET /humans", main(t).mint(t, claims{"exp": nil}), core.MissingClaim},
		{"GET /humans", newIssuer(t, "k1").mint(t, nil), core.InvalidSignature},
		{"GET /humans", newIssuer(t, "k2").mint(t, nil), core.UnknownKey},
	} {
		d := g.decide(c.line, c.token)
		assert.Equal(t, c.reason.String(), d.Reason.String(), "%s", c.line)
		assert.Equal(t, c.reason == core.None, d.Verdict == core.Admit, "%s", c.line)
	}
}

func TestARefusalSaysNoMoreThanItsStatus(t *testing.T) {
	g := open(t, `"routes":[{"path":"/scoped","scopes_all":["a","b"]},{"path":"/**"}]`)
	d := g.decide("GET /x", "")
	assert.Equal(t, `Bearer realm="gatehouse"`, header(d.Response, "www-authenticate"))
	assert.Equal(t, "no-store", header(d.Response, "cache-control"))
	assert.Equal(t, "application/json", header(d.Response, "content-type"))
	assert.Equal(t, `{"detail": "Authentication required"}`, core.Body(d.Reason))

	d = g.decide("GET /x", "bad")
	assert.Equal(t, `Bearer realm="gatehouse", error="invalid_token"`, header(d.Response, "www-authenticate"))
	assert.Equal(t, `{"detail": "Invalid token"}`, core.Body(d.Reason))

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
		assert.Equal(t, core.MachineRequired, d.WouldBe)
		assert.Equal(t, "2", header(d.Response, "x-ratelimit-remaining"))
	}
	assert.Equal(t, core.None, g.decide("GET /", token).WouldBe)
	d := g.decide("GET /", token)
	assert.Equal(t, core.RateLimited, d.WouldBe)
	assert.Equal(t, core.Admit, d.Verdict)
	assert.Equal(t, uint64(5), g.counts()["gatehouse_requests_total.route._machines.decision.would_be_machine_required"])
}

func TestPreflights(t *testing.T) {
	g := open(t, `"routes":[{"path":"/api/**","methods":["POST"],"cors_preflight":"pass"},{"path":"/**"}]`)
	preflight := []string{"origin: https://app.example", "access-control-request-method: POST"}
	assert.Equal(t, core.Admit, g.decide("OPTIONS /api/x", "", preflight...).Verdict)
	assert.Equal(t, core.MissingToken, g.decide("OPTIONS /api/x", "", preflight[0]).Reason)
	assert.Equal(t, core.MissingToken, g.decide("OPTIONS /api/x", "", preflight[1]).Reason)
	assert.Equal(t, core.MissingToken, g.decide("OPTIONS /api/x", "", preflight[0], "access-control-request-method: DELETE").Reason)
	assert.Equal(t, core.MissingToken, g.decide("OPTIONS /other", "", preflight...).Reason)
	assert.Equal(t, core.MissingToken, g.decide("POST /api/x", "", preflight...).Reason)

	g = open(t, `"routes":[{"path":"/api/x","methods":["OPTIONS"],"caller":"human"},{"path":"/api/**","cors_preflight":"pass"}],
		"rate_limits":[{"name":"l","max_requests":2,"window_seconds":60}]`)
	assert.Equal(t, core.MissingToken, g.decide("OPTIONS /api/x", "", preflight...).Reason, "the first route that matches decides")
	for _, want := range []core.Reason{core.None, core.None, core.RateLimited} {
		assert.Equal(t, want, g.decide("OPTIONS /api/y", "", preflight...).Reason, "limits hold for preflights too")
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
	assert.Equal(t, core.KeysUnavailable, g.decision.Reason)
	assert.Equal(t, "1", header(g.decision.Response, "retry-after"))
	assert.NotContains(t, g.counts(), "gatehouse_tokens_failed_total.reason.unknown_key", "it isn't the token's fault")

	g.remote.comes = false
	assert.Equal(t, core.KeysUnavailable, g.decide("GET /", token).Reason)

	g.remote.set = set
	stranger := newIssuer(t, "k9").mint(t, nil)
	assert.Equal(t, core.UnknownKey, g.decide("GET /", stranger).Reason)
	g.remote.comes = true
	assert.Equal(t, core.Wait, g.decide("GET /", stranger).Verdict)
}

func TestACachedTokenStillExpiresAndFollowsItsKey(t *testing.T) {
	g := open(t, anyone)
	token := main(t).mint(t, claims{"exp": wall.Add(time.Minute).Unix()})
	require.Equal(t, core.Admit, g.decide("GET /", token).Verdict)
	g.now = time.Minute - time.Nanosecond
	require.Equal(t, core.Admit, g.decide("GET /", token).Verdict)
	g.now = time.Minute
	assert.Equal(t, core.ExpiredToken, g.decide("GET /", token).Reason)
}

func TestAFailureOfOurOwnIsARefusal(t *testing.T) {
	g := open(t, anyone)
	d := g.decide("GET /", main(t).mint(t, nil), "x-gatehouse-a: b")
	g.Fail(d)
	assert.Equal(t, core.Deny, d.Verdict)
	assert.Equal(t, core.Internal, d.Reason)
	assert.Empty(t, d.Set)
	assert.Empty(t, d.Remove)
	assert.Equal(t, "1", header(d.Response, "retry-after"))
}

// admitted returns a function that takes one request with a token in the cache all the way to its audit event.
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
	g.Flush(nothing, nothing)
	for range 200 { // room for a run's counts
		once()
	}
	g.Flush(nothing, nothing)
	assert.Zero(t, testing.AllocsPerRun(100, once))
	require.Equal(t, core.Admit, g.decision.Verdict)
}

// events are the audit lines of a decision's end.
func (g *gate) finish(o core.Outcome) (lines []map[string]any) {
	o.Mono = g.mono() + int64(3*time.Millisecond)
	g.Finish(&g.decision, o, func(line []byte) {
		assert.NotContains(g.t, string(line), "\n")
		var event map[string]any
		require.NoError(g.t, json.Unmarshal(line, &event))
		lines = append(lines, event)
	})
	return lines
}

func TestAnEventSaysWhoDidWhatAndHowItEnded(t *testing.T) {
	g := open(t, `"routes":[{"path":"/orders/**","name":"orders"}],"audit":{"claims":["tenant","gone","roles"],"headers":["x-team","tenant"]}`)
	token := main(t).mint(t, claims{"client_id": "web", "tenant": "t1", "roles": []string{"a"}})
	g.decide("GET /orders/7?token=secret", token, "user-agent: ua/1", "x-request-id: r-1", "x-team: blue", "tenant: forged")
	lines := g.finish(core.Outcome{Status: 201, Details: "via_upstream", Custom: []string{
		`{"event_type":"refund","amount":7,"user_id":"eve"}`, "", `{"event_type":"mail"}`,
	}})
	require.Len(t, lines, 3)
	metadata := map[string]any{
		"event_id": "0000000000000abc-0", "reason": nil, "rule": nil, "route": "orders", "caller": "human", "issuer": "https://idp.example", "m2m_evidence": "email",
		"duration_ms": 3.0, "request_id": "r-1", "tenant": "t1", "roles": []any{"a"}, "x-team": "blue", "header:tenant": "forged",
	}
	event := map[string]any{
		"timestamp": "2026-03-01T12:00:00.000000Z", "event_type": "auth_success", "user_id": "alice", "client_id": "web",
		"is_m2m": false, "path": "/orders/7", "method": "GET", "status_code": 201.0, "ip_address": "192.0.2.1",
		"user_agent": "ua/1", "metadata": metadata,
	}
	assert.Equal(t, event, lines[0])
	event["event_type"] = "refund"
	metadata["event_id"], metadata["amount"], metadata["user_id"] = "0000000000000abc-1", 7.0, "eve"
	assert.Equal(t, event, lines[1])
	event["event_type"], metadata["event_id"] = "mail", "0000000000000abc-2"
	delete(metadata, "amount")
	delete(metadata, "user_id")
	assert.Equal(t, event, lines[2], "nothing of the one before")
}

func TestWhichEventsAreRecorded(t *testing.T) {
	g := open(t, `"routes":[{"path":"/health","auth":"none"},{"path":"/quiet","auth":"none","audit":false},{"path":"/**"}],
		"audit":{"exclude_paths":["/health","/metrics/**"]}`)
	ok := core.Outcome{Status: 200, Details: "via_upstream"}
	token := main(t).mint(t, nil)
	for _, c := range []struct {
		line, token string
		out         core.Outcome
		types       []any
	}{
		{"GET /health", "", ok, nil},
		{"GET /health", "", core.Outcome{Status: 200, Details: "via_upstream", Custom: []string{`{"event_type":"probe"}`}}, []any{"probe"}},
		{"GET /quiet", "", ok, nil},
		{"GET /metrics/x", token, ok, nil},
		{"GET /metrics/x", "", core.Outcome{Status: 401}, []any{"auth_failure"}},
		{"GET /x", token, ok, []any{"auth_success"}},
		{"GET /x", token, core.Outcome{Status: 500, Details: "via_upstream"}, []any{"auth_success"}},
		{"GET /x", token, core.Outcome{}, []any{"request_error"}},
		{"GET /x", token, core.Outcome{Status: 503, Details: "upstream_reset_before_response_started{connection_failure}"}, []any{"request_error"}},
		{"GET /x", token, core.Outcome{Status: 429, Details: "request_rate_limited"}, []any{"rate_limited"}},
		{"GET /x", "", core.Outcome{Status: 401}, []any{"auth_failure"}},
		{"GET /x//y", "", core.Outcome{Status: 400}, []any{"access_denied"}},
		{"GET /x", token, core.Outcome{Status: 200, Details: "via_upstream", Custom: []string{`{"event_type":"auth_success"}`}}, []any{"auth_success"}},
	} {
		g.decide(c.line, c.token)
		var types []any
		for _, e := range g.finish(c.out) {
			types = append(types, e["event_type"])
		}
		assert.Equal(t, c.types, types, "%s %+v", c.line, c.out)
	}
}

func TestARequestThatAnotherFilterRefusedIsRecorded(t *testing.T) {
	g := open(t, anyone)
	g.Unseen(g.request("GET /x", "bad"), &g.decision)
	lines := g.finish(core.Outcome{Status: 401, Details: "jwt_authn_access_denied{Jwt_is_expired}"})
	require.Len(t, lines, 1)
	assert.Equal(t, "auth_failure", lines[0]["event_type"])
	assert.Equal(t, "jwt_authn", lines[0]["metadata"].(map[string]any)["origin"])
}

// TestAnEventHasTheSameRouteWhoeverDecided has the requests for which finding it takes more than the path as sent.
func TestAnEventHasTheSameRouteWhoeverDecided(t *testing.T) {
	g := open(t, `"unsafe_paths":"allow","routes":[{"path":"/a/**","name":"a","auth":"optional","methods":["PUT"],"cors_preflight":"pass"},
		{"path":"/a/**","name":"quiet","auth":"none","methods":["GET"],"audit":false},{"path":"/**","name":"rest","auth":"none"}]`)
	for _, c := range []struct {
		line    string
		headers []string
		route   any // nil for no event
	}{
		{"OPTIONS /a/1", []string{"origin: https://b", "access-control-request-method: PUT"}, "a"},
		{"PUT /b/../a//1", nil, "a"},
		{"GET /b/../a//1", nil, nil},
		{"GET //health", nil, nil}, // one of audit.exclude_paths
		{"GET //b", nil, "rest"},
	} {
		for how, see := range map[string]func(*core.Request, *core.Decision){"by the gate": g.Decide, "by another filter": g.Unseen} {
			see(g.request(c.line, "", c.headers...), &g.decision)
			var route any
			for _, line := range g.finish(core.Outcome{Status: 200, Details: "via_upstream"}) {
				route = line["metadata"].(map[string]any)["route"]
			}
			assert.Equal(t, c.route, route, "%s, decided %s", c.line, how)
		}
	}
}

func BenchmarkAdmittedWithACachedToken(b *testing.B) {
	g, once := admitted(b)
	nothing := func(int, uint64) {}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if once(); i%1000 == 0 { // as the filter does at each tick
			g.Flush(nothing, nothing)
		}
	}
	require.Equal(b, core.Admit, g.decision.Verdict)
}
