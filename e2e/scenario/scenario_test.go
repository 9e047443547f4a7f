package scenario_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/toy"
	"gatehouse/e2e/scenario"
)

const common = `
configs: {default: {routes: [{path: /**}], tokens: {providers: [{name: main, jwks: {inline: $jwks}}]}}}
tokens: {alice: {claims: {sub: alice}}, base: {alg: ES256, claims: {a: 1, b: 2}, header: {typ: at+jwt}}}
callers: {alice: {user_id: alice, caller: human, issuer: "https://idp.example", evidence: email, headers: {scopes: a}}}
`

const one = `
scenarios:
- name: one
  config: {rate_limits: [{name: l}]}
  steps:
  - request: {path: "/x?q", token: alice, headers: ["User-Agent: u", "cookie: {token:alice}"]}
    expect: {status: 200, who: alice, event: auth_success, route: r, headers: {x-absent: null, retry-after: "5", x-like: "~a+"}, upstream: {":path": "/x?q"}, custom: [{event_type: own, metadata: {n: 1}}]}
  - request: {path: /x}
    expect: {status: 401, reason: missing_token, detail: Authentication required, event: auth_failure}
  metrics: {'gatehouse_requests_total{route="r",decision="admitted"}': 2}
`

func load(t *testing.T, files map[string]string) ([]*scenario.Scenario, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return scenario.Load(dir)
}

