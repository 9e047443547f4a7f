package demo

import (
	"context"
	"net/url"

	"gatehouse/cmd/gatehouse/internal/embedded"
)

// inProcess is the filter in this process, on the embedded host.
type inProcess struct{ gate *embedded.Gate }

func (g *inProcess) Start(ctx context.Context, setup Setup) (string, error) {
	clusters := map[string]*url.URL{}
	for name, address := range setup.Clusters {
		clusters[name] = &url.URL{Scheme: "http", Host: address}
	}
	var err error
	g.gate, err = embedded.Start(ctx, embedded.Options{
		AuditState: "gatehouse_audit",
		Wasm:       setup.Wasm, Config: []byte(setup.Config), Listen: setup.Listen, Metrics: setup.Admin,
		Admin: "127.0.0.1:0", AdminToken: setup.AdminToken,
		Upstream: clusters["upstream"], Clusters: clusters, Workers: 2, Audit: setup.Audit, Logf: setup.Logf,
	})
	if err != nil {
		return "", err
	}
	return g.gate.Address(), nil
}

func (g *inProcess) AdminAPI() string { return "http://" + g.gate.AdminAddress() }

func (g *inProcess) Done() <-chan struct{} { return g.gate.Done() }

func (g *inProcess) Metrics() string {
	return "curl -s http://" + g.gate.MetricsAddress() + "/stats/prometheus | grep gatehouse"
}

func (g *inProcess) Stop() error {
	if g.gate == nil {
		return nil
	}
	return g.gate.Stop()
}
