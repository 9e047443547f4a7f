// Package embedded runs the filter in this process, on hostsim: a reverse proxy with no Envoy.
package embedded

import (
	"context"
	"errors"
	"fmt"
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
	Wasm     string // the filter's module, a file
	Config   []byte // its configuration, JSON
	Listen   string // the gate's address, "host:port"
	Metrics  string // where the metrics are served, "host:port"; "" for nowhere
	Upstream *url.URL
	Clusters map[string]*url.URL // for the filter's own requests
	Workers  int
	// Audit receives each audit line, without its newline; calls do not overlap.
	Audit func(line string)
	// Logf receives progress, and what the filter logs from warnings up.
	Logf func(format string, args ...any)
}

// Gate is a running proxy.
type Gate struct {
	host      *hostsim.Host
	module    *hostsim.Module
	address   string
	metrics   string
	cancel    context.CancelFunc
	done      chan struct{}
	err       error
	listeners []net.Listener
}

// AccessLogState is the filter state in which the filter leaves its audit lines.
const accessLogState = "wasm.gatehouse_audit"

// Start compiles the filter, if this machine hasn't before, and serves. A configuration that the filter refuses is an error
// with the filter's own words. ctx's end stops the gate gracefully.
func Start(ctx context.Context, o Options) (*Gate, error) {
	wasm, err := os.ReadFile(o.Wasm)
	if err != nil {
		return nil, fmt.Errorf("the filter is missing, `make build` makes it: %w", err)
	}
	g := &Gate{done: make(chan struct{})}
	began := time.Now()
	o.Logf("loading the filter (the first time it is compiled, which takes some seconds)")
	if g.module, err = hostsim.Compile(context.WithoutCancel(ctx), wasm, cacheDir()); err != nil {
		return nil, err
	}
	if err := g.open(ctx, o); err != nil {
		return nil, errors.Join(err, g.release())
	}
	o.Logf("ready after %s", time.Since(began).Round(100*time.Millisecond))
	return g, nil
}

// cacheDir is where compiled code is kept; "", for nowhere, where the system has no place for it.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "gatehouse")
}

func (g *Gate) open(ctx context.Context, o Options) error {
	gate, err := g.listen(o.Listen)
	if err != nil {
		return err
	}
	g.address = gate.Addr().String()
	var said filterLog
	said.out = o.Logf
	g.host, err = hostsim.New(context.WithoutCancel(ctx), g.module, hostsim.Options{
		Plugins: []hostsim.Plugin{{
			Name: "gate", VMID: "gatehouse", Config: o.Config, Env: environment(), Failure: hostsim.FailReload,
		}},
		Workers: o.Workers, Callouts: hostsim.CalloutsConcurrent, Clusters: proxy.Clusters(o.Clusters),
		Log: said.take, LogLevel: abi.LogInfo, Metrics: hostsim.NewMetrics(buckets()),
	})
	if err != nil {
		if refusal := said.refusal(); refusal != "" {
			return errors.New(refusal)
		}
		return err
	}
	ctx, g.cancel = context.WithCancel(ctx)
	if err := g.serveMetrics(ctx, o.Metrics); err != nil {
		return err
	}
	p := proxy.New(g.host, proxy.Options{
		Upstream: o.Upstream, UseRemoteAddress: true, ClusterName: "upstream", RouteName: "default",
		AccessLog: lineWriter(o.Audit), AccessLogState: accessLogState,
	})
	go func() {
		g.err = p.Serve(ctx, gate)
		close(g.done)
	}()
	return nil
}

func (g *Gate) listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s can't be listened on: %w", address, errors.Unwrap(err))
	}
	g.listeners = append(g.listeners, l)
	return l, nil
}

func (g *Gate) serveMetrics(ctx context.Context, address string) error {
	if address == "" {
		return nil
	}
	handler, err := proxy.MetricsHandler(g.host.Metrics(), tagRules())
	if err != nil {
		return err
	}
	l, err := g.listen(address)
	if err != nil {
		return err
	}
	g.metrics = l.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/stats/prometheus", handler) // where Envoy has them
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(l) }()
	return nil
}

// Address is where the gate listens, "host:port"; MetricsAddress where the metrics are.
func (g *Gate) Address() string { return g.address }

// MetricsAddress is where the metrics are served, "" for nowhere.
func (g *Gate) MetricsAddress() string { return g.metrics }

// Done is closed when the gate has ended.
func (g *Gate) Done() <-chan struct{} { return g.done }

// Stop ends the gate: open requests have time to finish.
func (g *Gate) Stop() error {
	g.cancel()
	<-g.done
	return errors.Join(g.err, g.release())
}

func (g *Gate) release() error {
	if g.cancel != nil {
		g.cancel()
	}
	for _, l := range g.listeners {
		_ = l.Close() // those that have been served are closed already
	}
	if g.host != nil {
		g.host.Close()
	}
	return g.module.Close(context.Background())
}

// environment is this process's, which secrets may come from.
func environment() map[string]string {
	env := map[string]string{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return env
}

// lineWriter hands whole lines on, as the proxy's access log writes them.
type lineWriter func(line string)

func (w lineWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		w(strings.TrimRight(line, "\n"))
	}
	return len(p), nil
}

// filterLog keeps what the filter says at its start, so that a refusal has its words, and passes on what matters later.
type filterLog struct {
	mu   sync.Mutex
	out  func(format string, args ...any)
	last []string
}

func (f *filterLog) take(e hostsim.LogEntry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Worker == hostsim.Canary && e.Level >= abi.LogError {
		f.last = append(f.last, e.Message)
		return
	}
	if e.Level >= abi.LogWarn {
		f.out("%s", e.Message)
	}
}

func (f *filterLog) refusal() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.last, "; ")
}
