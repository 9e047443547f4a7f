package core_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/core/ratelimit/ratelimittest"
	"gatehouse/core/reason"
)

func TestHeadersOfALimit(t *testing.T) {
	g := open(t, anyone+`,"rate_limits":[{"name":"per-caller","max_requests":3,"window_seconds":60}]`)
	token := main(t).mint(t, nil)
	limits := func(d *core.Decision) []string {
		return []string{
			header(d.Response, "x-ratelimit-limit"), header(d.Response, "x-ratelimit-remaining"), header(d.Response, "x-ratelimit-reset"),
			header(d.Response, "ratelimit-policy"), header(d.Response, "ratelimit"), header(d.Response, "retry-after"),
		}
	}
	assert.Equal(t, []string{"3", "2", "60", `"per-caller";q=3;w=60`, `"per-caller";r=2;t=60`, ""}, limits(g.decide("GET /", token)))
	g.now = 1500 * time.Millisecond
	assert.Equal(t, []string{"3", "1", "59", `"per-caller";q=3;w=60`, `"per-caller";r=1;t=59`, ""}, limits(g.decide("GET /", token)))
	g.decide("GET /", token)
	g.now = 2 * time.Second
	d := g.decide("GET /", token)
	assert.Equal(t, reason.RateLimited, d.Reason)
	assert.Equal(t, []string{"3", "0", "58", `"per-caller";q=3;w=60`, `"per-caller";r=0;t=58`, "58"}, limits(d))
	assert.Equal(t, uint64(1), g.counts()["gatehouse_rate_limit_decisions_total.rule.per_caller.decision.limited"])
	g.now += 58 * time.Second
	assert.Equal(t, core.Admit, g.decide("GET /", token).Verdict)
}

func TestHeadersOfSeveralLimits(t *testing.T) {
	g := open(t, anyone+`,"rate_limits":[
		{"name":"two","windows":[{"max_requests":2,"window_seconds":1},{"max_requests":10,"window_seconds":60}]},
		{"name":"quiet","max_requests":1,"window_seconds":60,"shadow":true},
		{"name":"tight","max_requests":2,"window_seconds":10}]`)
	token := main(t).mint(t, nil)
	d := g.decide("GET /", token)
	assert.Equal(t, `"two-1";q=2;w=1, "two-60";q=10;w=60, "tight";q=2;w=10`, header(d.Response, "ratelimit-policy"))
	assert.Equal(t, `"two-1";r=1;t=1, "two-60";r=9;t=60, "tight";r=1;t=10`, header(d.Response, "ratelimit"))
	assert.Equal(t, "10", header(d.Response, "x-ratelimit-reset"), "of equals, the longest reset")

	g.decide("GET /", token)
	d = g.decide("GET /", token)
	assert.Equal(t, reason.RateLimited, d.Reason)
	assert.Equal(t, 0, d.Rule)
	assert.Equal(t, `"two-1";r=0;t=1, "two-60";r=8;t=60, "tight";r=0;t=10`, header(d.Response, "ratelimit"), "those not reached are looked at")
	assert.Equal(t, "10", header(d.Response, "retry-after"), "as long as any limit would refuse")
	counts := g.counts()
	assert.Equal(t, uint64(1), counts["gatehouse_rate_limit_decisions_total.rule.quiet.decision.admitted"])
	assert.Equal(t, uint64(1), counts["gatehouse_rate_limit_decisions_total.rule.quiet.decision.shadow_limited"])
	g.now = 10 * time.Second
	assert.Equal(t, core.Admit, g.decide("GET /", token).Verdict)
}

func TestALaterRefusalGivesEarlierChargesBack(t *testing.T) {
	g := open(t, anyone+`,"rate_limits":[
		{"name":"flood","max_requests":100,"window_seconds":60,"identifier":["ip"],"when":"before_auth"},
		{"name":"wide","max_requests":100,"window_seconds":60},
		{"name":"narrow","max_requests":1,"window_seconds":60}]`)
	token := main(t).mint(t, nil)
	g.decide("GET /", token)
	for range 5 {
		d := g.decide("GET /", token)
		assert.Equal(t, reason.RateLimited, d.Reason)
		assert.Contains(t, header(d.Response, "ratelimit"), `"wide";r=99;t=60`)
	}
	assert.Contains(t, header(g.decision.Response, "ratelimit"), `"flood";r=94;t=60`, "what is charged before authentication stays")
	assert.Contains(t, header(g.decide("GET /", "bad").Response, "ratelimit"), `"flood";r=93;t=60`)
}

