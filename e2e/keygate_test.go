package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// keyGate is a gate with its own issuer, in an Envoy that several gates share.
type keyGate struct {
	name   string
	issuer *toy.Issuer
	p      *envoy.Process
}

func (g *keyGate) address() string { return g.p.Address(g.name) }

// token is a good one.
func (g *keyGate) token(t *testing.T, options ...toy.SignOption) string {
	t.Helper()
	return sign(t, g.issuer, g.issuer.Human("alice", "orders", time.Hour), options...)
}

// fetches reads the counter of one result, which may lag by a second.
func (g *keyGate) fetches(t *testing.T, result string) int {
	t.Helper()
	stats, err := g.p.Stats(t.Context(), `gatehouse_jwks_fetches_total\.provider\.`+g.name+`\.result\.`+result)
	require.NoError(t, err)
	return int(stats["wasmcustom.gatehouse_jwks_fetches_total.provider."+g.name+".result."+result])
}

// keySetup is how a keyGate begins.
type keySetup struct {
	settings string // members of "jwks", beside cluster and uri
	cluster  string // in YAML, with NAME and PORT filled in; "" for one that leads to the issuer, "none" for none
	server   string // "host:port" that stands in for the issuer; "" for the issuer itself
	prepare  func(*toy.Issuer)
	edit     func(listener map[string]any) // of the listener; nil for none
}

const staticCluster = `{name: NAME, load_assignment: {cluster_name: NAME, endpoints: [{lb_endpoints: [{endpoint:
  {address: {socket_address: {address: 127.0.0.1, port_value: PORT}}}}]}]}}`

// startKeyGates starts one Envoy with a gate for each setup.
func startKeyGates(t *testing.T, setups map[string]keySetup) map[string]*keyGate {
	t.Helper()
	upstream := startUpstream(t)
	gates := map[string]*keyGate{}
	edits := []envoy.Edit{envoy.Endpoint("upstream", upstream.Address()), roomyUpstream}
	for name, setup := range setups {
		issuer := startIssuer(t, shippedIssuer)
		if setup.prepare != nil {
			setup.prepare(issuer)
		}
		gates[name] = &keyGate{name: name, issuer: issuer}
		config := fmt.Sprintf(`{
			"tokens": {"providers": [{"name": %q, "issuer": %q, "audiences": ["orders"], "algorithms": ["RS256", "ES256"],
				"jwks": {"cluster": %q, "uri": "http://idp.example/jwks.json"%s}}]},
			"routes": [{"path": "/**"}], "rate_limits": null}`, name, shippedIssuer, name, setup.settings)
		edits = append(edits, envoy.CopyListener("gate", name), envoy.MergePluginConfig(name, config), statPrefix(name))
		if setup.edit != nil {
			edits = append(edits, func(b envoy.Bootstrap) error {
				listener, err := b.Listener(name)
				if err == nil {
					setup.edit(listener)
				}
				return err
			})
		}
		if setup.cluster == "none" {
			continue
		}
		address := setup.server
		if address == "" {
			address = issuer.Address()
		}
		_, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		cluster := setup.cluster
		if cluster == "" {
			cluster = staticCluster
		}
		edits = append(edits, envoy.AddCluster(strings.NewReplacer("NAME", name, "PORT", port).Replace(cluster)))
	}
	// The shipped gates only serve as patterns.
	edits = append(edits, envoy.RemoveListener("gate"), envoy.RemoveListener("gate_envoy_jwt"))
	p := envoy.StartForTest(t, options(t, edits...))
	for _, gate := range gates {
		gate.p = p
	}
	return gates
}

// roomyUpstream lets more requests through at once than may wait for a set: by default Envoy
// answers those beyond 1,024 with 503.
func roomyUpstream(b envoy.Bootstrap) error {
	cluster, err := b.Cluster("upstream")
	if err == nil {
		const most = 10_000
		cluster["circuit_breakers"] = map[string]any{"thresholds": []any{map[string]any{
			"max_connections": most, "max_pending_requests": most, "max_requests": most,
		}}}
	}
	return err
}

// statPrefix names the statistics of a listener's connection manager after the listener.
func statPrefix(listener string) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		manager, err := b.ConnectionManager(listener)
		if err == nil {
			manager["stat_prefix"] = listener
		}
		return err
	}
}

// onBothWorkers asks over so many connections, one after the other, that no worker is left out.
func onBothWorkers(address, token string) (statuses map[int]int) {
	statuses = map[int]int{}
	for range 16 {
		c := client()
		statuses[get(c, address, "/", token).status]++
		c.CloseIdleConnections()
	}
	return statuses
}

// deadAddress is an address where no program listens: the system never hands out port 1, and
// listening on it needs privileges.
const deadAddress = "127.0.0.1:1"

// restart brings an issuer back. It tries again if a client's connection has taken the port
// meanwhile.
func restart(t *testing.T, issuer *toy.Issuer) {
	t.Helper()
	require.Eventually(t, func() bool { return issuer.Restart() == nil }, patience, 50*time.Millisecond)
}

// patient is the fetch timeout of gates whose fetches are answered. It is long, for slow machines,
// but shorter than patience.
const patient = `, "timeout_seconds": 30`

// keyServer serves an issuer's JWK Set in its place, once it is opened, and records when it was
// asked.
type keyServer struct {
	*httptest.Server
	opened chan struct{}
	body   func() []byte

	mu sync.Mutex
	at []time.Time
}

func startKeyServer(t *testing.T, cacheControl string) *keyServer {
	t.Helper()
	k := &keyServer{opened: make(chan struct{})}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		k.at = append(k.at, time.Now())
		k.mu.Unlock()
		select {
		case <-k.opened:
			w.Header().Set("Cache-Control", cacheControl)
			_, _ = w.Write(k.body())
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(k.Close)
	return k
}

// open lets the server answer with an issuer's set.
func (k *keyServer) open(issuer *toy.Issuer) {
	k.body = issuer.JWKS
	close(k.opened)
}

func (k *keyServer) fetches() []time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.at)
}
