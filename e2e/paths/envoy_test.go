package paths_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
	"gatehouse/core/policy/policytest"
)

const config = `{"tokens": {"providers": [{"name": "main", "issuer": "http://127.0.0.1:10080", "audiences": ["orders"], "algorithms": ["RS256"],
	"jwks": {"cluster": "idp", "uri": "http://127.0.0.1:10080/jwks.json"}}]},
	"routes": [{"path": "/admin/**"}, {"path": "/**", "auth": "none"}], "audit": {"log": "none"}%s}`

// gates are listeners of one Envoy: with the shipped settings for paths, with those that tidy a
// path first, and with all that Gatehouse can be told to let pass.
var gates = []struct {
	name, more  string
	ignoresCase bool
	settings    map[string]any // of the connection manager
}{
	{"shipped", "", false, nil},
	{"tidied", "", false, map[string]any{
		"normalize_path": true, "merge_slashes": true, "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
	}},
	{"lenient", `, "unsafe_paths": "allow", "path_case": "ignore"`, true, nil},
	{"tidied and lenient", `, "unsafe_paths": "allow", "path_case": "ignore"`, true, map[string]any{
		"normalize_path": true, "merge_slashes": true, "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
	}},
}

// TestNoSpellingGetsThroughEnvoyToAProtectedResource sends the corpus without a token through
// Gatehouse in Envoy. What it admits goes to every real server.
func TestNoSpellingGetsThroughEnvoyToAProtectedResource(t *testing.T) {
	issuer, err := toy.StartIssuer("", "http://127.0.0.1:10080")
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	o := envoy.OptionsForTest(t)
	o.Edits = []envoy.Edit{envoy.RemoveListener("gate_envoy_jwt"), envoy.Endpoint("idp", issuer.Address())}
	for i, s := range servers {
		o.Edits = append(o.Edits, envoy.AddCluster(fmt.Sprintf("{name: server-%d, load_assignment: {}}", i)),
			envoy.Endpoint(fmt.Sprintf("server-%d", i), s.start(t)))
	}
	for _, g := range gates {
		o.Edits = append(o.Edits, envoy.CopyListener("gate", g.name), envoy.PluginConfig(g.name, fmt.Sprintf(config, g.more)), toServers(g.name, g.settings))
	}
	o.Edits = append(o.Edits, envoy.RemoveListener("gate"))
	p := envoy.StartForTest(t, o)
	token, err := issuer.Sign(issuer.Human("alice", "orders", time.Hour))
	require.NoError(t, err)

	for _, g := range gates {
		t.Run(g.name, func(t *testing.T) {
			to := p.Address(g.name)
			for i, s := range servers {
				answer, err := ask(to, policytest.Resource, "host: gate", fmt.Sprintf("x-server: %d", i), "authorization: Bearer "+token)
				require.NoError(t, err)
				assert.Contains(t, answer, secret, "with a token, from %s: the test would prove nothing", s.name)
			}
			var admitted atomic.Int64
			var asking sync.WaitGroup
			const parallel = 4
			for n := range parallel {
				asking.Go(func() {
					for i := n; i < len(policytest.Spellings()); i += parallel {
						spelling := policytest.Spellings()[i]
						for j, s := range servers {
							if s.ignoresCase && !g.ignoresCase {
								continue
							}
							answer, err := ask(to, spelling, "host: gate", fmt.Sprintf("x-server: %d", j))
							assert.NoError(t, err, "%q", spelling)
							if !strings.Contains(answer, "x-envoy-upstream-service-time") {
								break // refused: the server doesn't matter
							}
							admitted.Add(1)
							assert.NotContains(t, answer, secret, "%q gets to %s", spelling, s.name)
						}
					}
				})
			}
			asking.Wait()
			t.Logf("%d requests admitted", admitted.Load())
			assert.Greater(t, admitted.Load(), int64(300))
		})
	}
}

// toServers routes a listener's requests to the server that they name, and changes settings of its
// connection manager.
func toServers(listener string, settings map[string]any) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		manager, err := b.ConnectionManager(listener)
		if err != nil {
			return err
		}
		manager["delayed_close_timeout"] = "0s" // else each answer of Envoy's own keeps its connection for a second
		for name, value := range settings {
			manager[name] = value
		}
		var routes []any
		for i := range servers {
			routes = append(routes, map[string]any{
				"match": map[string]any{"prefix": "/", "headers": []any{map[string]any{
					"name": "x-server", "string_match": map[string]any{"exact": fmt.Sprint(i)},
				}}},
				"route": map[string]any{"cluster": fmt.Sprintf("server-%d", i)},
			})
		}
		manager["route_config"] = map[string]any{"virtual_hosts": []any{map[string]any{"name": "servers", "domains": []any{"*"}, "routes": routes}}}
		return nil
	}
}