func loadOne(t *testing.T) *scenario.Scenario {
	t.Helper()
	all, err := load(t, map[string]string{"common.yaml": common, "a.yaml": one})
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

func line(kind, path, more string) string {
	return `{"timestamp":"2026-01-02T03:04:05.000006Z","event_type":"` + kind + `",` + more + `,"path":"` + path +
		`","method":"GET",`
}

// good is an observation that meets an exchange's expectations.
func good() *scenario.Observation {
	who := `"user_id":"alice","client_id":null,"is_m2m":false`
	const meta = `"event_id":"0123456789abcdef0123456789abcdef",`
	const end = `"duration_ms":3,"request_id":"5f0c1f5e-0000-4000-8000-000000000000"`
	admitted := `"status_code":200,"ip_address":"127.0.0.1","user_agent":"u","metadata":{` + meta +
		`"reason":null,"route":"r","rule":null,"caller":"human","issuer":"https://idp.example","m2m_evidence":"email",` + end
	return &scenario.Observation{
		Exchanges: [][]scenario.Exchange{
			{{
				Status: 200, Body: "upstream", Details: "via_upstream",
				Header: scenario.Header{"retry-after": {"5"}, "x-like": {"aa"}},
				Upstream: &scenario.Seen{Method: "GET", Path: "/x?q", Host: "h", Header: scenario.Header{
					"x-gatehouse-user-id": {"alice"}, "x-gatehouse-caller": {"human"}, "x-gatehouse-issuer": {"https://idp.example"},
					"x-gatehouse-scopes": {"a"}, "x-other": {"o"},
				}},
				Audit: []string{line("auth_success", "/x", who) + admitted + "}}", line("own", "/x", who) + admitted + `,"n":1}}`},
			}},
			{{
				Status: 401, Body: `{"detail": "Authentication required"}`, Details: "gatehouse_missing_token",
				Header: scenario.Header{"content-type": {"application/json"}, "cache-control": {"no-store"}, "www-authenticate": {`Bearer realm="gatehouse"`},
					"x-gatehouse-event-id": {"0123456789abcdef0123456789abcdef"}},
				Audit: []string{line("auth_failure", "/x", `"user_id":null,"client_id":null,"is_m2m":false`) +
					`"status_code":401,"ip_address":"127.0.0.1","user_agent":null,"metadata":{` + meta + `"reason":"missing_token","route":null,"rule":null,"caller":null,"issuer":null,"m2m_evidence":null,` + end + "}}"},
			}},
		},
		Metrics: map[string]uint64{`gatehouse_requests_total{decision="admitted",route="r"}`: 2},
		Log:     map[string]int{"info": 3},
	}
}

func TestAnObservationThatMeetsTheFileHasNoProblems(t *testing.T) {
	assert.Empty(t, loadOne(t).Check(scenario.Core, good()))
	assert.Empty(t, scenario.Compare(good(), good()))
}

func TestEveryDeviationIsAProblem(t *testing.T) {
	s := loadOne(t)
	for name, change := range map[string]func(o *scenario.Observation){
		"status":            func(o *scenario.Observation) { o.Exchanges[0][0].Status = 201 },
		"details":           func(o *scenario.Observation) { o.Exchanges[1][0].Details = "via_upstream" },
		"body of a refusal": func(o *scenario.Observation) { o.Exchanges[1][0].Body = "why" },
		"no challenge":      func(o *scenario.Observation) { delete(o.Exchanges[1][0].Header, "www-authenticate") },
		"another challenge": func(o *scenario.Observation) {
			o.Exchanges[1][0].Header["www-authenticate"][0] += `, error="invalid_token"`
		},
		"retry-after on a 401": func(o *scenario.Observation) { o.Exchanges[1][0].Header["retry-after"] = []string{"1"} },
		"gRPC status":          func(o *scenario.Observation) { o.Exchanges[1][0].Header["grpc-status"] = []string{"16"} },
		"header's value":       func(o *scenario.Observation) { o.Exchanges[0][0].Header["retry-after"][0] = "6" },
		"header's pattern":     func(o *scenario.Observation) { o.Exchanges[0][0].Header["x-like"][0] = "b" },
		"header twice":         func(o *scenario.Observation) { o.Exchanges[0][0].Header["x-like"] = []string{"aa", "aa"} },
		"header there":         func(o *scenario.Observation) { o.Exchanges[0][0].Header["x-absent"] = []string{""} },
		"header missing":       func(o *scenario.Observation) { delete(o.Exchanges[0][0].Header, "retry-after") },
		"refused, yet passed":  func(o *scenario.Observation) { o.Exchanges[1][0].Upstream = &scenario.Seen{} },
		"admitted, but lost":   func(o *scenario.Observation) { o.Exchanges[0][0].Upstream = nil },
		"upstream's path":      func(o *scenario.Observation) { o.Exchanges[0][0].Upstream.Path = "/y" },
		"identity header":      func(o *scenario.Observation) { o.Exchanges[0][0].Upstream.Header["x-gatehouse-caller"][0] = "machine" },
		"no identity header":   func(o *scenario.Observation) { delete(o.Exchanges[0][0].Upstream.Header, "x-gatehouse-scopes") },
		"smuggled identity": func(o *scenario.Observation) {
			o.Exchanges[0][0].Upstream.Header["x_gatehouse-groups"] = []string{"root"}
		},
		"event missing":      func(o *scenario.Observation) { o.Exchanges[1][0].Audit = nil },
		"event more":         func(o *scenario.Observation) { a := &o.Exchanges[1][0].Audit; *a = append(*a, (*a)[0]) },
		"event's order":      func(o *scenario.Observation) { a := o.Exchanges[0][0].Audit; a[0], a[1] = a[1], a[0] },
		"event's member":     replaceIn(0, `"user_id":"alice"`, `"user_id":"bob"`),
		"event's number":     replaceIn(1, `"n":1`, `"n":2`),
		"event's new member": replaceIn(0, `"route":"r"`, `"route":"r","new":1`),
		"event's key order":  replaceIn(0, `"client_id":null,"is_m2m":false`, `"is_m2m":false,"client_id":null`),
		"timestamp's shape":  replaceIn(0, "05.000006Z", "05.006Z"),
		"event id's shape":   replaceIn(0, "0123456789abcdef0123456789abcdef", "1"),
		"duration's shape":   replaceIn(0, `"duration_ms":3`, `"duration_ms":-3`),
		"no JSON":            replaceIn(0, `{"timestamp"`, `"timestamp"`),
		"counter": func(o *scenario.Observation) {
			o.Metrics["gatehouse_requests_total{decision=\"admitted\",route=\"r\"}"]++
		},
		"another counter":  func(o *scenario.Observation) { o.Metrics["gatehouse_other_total"] = 1 },
		"log level":        func(o *scenario.Observation) { o.Log = map[string]int{"warn": 3} },
		"lines in the log": func(o *scenario.Observation) { o.Log["info"]-- },
	} {
		o := good()
		change(o)
		assert.NotEmpty(t, s.Check(scenario.Envoy, o), name)
		assert.NotEmpty(t, scenario.Compare(good(), o), name)
		assert.NotEmpty(t, scenario.Compare(o, good()), name)
	}
	// No file mentions these members, but runners must not differ in them.
	for name, change := range map[string]func(o *scenario.Observation){
		"upstream's header": func(o *scenario.Observation) { o.Exchanges[0][0].Upstream.Header["x-other"][0] = "p" },
		"response header":   func(o *scenario.Observation) { o.Exchanges[0][0].Header["x-new"] = []string{"1"} },
		"upstream's method": func(o *scenario.Observation) { o.Exchanges[0][0].Upstream.Method = "PUT" },
		"body":              func(o *scenario.Observation) { o.Exchanges[0][0].Body = "other" },
		"histogram":         func(o *scenario.Observation) { o.Metrics["gatehouse_validation_duration_us_count"] = 1 },
	} {
		o := good()
		change(o)
		assert.NotEmpty(t, scenario.Compare(good(), o), name)
	}
}

func replaceIn(event int, from, to string) func(*scenario.Observation) {
	return func(o *scenario.Observation) {
		a := o.Exchanges[0][0].Audit
		before := a[event]
		if a[event] = strings.Replace(before, from, to, 1); a[event] == before {
			panic("nothing to replace: " + from)
		}
	}
}

func TestOnlyCountdownsMayBeOffAndOnlyWhenLate(t *testing.T) {
	for _, test := range []struct {
		name, a, b string
		late       time.Duration
		same       bool
	}{
		{"retry-after", "5", "4", 0, false},
		{"retry-after", "5", "4", scenario.OnTime, true},
		{"retry-after", "5", "3", scenario.OnTime, false},
		{"retry-after", "5", "3", 1500 * time.Millisecond, true},
		{"x-ratelimit-remaining", "5", "4", time.Minute, false},
		{"ratelimit", `"a";r=5;t=60`, `"a";r=5;t=59`, scenario.OnTime, true},
		{"ratelimit", `"a";r=5;t=60`, `"a";r=4;t=60`, time.Minute, false},
		{"ratelimit", `"a";r=5;t=60, "b";r=1;t=9`, `"a";r=5;t=60, "b";r=1;t=8`, scenario.OnTime, true},
		{"ratelimit", `"a";r=5;t=60, "b";r=1;t=9`, `"a";r=5;t=60`, time.Minute, false},
	} {
		exchange := func(value string, late time.Duration) *scenario.Observation {
			return &scenario.Observation{Exchanges: [][]scenario.Exchange{{{Header: scenario.Header{test.name: {value}}, Late: late}}}}
		}
		differ := scenario.Compare(exchange(test.a, 0), exchange(test.b, test.late))
		assert.Equal(t, test.same, len(differ) == 0, "%+v", test)
		assert.Equal(t, test.late >= scenario.OnTime, exchange("", test.late).Late())
	}
}

func TestStepsThatARunnerLeavesOutArentCompared(t *testing.T) {
	o := good()
	o.Exchanges[1], o.Metrics, o.Log = nil, nil, nil
	assert.Empty(t, scenario.Compare(good(), o))
	assert.Empty(t, loadOne(t).Check(scenario.Envoy, o))
}

func TestAFileThatSaysTooLittleIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"scenarios: [{name: a, stepz: []}]":                                                                                              "stepz not found",
		"scenarios: [{steps: [{request: {path: /}, expect: {}}]}]":                                                                       "no name",
		"scenarios: [{name: a}]":                                                                                                         "no steps",
		"scenarios: [{name: a, steps: [{request: {path: /}, expect: {}}]}]":                                                              "no metrics",
		"scenarios: [{name: a, metrics: {}, steps: [{expect: {}}]}]":                                                                     "no path",
		"scenarios: [{name: a, metrics: {}, steps: [{request: {path: /}}]}]":                                                             "no expectation",
		"scenarios: [{name: a, metrics: {}, base: x, steps: [{request: {path: /}, expect: {}}]}]":                                        "no configuration",
		"scenarios: [{name: a, metrics: {}, steps: [{request: {path: /}, expect: {who: x}}]}]":                                           "no caller",
		"scenarios: [{name: a, metrics: {}, steps: [{request: {path: /}, expect: {}, without: [envoy]}]}]":                               "want because",
		"scenarios: [{name: a, metrics: {}, steps: [{request: {path: /}, expect: {}, without: [x], because: b}]}]":                       "unknown runner",
		"scenarios: [{name: a, metrics: {}, without: {envoy: ''}, steps: [{request: {path: /}, expect: {}}]}]":                           "why not",
		"scenarios: [{name: a, metrics: {}, steps: [{at: 2, request: {path: /}, expect: {}}, {at: 1, request: {path: /}, expect: {}}]}]": "back in time",
		one + one[len("\nscenarios:\n"):]:                                                                                                `second scenario "one"`,
	} {
		_, err := load(t, map[string]string{"common.yaml": common, "a.yaml": text})
		assert.ErrorContains(t, err, want, text)
	}
}