func TestWhomALimitCounts(t *testing.T) {
	limit := func(fields string) string {
		return `"routes":[{"path":"/a"},{"path":"/free","auth":"none"},{"path":"/**","auth":"optional"}],"rate_limits":[{"name":"l","max_requests":1,"window_seconds":60,` + fields + `}]`
	}
	alice, bob := claims{"sub": "alice"}, claims{"sub": "bob"}
	machine := claims{"sub": "svc", "client_id": "svc", "email": nil}
	type call struct {
		line   string
		who    claims
		source string
		header string
	}
	anonymous := claims(nil)
	for _, c := range []struct {
		name, fields  string
		first, second call
		shared        bool
	}{
		{"the default is the user", `"caller":"any"`, call{"GET /", alice, "", ""}, call{"GET /", bob, "", ""}, false},
		{"wherever he comes from", `"caller":"any"`, call{"GET /", alice, "192.0.2.1:1", ""}, call{"GET /", alice, "192.0.2.9:1", ""}, true},
		{"and the address for the anonymous", `"caller":"any"`, call{"GET /", anonymous, "192.0.2.1:1", ""}, call{"GET /", anonymous, "192.0.2.1:2", ""}, true},
		{"a user can't be an address", `"caller":"any"`, call{"GET /", claims{"sub": "192.0.2.1"}, "192.0.2.1:1", ""}, call{"GET /", anonymous, "192.0.2.1:1", ""}, false},
		{"IPv6 addresses count by /64", `"identifier":["ip"]`, call{"GET /", anonymous, "[2001:db8::1]:1", ""}, call{"GET /", anonymous, "[2001:db8::ffff]:1", ""}, true},
		{"and no further", `"identifier":["ip"]`, call{"GET /", anonymous, "[2001:db8::1]:1", ""}, call{"GET /", anonymous, "[2001:db8:0:1::1]:1", ""}, false},
		{"prefixes are configurable", `"identifier":["ip"],"ip_prefix_v4":24`, call{"GET /", anonymous, "192.0.2.1:1", ""}, call{"GET /", anonymous, "192.0.2.200:1", ""}, true},
		{"elements together form the key", `"identifier":["user_id","route"]`, call{"GET /a", alice, "", ""}, call{"GET /b", alice, "", ""}, false},
		{"methods differ", `"identifier":["method"]`, call{"GET /", alice, "", ""}, call{"POST /", alice, "", ""}, false},
		{"global is everybody", `"identifier":["global"]`, call{"GET /", alice, "", ""}, call{"GET /", machine, "192.0.2.9:1", ""}, true},
		{"an absent element is a value of its own", `"identifier":["header:x-key"]`, call{"GET /", alice, "", ""}, call{"GET /", bob, "", ""}, true},
		{"and no empty one", `"identifier":["header:x-key"]`, call{"GET /", alice, "", ""}, call{"GET /", alice, "", "x-key: "}, false},
		{"claims", `"identifier":["claim:tenant"]`, call{"GET /", claims{"tenant": "a"}, "", ""}, call{"GET /", claims{"tenant": "b"}, "", ""}, false},
		{"machines only", `"caller":"machine","identifier":["global"]`, call{"GET /", machine, "", ""}, call{"GET /", alice, "", ""}, false},
		{"no limit on routes without authentication", `"identifier":["global"]`, call{"GET /free", nil, "", ""}, call{"GET /free", nil, "", ""}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := open(t, limit(c.fields))
			decide := func(c call) reason.Reason {
				token := ""
				if c.who != nil {
					token = main(t).mint(t, c.who)
				}
				r := g.request(c.line, token)
				if c.source != "" {
					r.Source = c.source
				}
				if c.header != "" {
					r.Headers = append(r.Headers, core.Header{Name: "x-key"})
				}
				g.Decide(r, &g.decision)
				return g.decision.Reason
			}
			require.Equal(t, reason.None, decide(c.first))
			want := reason.None
			if c.shared {
				want = reason.RateLimited
			}
			assert.Equal(t, want, decide(c.second))
		})
	}
}

func TestCostsAndNamedLimits(t *testing.T) {
	g := open(t, `"routes":[{"path":"/dear","cost":3},{"path":"/named","rate_limits":["special"]},
		{"path":"/only","rate_limits":["special"],"skip_rate_limits":["all"]},{"path":"/free","skip_rate_limits":["*"]},{"path":"/**"}],"rate_limits":[
		{"name":"all","max_requests":5,"window_seconds":60},{"name":"special","max_requests":1,"window_seconds":60,"apply":"by_name"}]`)
	token := main(t).mint(t, nil)
	assert.Equal(t, "2", header(g.decide("GET /dear", token).Response, "x-ratelimit-remaining"))
	assert.Equal(t, reason.RateLimited, g.decide("GET /dear", token).Reason)
	assert.Equal(t, "1", header(g.decide("GET /", token).Response, "x-ratelimit-remaining"))
	assert.Equal(t, `"all";q=5;w=60, "special";q=1;w=60`, header(g.decide("GET /named", token).Response, "ratelimit-policy"))
	assert.Equal(t, reason.RateLimited, g.decide("GET /named", token).Reason)
	assert.Equal(t, `"special";q=1;w=60`, header(g.decide("GET /only", token).Response, "ratelimit-policy"))
	assert.Empty(t, header(g.decide("GET /free", token).Response, "ratelimit-policy"))
}

