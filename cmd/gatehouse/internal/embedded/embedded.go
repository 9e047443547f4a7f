// Package embedded runs the filter in this process, on hostsim: a reverse proxy with no Envoy.
package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/proxy"
)

// Options say what to run.
type Options struct {
	Wasm    string            // the filter's module, a file
	Config  []byte            // its configuration, JSON
	Env     map[string]string // its environment: the secrets that the configuration takes from there
	Listen  string            // the gate's address, "host:port"
	Metrics string            // where the metrics are served, "host:port"; "" for nowhere
	// Admin is where the filter's admin API is served, a loopback "host:port"; "" for nowhere. It
	// needs AdminToken.
	Admin, AdminToken string
	Upstream          *url.URL
	Clusters          map[string]*url.URL // for the filter's own requests
	Workers           int                 // VMs that work in parallel
	// Audit receives each audit line, without its newline; calls do not overlap.
	Audit func(line string)
	// AuditState is the filter state that has the audit lines (audit.access_log of the
	// configuration), without "wasm.".
	AuditState string
	// Logf receives progress, and what the filter logs from warnings up, or with LogInfo from info
	// up; calls may overlap.
	Logf    func(format string, args ...any)
	LogInfo bool
}

// Gate is a running proxy.
type Gate struct {
	module        *hostsim.Module
	host          *hostsim.Host
	gate, metrics net.Listener // metrics is nil for nowhere
	admin         net.Listener // nil for nowhere
	metricsServer *http.Server
	cancel        context.CancelFunc
	done          chan struct{}
	err           error // why serving ended, once done is closed
}

// drainTimeout is how long open requests have to finish.
const drainTimeout = 10 * time.Second

// Start compiles the filter, if this machine hasn't before, and serves until ctx ends or
// [Gate.Stop]. A configuration that the filter refuses is an error with the filter's own words.
// Clients that connect while the filter is compiled wait.
func Start(ctx context.Context, o Options) (*Gate, error) {
	g := &Gate{done: make(chan struct{})}
	if err := g.start(ctx, o); err != nil {
		return nil, errors.Join(err, g.release())
	}
	return g, nil
}

func (g *Gate) start(ctx context.Context, o Options) (err error) {
	wasm, err := os.ReadFile(o.Wasm)
	if err != nil {
		return fmt.Errorf("the filter is missing, `make build` makes it: %w", err)
	}
	// Before what takes long, so that an address in use is known at once.
	if g.gate, err = listen(o.Listen); err != nil {
		return err
	}
	if o.Metrics != "" {
		if g.metrics, err = listen(o.Metrics); err != nil {
			return err
		}
	}
	if o.Admin != "" {
		if g.admin, err = listen(o.Admin); err != nil {
			return err
		}
	}
	began := time.Now()
	o.Logf("loading the filter (the first time it is compiled, which takes some seconds)")
	if g.module, err = hostsim.Compile(context.WithoutCancel(ctx), wasm, cacheDir()); err != nil {
		return err
	}
	if err := g.startFilter(ctx, o); err != nil {
		return err
	}
	if err := g.serveMetrics(); err != nil {
		return err
	}
	g.serve(ctx, o)
	o.Logf("ready after %s", time.Since(began).Round(100*time.Millisecond))
	return nil
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s can't be listened on: %w", address, errors.Unwrap(err))
	}
	return l, nil
}

// cacheDir is where compiled code is kept; "", for nowhere, where that can't be written.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir = filepath.Join(dir, "gatehouse")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ""
	}
	probe, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return ""
	}
	_, _ = probe.Close(), os.Remove(probe.Name())
	return dir
}

func (g *Gate) startFilter(ctx context.Context, o Options) (err error) {
	level := abi.LogWarn
	if o.LogInfo {
		level = abi.LogInfo
	}
	log := startLog{out: o.Logf}
	env := maps.Clone(o.Env) // the plugins' common one: they share a VM
	if g.admin != nil {
		if env == nil {
			env = map[string]string{}
		}
		env[adminTokenVariable] = o.AdminToken
	}
	plugins := []hostsim.Plugin{{Name: "gate", VMID: "gatehouse", Config: o.Config, Env: env, Failure: hostsim.FailReload}}
	if g.admin != nil {
		api := plugins[0]
		api.Name = adminPlugin
		if api.Config, err = withAdmin(o.Config); err != nil {
			return err
		}
		plugins = append(plugins, api)
	}
	g.host, err = hostsim.New(context.WithoutCancel(ctx), g.module, hostsim.Options{
		Plugins: plugins,
		Workers: o.Workers, Callouts: hostsim.CalloutsConcurrent, Clusters: proxy.Clusters(o.Clusters),
		Log: log.take, LogLevel: level, Metrics: hostsim.NewMetrics(buckets()),
	})
	said := log.started(err == nil)
	if err != nil && len(said) > 0 {
		return errors.New(strings.Join(said, "; "))
	}
	return err
}