func TestTheConfigurationIsMergedAndHasTheKeys(t *testing.T) {
	s := loadOne(t)
	doc, err := s.PluginConfig([]byte(`{"keys":[{"kty":"RSA"}]}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"routes":[{"path":"/**"}],"rate_limits":[{"name":"l"}],
		"tokens":{"providers":[{"name":"main","jwks":{"inline":{"keys":[{"kty":"RSA"}]}}}]}}`, string(doc))
	assert.Equal(t, []string{"l"}, s.Limits())
}

func TestTokensAreMintedNamedAndConcealed(t *testing.T) {
	issuer, err := toy.StartIssuer("", scenario.IssuerName)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	s := loadOne(t)
	s.Tokens = map[string]scenario.Token{"alice": {Like: "base", Claims: map[string]any{"b": nil, "exp": "+7"}, Header: map[string]any{"kid": nil}}}
	now := time.Unix(1_700_000_000, 0)
	m, err := s.Mint(issuer, now)
	require.NoError(t, err)
	payload, err := m.Payload("alice")
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(payload, &claims))
	assert.Equal(t, map[string]any{"iss": scenario.IssuerName, "aud": "orders", "a": 1.0, "iat": 1.7e9, "exp": 1.7e9 + 7}, claims)

	fields := s.Steps[0].Request.Fields(m)
	require.Len(t, fields, 3)
	assert.Equal(t, scenario.Field{Name: "cookie", Value: m.Tokens["alice"]}, fields[1])
	assert.Equal(t, scenario.Field{Name: "authorization", Value: "Bearer " + m.Tokens["alice"]}, fields[2])
	assert.Equal(t, "x {token:alice} y", m.Conceal("x "+m.Tokens["alice"]+" y"))

	s.Tokens = map[string]scenario.Token{"alice": {Like: "nobody"}}
	_, err = s.Mint(issuer, now)
	assert.ErrorContains(t, err, `no token "nobody"`)
}

