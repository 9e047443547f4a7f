package core_test

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	coreclaims "gatehouse/core/claims"
	"gatehouse/core/reason"
)

func TestTwoAuthorizationHeadersAreRefusedWhateverTheirSchemes(t *testing.T) {
	g := open(t, `"routes":[{"path":"/**","auth":"optional"}]`)
	for _, headers := range [][]string{
		{"authorization: Basic YTpi", "authorization: Basic YTpi"},
		{"authorization: ", "authorization: Basic YTpi"},
		{"authorization: Basic YTpi", "authorization: Bearer a.b.c"},
	} {
		assert.Equal(t, reason.MalformedToken, g.decide("GET /", "", headers...).Reason, headers)
	}
	assert.Equal(t, core.Admit, g.decide("GET /", "", "authorization: Basic YTpi").Verdict)
}

func TestTheIssuerChoosesAmongProvidersThatReadTheSameMetadata(t *testing.T) {
	from := func(name, more string) string {
		return `{"name":"` + name + `","issuer":"https://` + name + `","claims_from":{"envoy_metadata":{"filter":"f","key":"k"}}` + more + `}`
	}
	g := open(t, `"tokens":{"providers":[`+from("a", "")+`,`+from("b", `,"audiences":["orders"]`)+`]},"routes":[{"path":"/**"}]`)
	exp := strconv.FormatInt(wall.Unix()+60, 10)
	decide := func(doc string, failure reason.Reason) *core.Decision {
		r := g.request("GET /", "")
		r.External = func(int) core.ExternalClaims { return core.ExternalClaims{Failure: failure} }
		if doc != "" {
			set, err := coreclaims.Parse([]byte(doc))
			require.NoError(t, err)
			r.External = func(int) core.ExternalClaims { return core.ExternalClaims{Present: true, Claims: set} }
		}
		g.Decide(r, &g.decision)
		return &g.decision
	}
	d := decide(`{"iss":"https://b","sub":"x","aud":"orders","exp":`+exp+`}`, reason.None)
	require.Equal(t, reason.None, d.Reason)
	assert.Equal(t, 1, d.Principal.Provider)
	assert.Equal(t, reason.InvalidAudience, decide(`{"iss":"https://b","sub":"x","exp":`+exp+`}`, reason.None).Reason)
	assert.Equal(t, reason.InvalidIssuer, decide(`{"iss":"https://c","sub":"x","exp":`+exp+`}`, reason.None).Reason)
	assert.Equal(t, reason.InvalidIssuer, decide(`{"sub":"x","exp":`+exp+`}`, reason.None).Reason)
	assert.Equal(t, reason.ExpiredToken, decide("", reason.ExpiredToken).Reason)
	assert.Equal(t, reason.MissingToken, decide("", reason.None).Reason)
}

// Where each provider has a filter's metadata of its own, the filters that don't know the issuer
// say the least.
func TestTheReasonIsThatOfTheProviderThatKnowsTheIssuer(t *testing.T) {
	from := func(name string) string {
		return `{"name":"` + name + `","claims_from":{"envoy_metadata":{"filter":"f","key":"` + name + `"},"failed_status_key":"fail"}}`
	}
	g := open(t, `"tokens":{"providers":[`+from("a")+`,`+from("b")+`,`+from("c")+`]},"routes":[{"path":"/**"}]`)
	for _, failures := range [][]reason.Reason{
		{reason.InvalidIssuer, reason.ExpiredToken, reason.InvalidIssuer},
		{reason.ExpiredToken, reason.InvalidIssuer, reason.None},
		{reason.None, reason.InvalidIssuer, reason.ExpiredToken},
		{reason.ExpiredToken, reason.InvalidSignature, reason.None},
	} {
		r := g.request("GET /", "")
		r.External = func(i int) core.ExternalClaims { return core.ExternalClaims{Failure: failures[i]} }
		g.Decide(r, &g.decision)
		assert.Equal(t, reason.ExpiredToken, g.decision.Reason, failures)
	}
}

