// Package envoytest has what tests of Gatehouse in Envoy share: a gate with an issuer, the audit
// events that it writes, its counters, and connections on which each byte is the test's own.
package envoytest

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

const (
	// IssuerName is the iss of the tokens.
	IssuerName = "https://idp.example"
	// Patience bounds each wait for an event that must happen. It is generous because CI machines
	// are slow.
	Patience = 60 * time.Second
	// Workers is how many an Envoy has.
	Workers = 2
)

// Long reports whether tests run for as long as the documented figures assume.
func Long() bool { return os.Getenv("GATEHOUSE_LONG") != "" }

// Gate is an Envoy with Gatehouse.
type Gate struct {
	*envoy.Process
	Issuer *toy.Issuer
	Events *Events
}

// Start starts the repository's envoy.yaml with [Workers] workers and the one gate "gate", which
// has a configuration. In it, JWKS stands for the issuer's JWK Set.
func Start(t *testing.T, config string, edits ...envoy.Edit) *Gate {
	t.Helper()
	issuer, err := toy.StartIssuer("", IssuerName)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	g := &Gate{Issuer: issuer, Events: NewEvents()}
	o := envoy.OptionsForTest(t)
	o.Concurrency = Workers
	o.OnStdout = g.Events.Add
	o.Edits = append([]envoy.Edit{
		envoy.RemoveListener("gate_envoy_jwt"), envoy.Endpoint("idp", issuer.Address()),
		envoy.PluginConfig("gate", strings.Replace(config, "JWKS", string(issuer.JWKS()), 1)),
	}, edits...)
	g.Process = envoy.StartForTest(t, o)
	return g
}

// Token returns a token of a person's, valid for an hour.
func (g *Gate) Token(t *testing.T, user string) string {
	t.Helper()
	return g.TokenFor(t, user, time.Hour)
}

// TokenFor returns a token of a person's with a lifetime.
func (g *Gate) TokenFor(t *testing.T, user string, lifetime time.Duration) string {
	t.Helper()
	token, err := g.Issuer.Sign(g.Issuer.Human(user, "orders", lifetime))
	require.NoError(t, err)
	return token
}

// Counter returns a counter of Gatehouse's, named as in Envoy without "wasmcustom.gatehouse_". It
// lags by up to a second.
func (g *Gate) Counter(t *testing.T, name string) uint64 {
	t.Helper()
	name = "wasmcustom.gatehouse_" + name
	stats, err := g.Stats(t.Context(), "^"+regexp.QuoteMeta(name)+"$")
	require.NoError(t, err)
	return stats[name]
}

// Counts waits until a counter has a value.
func (g *Gate) Counts(t *testing.T, name string, want uint64) {
	t.Helper()
	var got uint64
	for end := time.Now().Add(Patience); ; time.Sleep(100 * time.Millisecond) {
		if got = g.Counter(t, name); got == want {
			return
		}
		if got > want || time.Now().After(end) {
			require.Equal(t, want, got, name)
		}
	}
}

// Decided adds up gatehouse_requests_total over all routes and decisions.
func (g *Gate) Decided(t *testing.T) (n uint64) {
	t.Helper()
	stats, err := g.Stats(t.Context(), `^wasmcustom\.gatehouse_requests_total\.`)
	require.NoError(t, err)
	for _, count := range stats {
		n += count
	}
	return n
}

// Settled waits until no request is open, each of the requests that came has its event and all but
// the undecided have been decided. There must not be more of either. A request is undecided if its
// client leaves while keys are fetched.
func (g *Gate) Settled(t *testing.T, requests, undecided int) {
	t.Helper()
	require.Eventually(t, func() bool {
		stats, err := g.Stats(t.Context(), `^http\.gate\.downstream_rq_active$`)
		require.NoError(t, err)
		return stats["http.gate.downstream_rq_active"] == 0
	}, Patience, 50*time.Millisecond, "no request is open")
	require.Eventually(t, func() bool {
		return g.Decided(t) >= uint64(requests-undecided) && g.Events.Len() >= requests
	}, Patience, 100*time.Millisecond, "requests are decided, and have events")
	time.Sleep(counterLag)
	require.Equal(t, uint64(requests-undecided), g.Decided(t), "requests decided")
	require.Equal(t, requests, g.Events.Len(), "events")
}

// counterLag is by how much counters may lag (docs/reference.md).
const counterLag = time.Second

// Manager sets fields of a listener's HTTP connection manager, given in YAML.
func Manager(listener, text string) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		manager, err := b.ConnectionManager(listener)
		if err != nil {
			return err
		}
		return merge(manager, text)
	}
}

// Routes replaces the routes of the gate's only virtual host by those given in YAML.
func Routes(text string) envoy.Edit {
	indented := "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
	return Manager("gate", "route_config:\n  virtual_hosts:\n  - name: all\n    domains: ['*']\n    routes:\n"+indented)
}

// Cluster sets fields of a cluster, given in YAML.
func Cluster(name, text string) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		cluster, err := b.Cluster(name)
		if err != nil {
			return err
		}
		return merge(cluster, text)
	}
}

// merge goes through JSON, so that the fields are of the types that other edits expect.
func merge(target map[string]any, text string) error {
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(text), &fields); err != nil {
		return err
	}
	plain, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, &target)
}
