package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// verdict is a gate's response to a request, a row of the table of refusals in docs/reference.md.
type verdict struct {
	status int
	reason string // "" for admitted
	detail string // of a refusal's body
	event  string // the audit event's type
	// authenticate is the WWW-Authenticate header; "" for none.
	authenticate string
	counts       []string // series of /stats/prometheus that the request adds 1 to, beside those that follow from the rest
}

const (
	challenge    = `Bearer realm="gatehouse"`
	badChallenge = `Bearer realm="gatehouse", error="invalid_token"`
)

func admitted() verdict { return verdict{status: http.StatusOK, event: "auth_success"} }

// badToken is a 401 for a token that was there. A malformed one, or one of an unknown issuer, has
// no provider.
func badToken(reason string) verdict {
	provider := "main"
	if reason == "malformed_token" || reason == "token_too_large" || reason == "invalid_issuer" {
		provider = "none"
	}
	return badTokenOf(provider, reason)
}

// badTokenOf is badToken for a token of a provider.
func badTokenOf(provider, reason string) verdict {
	return verdict{
		http.StatusUnauthorized, reason, "Invalid token", "auth_failure", badChallenge,
		[]string{`gatehouse_tokens_failed_total{reason="` + reason + `",provider="` + provider + `"}`},
	}
}

func noToken() verdict {
	return verdict{http.StatusUnauthorized, "missing_token", "Authentication required", "auth_failure", challenge, nil}
}

func denied(reason, detail, authenticate string) verdict {
	return verdict{http.StatusForbidden, reason, detail, "access_denied", authenticate, nil}
}

// tokenCase is one request, and the verdict of each of the two gates.
type tokenCase struct {
	name         string
	method, path string // GET and / where empty
	headers      []string
	who          caller // the audit event's
	own          verdict
	behind       verdict // behind jwt_authn, where it differs; zero for the same
	cached       string  // gatehouse_token_cache_total's result at the gate that verifies; "" for none
	named        bool    // it is refused although its signature holds, and the event names its holder
	left         int     // of the limit of 100, when admitted; 0 for 99
}

// caller is the caller that the audit event names. The zero value is an unknown one.
type caller struct{ user, client, kind, evidence string }

func TestEveryKindOfTokenGetsItsVerdict(t *testing.T) {
	t.Parallel()
	issuer, upstream := startIssuer(t, shippedIssuer), startUpstream(t)
	// The JWK Set is inline, so that no request waits for a refetch.
	same := `{"audit": {"log": "info"}, "identity_headers": "none", "tokens": {"max_token_bytes": 4096}}`
	p := envoy.StartForTest(t, options(t, envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address()),
		envoy.MergePluginConfig("gate", same), envoy.MergePluginConfig("gate_envoy_jwt", same)))
	logged(t, p, 0, byEnvoy)

	c := client()
	for _, listener := range []string{"gate", "gate_envoy_jwt"} {
		t.Run(listener, func(t *testing.T) {
			before := prometheus(t, p)
			expected := map[string]int{}
			seen := audits{p: p, log: len(p.Log.Lines()), stdout: len(p.Stdout.Lines())}
			for _, test := range tokenCases(t, issuer, listener) {
				v := test.own
				if listener == "gate_envoy_jwt" && test.behind.status != 0 {
					v = test.behind
				}
				t.Run(test.name, func(t *testing.T) {
					a := exchange(c, test.method, p.Address(listener), test.path, append([]string{"User-Agent", "e2e"}, test.headers...)...)
					require.NoError(t, a.err)
					v.checkAnswer(t, a, cmp.Or(test.left, 99))
					seen.check(t, test, v)
				})
				for _, series := range v.series(test, listener) {
					expected[series]++
				}
			}
			// Counters may lag by a second.
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				now := prometheus(t, p)
				got := map[string]int{}
				for series, n := range now {
					if n -= before[series]; n != 0 && counted(series) {
						got[series] = n
					}
				}
				assert.Equal(c, expected, got)
			}, patience, 100*time.Millisecond)
		})
	}
}

// series are the counters that a verdict moves.
func (v verdict) series(test tokenCase, listener string) []string {
	decision := v.reason
	if decision == "" {
		decision = "admitted"
	}
	out := append([]string{
		fmt.Sprintf(`gatehouse_requests_total{route="%s",decision="%s"}`, routeOf(test.path), decision),
		fmt.Sprintf(`gatehouse_audit_events_total{event_type="%s"}`, v.event),
	}, v.counts...)
	if v.status != http.StatusUnauthorized {
		kind := test.who.kind
		out = append(out, fmt.Sprintf(`gatehouse_callers_total{caller="%s"}`, kind))
		if kind != "anonymous" {
			out = append(out, `gatehouse_tokens_validated_total{}`)
		}
		if v.status == http.StatusOK {
			out = append(out, `gatehouse_rate_limit_decisions_total{rule="per_caller",decision="admitted"}`)
		}
	}
	if listener == "gate" && test.cached != "" {
		out = append(out, `gatehouse_token_cache_total{result="`+test.cached+`"}`)
	}
	return out
}

// counted leaves out series that change without requests.
func counted(series string) bool {
	return !strings.HasPrefix(series, "gatehouse_jwks_") && !strings.HasPrefix(series, "gatehouse_validation_duration_us")
}

