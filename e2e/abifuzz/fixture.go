package abifuzz

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"gatehouse/cmd/testbed/toy"
	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/ratelimit"
	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

const issuerName = "https://idp.example"

// window is longer than any window of the configuration: after it no charge is left.
const window = 10 * time.Second

// configuration is the filter's; $jwks stands for the issuer's keys.
const configuration = `{
  "tokens": {
    "providers": [
      {"name": "main", "issuer": "https://idp.example", "audiences": ["orders"], "algorithms": ["ES256"], "jwks": {"inline": %s}}
      %s
    ],
    "token_from": [{"header": "authorization", "scheme": "Bearer"}, {"cookie": "session"}]
  },
  "routes": [
    {"path": "/health", "auth": "none"},
    {"path": "/account/**", "caller": "human"},
    {"path": "/batch/**", "methods": ["POST"], "caller": "machine", "scopes_all": ["jobs/write"]},
    {"path": "/public/**", "auth": "optional"},
    {"path": "/cors/**", "cors_preflight": "pass", "cost": 2},
    {"path": "/tenants/**", "claims": {"tenant": ["a", "b"]}, "audit": false},
    {"path": "/named/*", "hosts": ["a.example"], "rate_limits": ["named"], "auth": "optional"},
    {"path": "/api/**"}
  ],
  "rate_limits": [
    {"name": "flood", "max_requests": 4, "window_seconds": 3, "identifier": ["ip"], "when": "before_auth"},
    {"name": "caller", "windows": [{"max_requests": 2, "window_seconds": 1}, {"max_requests": 3, "window_seconds": 5}]},
    {"name": "named", "max_requests": 1, "window_seconds": 2, "identifier": ["header:x-tenant|ip", "route"], "apply": "by_name"},
    {"name": "shadow", "max_requests": 2, "window_seconds": 4, "shadow": true, "max_identifiers": 4}
  ],
  "audit": {"headers": ["x-tenant", "user-agent"], "claims": ["tenant"], "max_field_bytes": 64},
  "identity_headers": {"claims": ["tenant"]}
}`

// foreignProvider is a second provider, whose claims another filter has verified.
const foreignProvider = `,{"name": "envoy", "claims_from": {"envoy_metadata": {"filter": "envoy.filters.http.jwt_authn", "key": "payload"}, "failed_status_key": "fail"}}`

// fixture is a host with the filter, and core with the same configuration.
type fixture struct {
	host  *hostsim.Host
	clock *hostsim.ManualClock
	// gate has limits, and the host's state; verdicts has no limits, and so no state.
	gate, verdicts *core.Gate
	tokens         []string
	// counts says how often core gave which verdict: the reason of a refusal, or "admitted".
	counts map[string]int

	mu sync.Mutex
	// fault is what becomes of host calls, nil for nothing.
	fault func(hostsim.HostCall) hostsim.Fault
	// faulty is set once a host call has failed: from then on the limits' states differ.
	faulty bool
	errors []string // logged without a fault
}

// newFixture starts a host. With foreign there is a provider that takes claims from metadata.
func newFixture(ctx context.Context, module *hostsim.Module, issuer *toy.Issuer, foreign bool) (*fixture, error) {
	f := &fixture{counts: map[string]int{}, clock: hostsim.NewManualClock(time.Now().Truncate(time.Second))}
	more := ""
	if foreign {
		more = foreignProvider
	}
	doc := fmt.Appendf(nil, configuration, issuer.JWKS(), more)
	var err error
	if f.gate, err = f.newGate(doc); err != nil {
		return nil, err
	}
	var members map[string]any
	if err := json.Unmarshal(doc, &members); err != nil {
		return nil, err
	}
	delete(members, "rate_limits")
	for _, route := range members["routes"].([]any) {
		delete(route.(map[string]any), "rate_limits")
	}
	unlimited, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	if f.verdicts, err = f.newGate(unlimited); err != nil {
		return nil, err
	}
	if f.tokens, err = mint(issuer); err != nil {
		return nil, err
	}
	f.host, err = hostsim.New(ctx, module, hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: "gate", VMID: "gatehouse", Config: doc}},
		Clock:   f.clock,
		Faults:  hostsim.Faults{HostCall: f.hostCall},
		Log:     f.log, LogLevel: abi.LogWarn,
	})
	return f, err
}

func (f *fixture) newGate(doc []byte) (*core.Gate, error) {
	cfg, err := config.Parse(doc, func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, err
	}
	return core.New(cfg, core.Host{
		Store: ratelimit.NewMemoryStore(), Mono: func() clock.Mono { return clock.Mono(f.clock.Monotonic()) }, HashKey: [16]byte{1}, InstanceID: 1,
	})
}

func (f *fixture) hostCall(call hostsim.HostCall) hostsim.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault == nil {
		return hostsim.Fault{}
	}
	fault := f.fault(call)
	f.faulty = f.faulty || fault.Status != abi.OK
	return fault
}

func (f *fixture) log(e hostsim.LogEntry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.faulty && e.Level >= abi.LogError {
		f.errors = append(f.errors, e.Message)
	}
}

// mint makes tokens, good and bad.
func mint(issuer *toy.Issuer) ([]string, error) {
	const forever = 200 * 365 * 24 * time.Hour
	good := issuer.Human("alice", "orders", forever)
	var tokens []string
	for _, claims := range []toy.Claims{
		good, good.With("tenant", "a"), issuer.Machine("nightly", "orders", forever, "jobs/write"), issuer.Claims("u-17", "orders", forever),
		good.With("exp", 1), good.With("nbf", 9e9), good.With("iss", "https://other.example"), good.With("aud", "others"), good.With("sub", 1001),
		good.Without("exp"), good.With("groups", []any{"a,b", "c"}).With("tenant", []any{"b", 1}),
	} {
		token, err := issuer.Sign(claims, toy.Algorithm("ES256"))
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, token)
	}
	return append(tokens, tokens[0][:len(tokens[0])-4]+"AAAA", tokens[0]+".x", "..", "a.b.c", "", "x y", "eyJhbGciOiJub25lIn0.e30."), nil
}
