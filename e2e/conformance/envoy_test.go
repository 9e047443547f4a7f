// Package conformance plays the scenarios of hostsim's conformance suite to a
// real Envoy.
package conformance_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/hostsim/conformance"
	"gatehouse/hostsim/hostsimtest"
)

var update = flag.Bool("update", false, "write what Envoy does to hostsim/conformance/testdata")

const golden = "../../hostsim/conformance/testdata/envoy.txt"

// version is the release that hostsim is held to.
const version = "1.40."

// config is Envoy's configuration for the scenarios.
const config = `
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}
stats_flush_interval: 0.1s
stats_config: {stats_tags: %[16]s}
static_resources:
  listeners:
  - name: probe
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: probe
          http_protocol_options: {enable_trailers: true}
          route_config:
            virtual_hosts:
            - name: %[1]s
              domains: ["*"]
              routes:
              - {name: %[2]s, match: {prefix: "/"}, route: {cluster: %[3]s}}
          http_filters:
          - name: envoy.filters.http.set_metadata
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config
              metadata: [{metadata_namespace: probe, value: %[4]s}]
          - name: envoy.filters.http.wasm
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: %[5]s
                root_id: %[6]s
                vm_config:
                  vm_id: %[7]s
                  runtime: envoy.wasm.runtime.v8
                  configuration: {"@type": type.googleapis.com/google.protobuf.StringValue, value: %[8]s}
                  environment_variables: {key_values: {%[9]s: %[10]s}}
                  code: {local: {filename: probe.wasm}}
                configuration: {"@type": type.googleapis.com/google.protobuf.StringValue, value: %[11]s}
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
              suppress_envoy_headers: true
  clusters: [%[12]s, %[13]s, %[14]s, %[15]s]
`

// cluster is one cluster's configuration in flow style; addr is empty for one
// without endpoints.
func cluster(t *testing.T, name, addr, protocol string) string {
	endpoints := "[]"
	if addr != "" {
		host, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		endpoints = fmt.Sprintf("[{lb_endpoints: [{endpoint: {address: {socket_address: {address: %s, port_value: %s}}}}]}]", host, port)
	}
	return fmt.Sprintf(`{name: %[1]s, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: %[1]s, endpoints: %[2]s},
    typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {
      "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {%[3]s}}}}`,
		name, endpoints, protocol)
}

func TestEnvoyDoesWhatHostsimIsHeldTo(t *testing.T) {
	binary := envoy.ForTest(t)
	if !strings.HasPrefix(binary.Version, version) {
		t.Skipf("testdata is of Envoy %sx, this is %s", version, binary)
	}
	up := conformance.NewUpstream()
	t.Cleanup(up.Close)

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "probe.wasm"), hostsimtest.Build(t, "../..", "./hostsim/internal/probe"), 0o600))
	metadata, err := json.Marshal(conformance.Metadata())
	require.NoError(t, err)
	var tags []map[string]string
	for _, r := range conformance.TagRules() {
		tags = append(tags, map[string]string{"tag_name": r.TagName, "regex": r.Regex})
	}
	statsTags, err := json.Marshal(tags)
	require.NoError(t, err)
	const http1 = "http_protocol_options: {enable_trailers: true}"
	text := fmt.Sprintf(config,
		conformance.VirtualHost, conformance.RouteName, conformance.ClusterName, metadata,
		conformance.PluginName, conformance.RootID, conformance.VMID, conformance.VMConfig,
		conformance.EnvName, conformance.EnvValue, conformance.PluginConfig,
		cluster(t, "upstream", up.HTTP, http1), cluster(t, "grpc", up.GRPC, "http2_protocol_options: {}"),
		cluster(t, "dead", up.Dead, http1), cluster(t, "nohosts", "", http1), statsTags)
	path := filepath.Join(dir, "envoy.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))

	ctx := context.Background()
	proc, err := envoy.Start(ctx, envoy.Options{Binary: binary, Config: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proc.Stop()) })
	logs := &conformance.Lines{}
	go func() {
		for from := 0; ; {
			line, next, err := proc.Log.Wait(ctx, from, func(string) bool { return true })
			if err != nil {
				return
			}
			if said, ok := conformance.ProbeLine(line); ok {
				logs.Add(said)
			}
			from = next
		}
	}()

	report, err := conformance.RunAll(ctx, proc.Address("probe"), up, logs)
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(report.String()), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), report.String(), "Envoy %s is not what testdata says; -update writes it anew", binary.Version)

	// The same scenarios leave the same metrics in hostsim, in the same words.
	host, err := conformance.StartHost(ctx, hostsimtest.Module(t, "../..", "./hostsim/internal/probe"), up)
	require.NoError(t, err)
	defer host.Close()
	_, err = conformance.RunAll(ctx, host.Addr, up, host.Logs)
	require.NoError(t, err)
	handler, err := host.Metrics()
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		text, err := proc.PrometheusText(ctx)
		require.NoError(c, err)
		assert.Equal(c, probeMetrics(rec.Body.String()), probeMetrics(text))
	}, time.Minute, 100*time.Millisecond)
}

// probeMetrics are the lines about the probe's metrics, without order, since
// Envoy's is that of its hash tables, and without the sum of a histogram, which
// Envoy only estimates.
func probeMetrics(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "probe_") && !strings.Contains(line, "envoy_") && !strings.Contains(line, "_sum") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	slices.Sort(lines)
	return lines
}