// Envoy's JWT filter finds the issuers that it doesn't have unknown, those of providers with keys
// of their own among them.
func TestATokenOfAnIssuerThatEnvoyDoesNotKnowMayBeOneOfOurs(t *testing.T) {
	envoys := `{"name":"envoys","issuer":"https://envoys","claims_from":{"envoy_metadata":{"filter":"f","key":"k"},"failed_status_key":"fail"}}`
	g := open(t, `"tokens":{"providers":[`+envoys+`,`+provider(t, "")+`]},"routes":[{"path":"/**","auth":"optional"}]`)
	decide := func(token string, failure reason.Reason) *core.Decision {
		r := g.request("GET /", token)
		r.External = func(int) core.ExternalClaims { return core.ExternalClaims{Failure: failure} }
		g.Decide(r, &g.decision)
		return &g.decision
	}
	ours := main(t).mint(t, nil)
	d := decide(ours, reason.InvalidIssuer)
	require.Equal(t, reason.None, d.Reason)
	assert.Equal(t, 1, d.Principal.Provider)

	assert.Equal(t, reason.ExpiredToken, decide(main(t).mint(t, claims{"exp": 1}), reason.InvalidIssuer).Reason)
	assert.Equal(t, reason.InvalidIssuer, decide(main(t).mint(t, claims{"iss": "https://other.example"}), reason.InvalidIssuer).Reason)
	assert.Equal(t, reason.InvalidIssuer, decide("", reason.InvalidIssuer).Reason, "Envoy found it where we don't look")
	for _, failure := range []reason.Reason{reason.ExpiredToken, reason.InvalidSignature, reason.MalformedToken, reason.KeysUnavailable} {
		assert.Equal(t, failure, decide(ours, failure).Reason, "of the issuer that Envoy knows")
	}
}

func TestANullClaimIsAbsentInALimitsKey(t *testing.T) {
	g := open(t, `"tokens":{"providers":[{"name":"m","claims_from":{"envoy_metadata":{"filter":"f","key":"k"}}}]},"routes":[{"path":"/**"}],
		"rate_limits":[{"name":"t","max_requests":1,"window_seconds":60,"identifier":["claim:tenant|user_id"]}]`)
	for _, sub := range []string{"alice", "bob"} {
		set, err := coreclaims.Parse([]byte(`{"sub":"` + sub + `","tenant":null,"exp":` + strconv.FormatInt(wall.Unix()+60, 10) + `}`))
		require.NoError(t, err)
		r := g.request("GET /", "")
		r.External = func(int) core.ExternalClaims { return core.ExternalClaims{Present: true, Claims: set} }
		g.Decide(r, &g.decision)
		assert.Equal(t, core.Admit, g.decision.Verdict, sub)
	}
}

// TestADecisionKeepsNothingOfTheRequest overwrites a request's memory, as a host may that reuses
// it.
func TestADecisionKeepsNothingOfTheRequest(t *testing.T) {
	g := open(t, `"tokens":{"forward_token":false,"token_from":[{"cookie":"session"},{"header":"x-token"}],"providers":[`+provider(t, "")+`]},
		"routes":[{"path":"/**","auth":"optional"}],"audit":{"headers":["x-trace"]}`)
	token := main(t).mint(t, nil)
	for _, test := range []struct {
		headers []string
		remove  []string
		set     []core.Header
	}{
		{[]string{"X_gatehouse-user-id: mallory"}, []string{"X_gatehouse-user-id"}, nil},
		{[]string{"x-token: " + token}, []string{"x-token"}, nil},
		{[]string{"cookie: theme=dark; session=" + token}, nil, []core.Header{{Name: "cookie", Value: "theme=dark"}}},
		{[]string{"cookie: session=" + token}, []string{"cookie"}, nil},
	} {
		r := g.request("GET /x", "", append(test.headers, "x-trace: 1", "user-agent: curl")...)
		var memory [][]byte
		own := func(s *string) {
			b := []byte(*s)
			memory = append(memory, b)
			*s = unsafe.String(unsafe.SliceData(b), len(b))
		}
		own(&r.Method)
		own(&r.Path)
		own(&r.Host)
		own(&r.Source)
		for i := range r.Headers {
			own(&r.Headers[i].Name)
			own(&r.Headers[i].Value)
		}
		g.Decide(r, &g.decision)
		for _, b := range memory {
			copy(b, strings.Repeat("!", len(b)))
		}
		require.Equal(t, core.Admit, g.decision.Verdict)
		assert.ElementsMatch(t, test.remove, g.decision.Remove)
		for _, h := range test.set {
			assert.Contains(t, g.decision.Set, h)
		}
		for _, event := range g.finish(core.Outcome{Status: 200}) {
			assert.Equal(t, "/x", event["path"])
			assert.Equal(t, "curl", event["user_agent"])
			assert.Equal(t, "1", event["metadata"].(map[string]any)["x-trace"])
		}
	}
}

