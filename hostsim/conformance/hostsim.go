package conformance

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/proxy"
)

// Host is a hostsim behind net/http with the probe in it.
type Host struct {
	// Addr is where it listens.
	Addr string
	// Logs is what the probe said.
	Logs *Lines

	host    *hostsim.Host
	metrics *hostsim.Metrics
	cancel  context.CancelFunc
	served  sync.WaitGroup
}

// StartHost starts hostsim with the probe as module, in front of up.
func StartHost(ctx context.Context, module *hostsim.Module, up *Upstream) (*Host, error) {
	h := &Host{Logs: &Lines{}, metrics: hostsim.NewMetrics(nil)}
	base := func(addr string) *url.URL { return &url.URL{Scheme: "http", Host: addr} }
	clusters := proxy.Clusters(map[string]*url.URL{
		"upstream": base(up.HTTP), "grpc": base(up.GRPC), "dead": base(up.Dead),
	})
	clusters["nohosts"] = hostsim.Cluster{}
	host, err := hostsim.New(ctx, module, hostsim.Options{
		Plugins: []hostsim.Plugin{{
			Name: PluginName, RootID: RootID, VMID: VMID,
			Config: []byte(PluginConfig), VMConfig: []byte(VMConfig), Env: map[string]string{EnvName: EnvValue},
		}},
		Clusters: clusters,
		Metrics:  h.metrics,
		Callouts: hostsim.CalloutsConcurrent,
		LogLevel: abi.LogInfo,
		Log: func(e hostsim.LogEntry) {
			if said, ok := ProbeLine(e.Message); ok {
				h.Logs.Add(said)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		host.Close()
		return nil, err
	}
	h.host, h.Addr = host, listener.Addr().String()
	p := proxy.New(host, proxy.Options{
		Upstream:  base(up.HTTP),
		RouteName: RouteName, ClusterName: ClusterName, VirtualHost: VirtualHost,
		Metadata: map[string]map[string]any{"probe": Metadata()},
	})
	ctx, h.cancel = context.WithCancel(ctx)
	// What goes wrong in serving shows as a scenario without an answer.
	h.served.Go(func() { _ = p.Serve(ctx, listener) })
	return h, nil
}

// Metrics serves the probe's metrics.
func (h *Host) Metrics() (http.Handler, error) { return proxy.MetricsHandler(h.metrics, TagRules()) }

// TagRules are the rules by which hosts find labels in the names of the probe's
// metrics.
func TagRules() []proxy.TagRule {
	return []proxy.TagRule{
		{TagName: "reason", Regex: `^wasmcustom\.probe_total(\.reason\.([a-z0-9_]+))`},
		{TagName: "rule", Regex: `^wasmcustom\.probe_total.*(\.rule\.([a-z0-9_]+))$`},
	}
}

// Close ends it.
func (h *Host) Close() {
	h.cancel()
	h.served.Wait()
	h.host.Close()
}
