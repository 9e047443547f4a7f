package conformance_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/hostsim"
	"gatehouse/hostsim/conformance"
	"gatehouse/hostsim/hostsimtest"
)

// failureListener has the probe with a failure policy and a VM of its own.
const failureListener = `
  - name: %[1]s
    address: {socket_address: {address: 127.0.0.1, port_value: %[2]d}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: %[1]s
          route_config: {virtual_hosts: [{name: vh, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: upstream}}]}]}
          http_filters:
          - name: envoy.filters.http.wasm
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: probe
                failure_policy: %[1]s
                reload_config: {backoff: {base_interval: 1s}}
                vm_config: {vm_id: %[1]s, runtime: envoy.wasm.runtime.v8, code: {local: {filename: probe.wasm}}}
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`

func TestFailurePoliciesDoInHostsimWhatTheyDoInEnvoy(t *testing.T) {
	binary := envoy.ForTest(t)
	up := conformance.NewUpstream()
	t.Cleanup(up.Close)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "probe.wasm"), hostsimtest.Build(t, "../..", "./hostsim/internal/probe"), 0o600))
	policies := map[string]hostsim.FailurePolicy{
		"FAIL_CLOSED": hostsim.FailClosed, "FAIL_OPEN": hostsim.FailOpen, "FAIL_RELOAD": hostsim.FailReload,
	}
	text := "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}\nstatic_resources:\n  listeners:"
	port := 10000
	for name := range policies {
		text += fmt.Sprintf(failureListener, name, port)
		port++
	}
	text += "  clusters: [" + cluster(t, "upstream", up.HTTP, "http_protocol_options: {}") + "]\n"
	path := filepath.Join(dir, "envoy.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	proc, err := envoy.Start(t.Context(), envoy.Options{Binary: binary, Config: path})
	require.NoError(t, err)
	t.Cleanup(func() { _ = proc.Stop() })

	module := hostsimtest.Module(t, "../..", "./hostsim/internal/probe")
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			inEnvoy := func(path string) string {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, proc.URL(name, path), nil)
				require.NoError(t, err)
				resp, err := http.DefaultClient.Do(req)
				require.NoError(t, err)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				return fmt.Sprint(resp.StatusCode, " ", string(body))
			}
			clock := hostsim.NewManualClock(time.Now())
			host, err := hostsim.New(t.Context(), module, hostsim.Options{
				Plugins: []hostsim.Plugin{{Name: "probe", VMID: name, Failure: policy}}, Clock: clock,
			})
			require.NoError(t, err)
			defer host.Close()
			inHostsim := func(path string) string {
				down := host.RoundTrip(0, hostsim.Request{Path: path}, func(hostsim.Message) *hostsim.Message {
					return &hostsim.Message{Headers: hostsim.H(":status", "200"), Body: []byte("answer")}
				}).Downstream()
				return down.Status() + " " + string(down.Body)
			}
			paths := []string{"/plain", "/reply", "/trap"}
			if policy != hostsim.FailReload { // for which it depends on when Envoy started
				paths = append(paths, "/reply", "/trap", "/plain")
			}
			for _, path := range paths {
				assert.Equal(t, inEnvoy(path), inHostsim(path), path)
			}
			if policy == hostsim.FailReload {
				assert.Eventually(t, func() bool { return inEnvoy("/reply") == "403 no" }, time.Minute, 100*time.Millisecond)
				clock.Advance(2 * time.Second)
				assert.Equal(t, "403 no", inHostsim("/reply"))
				assert.Equal(t, inEnvoy("/plain"), inHostsim("/plain"))
			}
		})
	}
}