func TestAnOpenStreamHoldsNoMoreOfItsRequestThanItsEventWillHave(t *testing.T) {
	g := open(t, `"routes":[{"path":"/**","auth":"none"}],"audit":{"max_field_bytes":64,"exclude_paths":["/quiet/**"]}`)
	long := strings.Repeat("é", 30_000)
	r := g.request("GET /loud/"+strings.Repeat("a", 60_000)+"?token=secret", "", "user-agent: "+long, "x-request-id: "+long)
	streams := make([]core.Decision, 200)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range streams {
		g.Decide(r, &streams[i])
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(len(streams)*8192))
	runtime.KeepAlive(streams)

	g.Decide(r, &g.decision)
	event := g.finish(core.Outcome{Status: 200})[0]
	assert.Equal(t, "/loud/"+strings.Repeat("a", 58), event["path"])
	assert.Equal(t, strings.Repeat("é", 32), event["user_agent"], "cut between two characters")
	assert.Empty(t, func() []map[string]any {
		g.Decide(g.request("GET /quiet/"+strings.Repeat("a", 60_000), ""), &g.decision)
		return g.finish(core.Outcome{Status: 200})
	}(), "the whole path is held against exclude_paths")
}

func TestARefusedStreamHoldsNoMoreOfItsTokenThanItsEventWillHave(t *testing.T) {
	g := open(t, `"tokens":{"providers":[`+provider(t, "")+`]},"routes":[{"path":"/**"}]`)
	streams := make([]core.Decision, 100)
	requests := make([]*core.Request, len(streams))
	for i := range requests {
		c := claims{"jti": strconv.Itoa(i), "exp": wall.Unix() - 1, "client_id": "c", "x": strings.Repeat("x", 11_000)}
		requests[i] = g.request("GET /", main(t).mint(t, c))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range streams {
		g.Decide(requests[i], &streams[i])
		require.Equal(t, reason.ExpiredToken, streams[i].Reason)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(len(streams)*8192))
	runtime.KeepAlive(streams)
	runtime.KeepAlive(requests)
}

// TestVerifiedTokensTakeTheirBoundWhateverTheyHold fills the cache with tokens whose claims make
// lists, headers and indexes larger than the token itself.
func TestVerifiedTokensTakeTheirBoundWhateverTheyHold(t *testing.T) {
	many := claims{}
	for i := range 900 {
		many["\n"+strconv.Itoa(i)] = 0
	}
	for name, c := range map[string]claims{
		"words":         {"scope": strings.Repeat("a ", 5500)},
		"spaces":        {"scope": strings.Repeat(" ", 11_000) + "a"},
		"scopes":        {"scope": slices.Repeat([]string{""}, 3500)},
		"groups":        {"groups": append(slices.Repeat([]string{""}, 3500), "a")},
		"text":          {"scope": strings.Repeat("é", 5500), "groups": strings.Repeat("%", 10)},
		"escaped names": many,
	} {
		t.Run(name, func(t *testing.T) {
			g := open(t, `"tokens":{"providers":[`+provider(t, "")+`]},"routes":[{"path":"/**"}],"identity_headers":{"prefix":"x-gatehouse-"}`)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for i := range 350 {
				c["jti"] = strconv.Itoa(i)
				require.Equal(t, reason.None, g.decide("GET /", main(t).mint(t, c)).Reason)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(20<<20))
			runtime.KeepAlive(g)
		})
	}
}

func TestAnEmptyCookieIsNoToken(t *testing.T) {
	g := open(t, `"tokens":{"token_from":[{"cookie":"session"}],"providers":[`+provider(t, "")+`]},"routes":[{"path":"/**","auth":"optional"}]`)
	for _, value := range []string{"session=", `session=""`, "a=b; session="} {
		assert.Equal(t, reason.None, g.decide("GET /", "", "cookie: "+value).Reason, value)
	}
	assert.Equal(t, reason.MalformedToken, g.decide("GET /", "", "cookie: session=x").Reason)
}

func TestAResetDecisionTellsNothingOfTheRequestBefore(t *testing.T) {
	g := open(t, `"routes":[{"path":"/**"}]`)
	require.Equal(t, core.Admit, g.decide("GET /private", main(t).mint(t, nil), "user-agent: curl").Verdict)
	g.decision.Reset()
	g.Fail(&g.decision)
	event := g.finish(core.Outcome{Status: 503})[0]
	assert.Equal(t, "request_error", event["event_type"])
	for _, member := range []string{"user_id", "client_id", "path", "user_agent"} {
		assert.Nil(t, event[member], member)
	}
	assert.Nil(t, event["metadata"].(map[string]any)["route"])
}