func TestNewcomersFreeNobodyWhoseRestIsWorthNoRequest(t *testing.T) {
	g := open(t, `"routes":[{"path":"/dear","cost":4},{"path":"/**","cost":3}],"rate_limits":[
		{"name":"l","max_requests":5,"window_seconds":60,"identifier":["header:x-key"],"max_identifiers":1}]`)
	token := main(t).mint(t, nil)
	for i := range 100 {
		require.Equal(t, core.Admit, g.decide("GET /", token, fmt.Sprintf("x-key: %d", i)).Verdict)
	}
	for i := range 32 { // as many as there is room for
		assert.Equal(t, reason.RateLimited, g.decide("GET /", token, fmt.Sprintf("x-key: %d", i)).Reason, "caller %d", i)
	}
}

func TestRetryAfterKnowsThatChargesBeforeAuthenticationStay(t *testing.T) {
	g := open(t, anyone+`,"rate_limits":[
		{"name":"flood","max_requests":2,"window_seconds":60,"identifier":["ip"],"when":"before_auth"},
		{"name":"quiet","max_requests":1,"window_seconds":3600,"identifier":["ip"],"when":"before_auth","shadow":true},
		{"name":"narrow","max_requests":1,"window_seconds":10}]`)
	token := main(t).mint(t, nil)
	g.decide("GET /", token)
	g.now = time.Second
	d := g.decide("GET /", token)
	assert.Equal(t, reason.RateLimited, d.Reason)
	assert.Equal(t, 2, d.Rule)
	assert.Equal(t, `"flood";r=0;t=59, "narrow";r=0;t=9`, header(d.Response, "ratelimit"))
	assert.Equal(t, "59", header(d.Response, "retry-after"), "in 9 s the flood limit would refuse")
	g.now = 60 * time.Second
	assert.Equal(t, core.Admit, g.decide("GET /", token).Verdict)
}

func TestAClientThatObeysRetryAfterIsAdmittedAtOnce(t *testing.T) {
	g := open(t, anyone+`,"rate_limits":[
		{"name":"a","windows":[{"max_requests":3,"window_seconds":2},{"max_requests":7,"window_seconds":30}]},
		{"name":"b","max_requests":4,"window_seconds":7}]`)
	token := main(t).mint(t, claims{"exp": wall.Add(1000 * time.Hour).Unix()})
	waits := 0
	for i := range 5000 {
		d := g.decide("GET /", token)
		if d.Verdict == core.Admit {
			g.now += time.Duration(i*37%400) * time.Millisecond
			continue
		}
		var seconds int
		_, err := fmt.Sscan(header(d.Response, "retry-after"), &seconds)
		require.NoError(t, err)
		g.now += time.Duration(seconds) * time.Second
		require.Equal(t, core.Admit, g.decide("GET /", token).Verdict, "after %d waits", waits)
		waits++
	}
	assert.Greater(t, waits, 1000)
}

func TestAKeyOfWhateverElementsAllocatesNothing(t *testing.T) {
	g := openOn(t, ratelimittest.NewShared().Worker(), anyone+`,"rate_limits":[{"name":"all","max_requests":100000000,"window_seconds":60,
		"identifier":["user_id","client_id","ip","claim:tenant","header:x-team","route","method","host"]}]`)
	token := main(t).mint(t, claims{"client_id": "web", "tenant": strings.Repeat("t", 200)})
	r := g.request("GET /orders/7", token, "x-team: "+strings.Repeat("b", 200))
	once := func() { g.Decide(r, &g.decision) }
	for range 200 {
		once()
	}
	assert.Zero(t, testing.AllocsPerRun(100, once))
	assert.Equal(t, core.Admit, g.decision.Verdict)
}

func TestALimitByClaimsIsForCallersWithThem(t *testing.T) {
	for name, c := range map[string]struct {
		claims, plan any
		limited      bool
	}{
		"the value":       {`{"plan":["free"]}`, "free", true},
		"one of a list":   {`{"plan":["free","trial"]}`, []string{"x", "trial"}, true},
		"another value":   {`{"plan":["free"]}`, "gold", false},
		"no such claim":   {`{"plan":["free"]}`, nil, false},
		"a number":        {`{"plan":["3"]}`, 3, true},
		"one of two":      {`{"plan":["free"],"org":["a"]}`, "free", false},
		"a dotted path":   {`{"plan.name":["free"]}`, claims{"name": "free"}, true},
		"no claims asked": {`null`, "free", true},
	} {
		t.Run(name, func(t *testing.T) {
			limit := `{"name":"l","max_requests":1,"window_seconds":60`
			if c.claims != `null` {
				limit += `,"claims":` + c.claims.(string)
			}
			g := open(t, `"routes":[{"path":"/**","auth":"optional"}],"rate_limits":[`+limit+`}]`)
			token := main(t).mint(t, claims{"plan": c.plan})
			assert.Equal(t, core.Admit, g.decide("GET /", token).Verdict)
			assert.Equal(t, c.limited, g.decide("GET /", token).Reason == reason.RateLimited)
			if c.claims != `null` {
				assert.Empty(t, g.decide("GET /", "").LimitResults(), "an anonymous caller has no claims")
			}
		})
	}
}