func TestTheTableSaysWhoFailedAndWhatWasLeftOut(t *testing.T) {
	s := loadOne(t)
	s.File = "f"
	s.Without = map[string]string{scenario.Hostsim: "it hasn't got one"}
	s.Steps[1].Without, s.Steps[1].Because = []string{scenario.Envoy}, "no time"
	partial := good()
	partial.Exchanges[1] = nil
	text := scenario.Table([]*scenario.Row{{
		Scenario: s, Seen: map[string]*scenario.Observation{scenario.Core: good(), scenario.Envoy: partial},
		Failed: map[string]bool{scenario.Core: true},
	}})
	assert.Equal(t, `scenario | core   | hostsim | envoy            
f: one   | FAILED | -       | ok (1 of 2 steps)
not in hostsim: one: it hasn't got one
not in envoy: one, step 2: no time
`, text)
}

func TestSecretsAreFoundWhereverTheyAre(t *testing.T) {
	issuer, err := toy.StartIssuer("", scenario.IssuerName)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	s := loadOne(t)
	s.Env = map[string]string{"KEY": "a key of the environment"}
	s.Steps[0].Request.Headers = append(s.Steps[0].Request.Headers, "Cookie: a=1; session=0123456789")
	s.Config["audit"] = map[string]any{"chain": map[string]any{"hmac_key": "bGl0ZXJhbGx5IGluIHRoZSBjb25maWd1cmF0aW9u"}}
	m, err := s.Mint(issuer, time.Unix(1_700_000_000, 0))
	require.NoError(t, err)
	secrets := s.Secrets(m)
	token := m.Tokens["alice"]
	parts := strings.Split(token, ".")
	for name, text := range map[string]string{
		"a token":                 "x " + token + " y",
		"a part of the signature": "x" + parts[2][7:19] + "y",
		"a part of the claims":    parts[1][3:40],
		"a header":                parts[0],
		"a cookie":                "session=0123456789;",
		"a variable":              "got a key of the environment",
		"a part of a variable":    "got y of the environment",
		"a configured key":        "hmac_key bGl0ZXJhbGx5IGluIH",
	} {
		t.Run(name, func(t *testing.T) {
			assert.NotEmpty(t, secrets.Find("here", text))
			o := good()
			o.Leaks = secrets.FindExchange(&scenario.Exchange{Audit: []string{text}})
			assert.NotEmpty(t, s.Check(scenario.Core, o))
		})
	}
	assert.Empty(t, secrets.Find("here", `{"user_id":"alice","path":"/x","user_agent":"u","metadata":{"issuer":"https://idp.example"}}`))
	assert.Empty(t, secrets.FindExchange(&scenario.Exchange{Body: token, Upstream: &scenario.Seen{}}), "an upstream may say what it likes")
	assert.NotEmpty(t, secrets.FindExchange(&scenario.Exchange{Body: token}))
}