// adminPlugin is the name of the plugin instance that is the admin API.
const adminPlugin = "admin"

// adminTokenVariable has the admin API's token in the VM's environment.
const adminTokenVariable = "GATEHOUSE_ADMIN_TOKEN"

// withAdmin makes a gate's configuration that of its admin API.
func withAdmin(config []byte) ([]byte, error) {
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.UseNumber()
	if err := decoder.Decode(&members); err != nil {
		return nil, fmt.Errorf("the configuration: %w", err)
	}
	members["admin"] = map[string]any{"token": map[string]string{"env": adminTokenVariable}}
	return json.Marshal(members)
}

func (g *Gate) serveMetrics() error {
	if g.metrics == nil {
		return nil
	}
	handler, err := proxy.MetricsHandler(g.host.Metrics(), tagRules())
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/stats/prometheus", handler) // where Envoy has them
	g.metricsServer = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = g.metricsServer.Serve(g.metrics) }() // ends with release
	return nil
}

func (g *Gate) serve(ctx context.Context, o Options) {
	ctx, g.cancel = context.WithCancel(ctx)
	p := proxy.New(g.host, proxy.Options{
		Upstream: o.Upstream, UseRemoteAddress: true, ClusterName: "upstream", RouteName: "default",
		AccessLog: lineWriter(o.Audit), AccessLogState: "wasm." + o.AuditState, DrainTimeout: drainTimeout,
	})
	var api sync.WaitGroup // it uses the host, which is released once the gate is done
	if g.admin != nil {
		p := proxy.New(g.host, proxy.Options{Plugin: adminPlugin, Upstream: o.Upstream, UseRemoteAddress: true, DrainTimeout: time.Second})
		api.Go(func() { _ = p.Serve(ctx, g.admin) }) // ends with the gate
	}
	go func() {
		if g.err = p.Serve(ctx, g.gate); errors.Is(g.err, context.DeadlineExceeded) {
			g.err = fmt.Errorf("requests that were still open after %s were cut off", drainTimeout)
		}
		g.cancel()
		api.Wait()
		close(g.done)
	}()
}

// lineWriter takes the proxy's access log, which is written under a lock: an entry for each stream,
// of a line or more.
type lineWriter func(line string)

func (w lineWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		w(strings.TrimSuffix(line, "\n"))
	}
	return len(p), nil
}

// Address is where the gate listens, "host:port".
func (g *Gate) Address() string { return g.gate.Addr().String() }

// MetricsAddress is where the metrics are served, "host:port"; "" for nowhere.
func (g *Gate) MetricsAddress() string {
	if g.metrics == nil {
		return ""
	}
	return g.metrics.Addr().String()
}

// AdminAddress is where the admin API is served, "host:port"; "" for nowhere.
func (g *Gate) AdminAddress() string {
	if g.admin == nil {
		return ""
	}
	return g.admin.Addr().String()
}

// Done is closed when the gate serves no more.
func (g *Gate) Done() <-chan struct{} { return g.done }

// Stop ends the gate: open requests have 10 s to finish. The error says that some were cut off, or
// why the gate had ended by itself.
func (g *Gate) Stop() error {
	g.cancel()
	<-g.done
	return errors.Join(g.err, g.release())
}

// release frees what start got hold of.
func (g *Gate) release() (err error) {
	if g.metricsServer != nil {
		err = g.metricsServer.Close()
	}
	for _, l := range []net.Listener{g.gate, g.metrics, g.admin} {
		if l != nil {
			_ = l.Close() // a second time, if it has been served
		}
	}
	if g.host != nil {
		g.host.Close()
	}
	if g.module != nil {
		err = errors.Join(err, g.module.Close(context.Background()))
	}
	return err
}
