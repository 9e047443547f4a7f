// Package ratelimit_test tests the guarantees of rate limits (docs/reference.md) in real Envoy
// under load, and in hostsim with injected faults.
package ratelimit_test

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

const (
	// issuerName is what envoy.yaml calls the issuer.
	issuerName = "http://127.0.0.1:10080"
	// patience bounds each wait for an event that must happen. It is generous because CI machines
	// are slow.
	patience = 60 * time.Second
)

// long makes the tests run for as long, and with as many callers, as the documented figures assume.
func long() bool { return os.Getenv("GATEHOUSE_LONG") == "1" }

// object is a JSON object.
type object = map[string]any

func toJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// startEnvoy starts the repository's envoy.yaml with one gate, which has the configuration, and
// ends it with the test.
func startEnvoy(t *testing.T, concurrency int, config object, edits ...envoy.Edit) *envoy.Process {
	t.Helper()
	o := envoy.OptionsForTest(t)
	o.Concurrency, o.LogLevel = concurrency, "warning"
	o.Edits = append([]envoy.Edit{
		envoy.RemoveListener("gate_envoy_jwt"), envoy.PluginConfig("gate", toJSON(t, config)), answerDirectly,
	}, edits...)
	return envoy.StartForTest(t, o)
}

// answerDirectly lets Envoy answer 200 itself what the gate admits: an upstream would only slow the
// load down.
func answerDirectly(b envoy.Bootstrap) error {
	manager, err := b.ConnectionManager("gate")
	if err != nil {
		return err
	}
	manager["route_config"] = object{"virtual_hosts": []any{object{
		"name": "all", "domains": []any{"*"},
		"routes": []any{object{"match": object{"prefix": "/"}, "direct_response": object{"status": 200}}},
	}}}
	return nil
}

// startIssuer starts the toy issuer. The edit points Envoy at it.
func startIssuer(t *testing.T) (*toy.Issuer, envoy.Edit) {
	t.Helper()
	issuer, err := toy.StartIssuer("", issuerName)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	return issuer, envoy.Endpoint("idp", issuer.Address())
}

// tokens is the part of a configuration that trusts the toy issuer.
func tokens() object {
	return object{"providers": []any{object{
		"name": "main", "issuer": issuerName, "audiences": []any{"orders"}, "algorithms": []any{"RS256"},
		"jwks": object{"cluster": "idp", "uri": issuerName + "/jwks.json"},
	}}}
}

// stat is a counter of the filter's, which may lag by a second, once it has at least the value.
func stat(t *testing.T, p *envoy.Process, name string, least uint64) uint64 {
	name = "wasmcustom." + name
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		stats, err := p.Stats(ctx, "^"+regexp.QuoteMeta(name)+"$")
		require.NoError(t, err, "%s", name)
		if n := stats[name]; n >= least {
			return n
		}
		<-tick.C
	}
}