// routeOf names the route of envoy.yaml that a path takes.
func routeOf(path string) string {
	for _, name := range []string{"account", "batch", "public"} {
		if strings.HasPrefix(path, "/"+name) {
			return name
		}
	}
	return "rest"
}

// checkAnswer compares all of a refusal. Of an admitted request's response it compares the fields
// that Gatehouse adds.
func (v verdict) checkAnswer(t *testing.T, a answer, left int) {
	t.Helper()
	if !assert.Equal(t, v.status, a.status, "body %.40s", a.body) {
		return
	}
	got := map[string]string{}
	for name, values := range a.header {
		got[strings.ToLower(name)] = strings.Join(values, " | ")
	}
	for _, envoys := range []string{"date", "server", "x-envoy-upstream-service-time"} {
		delete(got, envoys)
	}
	if v.reason != "" {
		body := `{"detail": "` + v.detail + `"}`
		assert.Equal(t, body, a.body)
		want := map[string]string{
			"content-type": "application/json", "cache-control": "no-store", "content-length": strconv.Itoa(len(body)),
		}
		if v.authenticate != "" {
			want["www-authenticate"] = v.authenticate
		}
		assert.Regexp(t, `^[0-9a-f]{32}$`, got["x-gatehouse-event-id"]) // audits.check compares it with the event's
		delete(got, "x-gatehouse-event-id")
		assert.Equal(t, want, got)
		return
	}
	delete(got, "content-length") // the upstream's
	reset := 60
	if left < 99 {
		reset, _ = strconv.Atoi(got["x-ratelimit-reset"]) // until the first of them expires
		assert.True(t, 0 < reset && reset <= 60, reset)
	}
	assert.Equal(t, map[string]string{
		"x-ratelimit-limit": "100", "x-ratelimit-remaining": strconv.Itoa(left), "x-ratelimit-reset": strconv.Itoa(reset),
		"ratelimit-policy": `"per-caller";q=100;w=60`, "ratelimit": fmt.Sprintf(`"per-caller";r=%d;t=%d`, left, reset),
		"content-type": "application/json",
	}, got)
}

// audits reads a gate's audit lines from both places where they go.
type audits struct {
	p           *envoy.Process
	log, stdout int
}

var (
	timestamp = regexp.MustCompile(`^\{"timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)",`)
	eventID   = regexp.MustCompile(`"event_id":"([0-9a-f]{32})"`)
	duration  = regexp.MustCompile(`"duration_ms":(\d+)`)
	requestID = regexp.MustCompile(`"request_id":"([0-9a-f]{8}-[0-9a-f-]{27})"`)
)

// check compares the request's audit line, all of it, in Envoy's log and in its access log.
func (a *audits) check(t *testing.T, test tokenCase, v verdict) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var line, logged string
	var err error
	line, a.stdout, err = a.p.Stdout.Wait(ctx, a.stdout, func(string) bool { return true })
	require.NoError(t, err)
	logged, a.log, err = a.p.Log.Wait(ctx, a.log, func(l string) bool { return strings.Contains(l, `"event_id"`) })
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(logged, ": "+line), "the two lines differ:\n%s\n%s", logged, line)
	assert.Contains(t, logged, "][info][wasm]")

	vary := func(pattern *regexp.Regexp) string {
		m := pattern.FindStringSubmatch(line)
		require.NotNil(t, m, "%s in %s", pattern, line)
		return m[1]
	}
	at, err := time.Parse(time.RFC3339Nano, vary(timestamp))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), at, patience)

	null := func(s string) string {
		if s == "" {
			return "null"
		}
		return strconv.Quote(s)
	}
	who := test.who
	if v.status == http.StatusUnauthorized {
		// Whom a token names is recorded once its signature holds. What kind of caller that is was
		// never asked.
		who = caller{}
		if test.named {
			who = caller{user: test.who.user, client: test.who.client}
		}
	}
	issuer := ""
	if who.user != "" {
		issuer = shippedIssuer
	}
	required := ""
	if v.reason == "insufficient_scope" {
		required = `,"required":{"scopes_all":["jobs/write"]}`
	}
	assert.Equal(t, fmt.Sprintf(`{"timestamp":"%s","event_type":"%s","user_id":%s,"client_id":%s,"is_m2m":%t,"path":"%s","method":"%s",`+
		`"status_code":%d,"ip_address":"127.0.0.1","user_agent":"e2e","metadata":{"event_id":"%s","reason":%s,"route":"%s","rule":null,`+
		`"caller":%s,"issuer":%s,"m2m_evidence":%s,"duration_ms":%s,"request_id":"%s"%s}}`,
		vary(timestamp), v.event, null(who.user), null(who.client), who.kind == "machine", test.path, test.method,
		v.status, vary(eventID), null(v.reason), routeOf(test.path),
		null(who.kind), null(issuer), null(who.evidence), vary(duration), vary(requestID), required), line)
}

// prometheus reads Gatehouse's series, with the namespace's text as the key.
func prometheus(t *testing.T, p *envoy.Process) map[string]int {
	t.Helper()
	text, err := p.PrometheusText(t.Context())
	require.NoError(t, err)
	out := map[string]int{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "gatehouse_") {
			continue
		}
		series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		n, err := strconv.ParseFloat(value, 64)
		require.NoError(t, err, line)
		out[series+"}"] = int(n)
	}
	return out
}
