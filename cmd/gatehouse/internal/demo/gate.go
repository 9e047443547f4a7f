package demo

import (
	"context"
	"os"
	"path/filepath"

	"gatehouse/cmd/testbed/envoy"
)

// Setup is what a [Gate] needs to know.
type Setup struct {
	// Dir is the repository's directory.
	Dir string
	// Wasm is the path of the filter's module.
	Wasm string
	// Config is the filter's configuration, JSON: that of the listener gate in the repository's
	// envoy.yaml.
	Config string
	// Listen is where the gate listens, "host:port"; port 0 for a free one.
	Listen string
	// Admin is where the metrics are served, "host:port": Envoy's admin API, or what stands for it.
	Admin string
	// AdminToken opens the filter's admin API.
	AdminToken string
	// Clusters are the addresses, "host:port", behind the names idp and upstream.
	Clusters map[string]string
	// Audit receives the line of each audit event, without its newline, as soon as it is written.
	// Calls do not overlap.
	Audit func(line string)
	// Logf receives a line for what takes long.
	Logf func(format string, args ...any)
}

// Gate is the filter in some proxy.
type Gate interface {
	// Start returns the gate's address, "host:port", once it serves. Whatever it started ends with
	// Stop.
	Start(ctx context.Context, setup Setup) (address string, err error)
	// Done is closed when a started gate has ended, for whatever reason.
	Done() <-chan struct{}
	// Metrics returns a shell command that prints the metrics of a started gate.
	Metrics() string
	// AdminAPI returns the URL of a started gate's admin API.
	AdminAPI() string
	// Stop ends the gate and waits until it is gone, also when Start failed. The error says that it
	// had ended by itself.
	Stop() error
}

// inEnvoy is the filter in real Envoy, with the repository's envoy.yaml.
type inEnvoy struct {
	process *envoy.Process
	// freePorts moves everything away from the ports that envoy.yaml names.
	freePorts bool
}

func (g *inEnvoy) Start(ctx context.Context, setup Setup) (string, error) {
	binary, err := envoy.Finder{
		Version: os.Getenv("GATEHOUSE_ENVOY_VERSION"), CacheDir: filepath.Join(setup.Dir, ".cache"), Logf: setup.Logf,
	}.Find(ctx)
	if err != nil {
		return "", err
	}
	setup.Logf("starting %s; it compiles the filter first, which takes some seconds", binary)
	options := envoy.Options{
		Binary: binary, Config: filepath.Join(setup.Dir, configFile), Wasm: setup.Wasm, KeepPorts: !g.freePorts, LogLevel: "warning",
		OnStdout: func(line string) {
			if line != "" { // that of a request without an event
				setup.Audit(line)
			}
		},
	}
	options.Edits = append(options.Edits, withAdminAPI(setup.AdminToken)...)
	for cluster, address := range setup.Clusters {
		options.Edits = append(options.Edits, envoy.Endpoint(cluster, address))
	}
	if g.process, err = envoy.Start(ctx, options); err != nil {
		return "", err
	}
	setup.Logf("beside it, the gate that leaves verification to Envoy's jwt_authn: http://%s", g.process.Address("gate_envoy_jwt"))
	return g.process.Address(gateListener), nil
}

// adminListener is the listener of the admin API.
const adminListener = "admin_api"

// withAdminAPI adds a listener with the admin API of the gate, on a free port.
func withAdminAPI(token string) []envoy.Edit {
	return []envoy.Edit{
		envoy.CopyListener(gateListener, adminListener),
		envoy.MergePluginConfig(adminListener, `{"admin": {"token": "`+token+`"}}`),
		func(b envoy.Bootstrap) error {
			listener, err := b.Listener(adminListener)
			if err == nil {
				listener["address"] = map[string]any{"socket_address": map[string]any{"address": "127.0.0.1", "port_value": 0}}
			}
			return err
		},
	}
}

func (g *inEnvoy) AdminAPI() string { return g.process.URL(adminListener, "") }

func (g *inEnvoy) Done() <-chan struct{} { return g.process.Done() }

func (g *inEnvoy) Metrics() string {
	return "curl -s http://" + g.process.AdminAddress() + "/stats/prometheus | grep gatehouse"
}

func (g *inEnvoy) Stop() error {
	if g.process == nil {
		return nil
	}
	return g.process.Stop()
}
