// Package demo runs the filter between a toy issuer and a toy upstream, prints commands that show
// what it does, and the audit line of each request as it happens.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"gatehouse/cmd/gatehouse/internal/ui"
	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// What the demo uses of the repository: the configuration, the listener in it, and the filter's
// module.
const (
	configFile   = "envoy.yaml"
	gateListener = "gate"
)

// Options say how to run the demo.
type Options struct {
	// Envoy runs the filter in real Envoy instead of the embedded host.
	Envoy bool
	// Dir is the repository's directory; empty for the one around the working directory.
	Dir string
	// Wasm is the filter's module; empty for dist/gatehouse.wasm in Dir.
	Wasm string
	// Explain says on the page why a request was refused; nil for nothing.
	Explain ui.Explain
	// Out receives what the user reads or pastes, and the audit lines.
	Out io.Writer
	// Err receives progress lines.
	Err io.Writer

	// gate, if not nil, is used instead, for tests.
	gate Gate
	// freePorts runs everything at free ports instead of those of envoy.yaml, for tests.
	freePorts bool
}

// Run runs the demo until ctx ends or the user interrupts it, and leaves nothing behind. The error
// is one line; it is nil where the user ended it.
func Run(ctx context.Context, o Options) error {
	return untilInterrupted(ctx, func(ctx context.Context) error { return run(ctx, o) })
}

// untilInterrupted runs f with a context that ends when the user interrupts the program, too.
func untilInterrupted(ctx context.Context, f func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := f(ctx)
	if ctx.Err() != nil {
		return nil // whatever was under way failed because the user ended it
	}
	return err
}

func run(ctx context.Context, o Options) (err error) {
	out := &lines{w: o.Out}
	setup, name, err := prepare(o, out)
	if err != nil {
		return err
	}
	issuer, err := toy.StartIssuer(setup.Clusters["idp"], name)
	if err != nil {
		return err
	}
	defer issuer.Stop()
	upstream, err := toy.StartUpstream(setup.Clusters["upstream"])
	if err != nil {
		return err
	}
	defer upstream.Stop()
	setup.Clusters = map[string]string{"idp": issuer.Address(), "upstream": upstream.Address()}
	if setup.AdminToken, err = randomToken(); err != nil {
		return err
	}

	gate := o.gate
	switch {
	case gate != nil:
	case o.Envoy:
		gate = &inEnvoy{freePorts: o.freePorts}
	default:
		gate = &inProcess{}
	}
	defer func() { err = errors.Join(err, gate.Stop()) }()
	address, err := gate.Start(ctx, setup)
	if err != nil {
		return err
	}
	page, err := startPage(gate.AdminAPI(), setup.AdminToken, o.Explain)
	if err != nil {
		return err
	}
	defer page.stop()
	script, err := newScript(issuer, "http://"+address, gate.Metrics(), page.url)
	if err != nil {
		return err
	}
	out.print(script.String())
	select {
	case <-ctx.Done():
	case <-gate.Done():
	}
	return nil
}

// prepare finds the repository's files, and checks that the addresses which the configuration names
// are free. It also returns the issuer's name.
func prepare(o Options, out *lines) (setup Setup, issuer string, err error) {
	if o.Dir == "" {
		if o.Dir, err = envoy.RepoRoot(); err != nil {
			return Setup{}, "", fmt.Errorf("%w; name its directory by --dir", err)
		}
	}
	if o.Wasm == "" {
		o.Wasm = filepath.Join(o.Dir, "dist", "gatehouse.wasm")
	}
	if _, err := os.Stat(o.Wasm); err != nil {
		return Setup{}, "", fmt.Errorf("the filter is missing, `make build` makes it: %w", err)
	}
	bootstrap, err := envoy.Load(filepath.Join(o.Dir, configFile))
	if err != nil {
		return Setup{}, "", err
	}
	config, err := bootstrap.PluginConfig(gateListener)
	if err != nil {
		return Setup{}, "", err
	}
	addresses, err := bootstrap.Addresses()
	if err != nil {
		return Setup{}, "", err
	}
	setup = Setup{
		Dir: o.Dir, Wasm: o.Wasm, Config: config, Listen: addresses[gateListener], Admin: addresses[""], Clusters: map[string]string{}, Audit: out.print,
		Logf: func(format string, args ...any) { _, _ = fmt.Fprintf(o.Err, format+"\n", args...) },
	}
	for _, cluster := range []string{"idp", "upstream"} {
		if setup.Clusters[cluster], err = bootstrap.EndpointOf(cluster); err != nil {
			return Setup{}, "", err
		}
	}
	issuer = "http://" + setup.Clusters["idp"]
	if o.freePorts {
		const free = "127.0.0.1:0"
		setup.Listen, setup.Admin, setup.Clusters = free, free, map[string]string{"idp": free, "upstream": free}
		return setup, issuer, nil
	}
	needed := []need{
		{setup.Clusters["idp"], "the issuer"}, {setup.Clusters["upstream"], "the upstream"}, {setup.Listen, "the gate"},
		{setup.Admin, "the metrics"},
	}
	if o.Envoy {
		for listener, address := range addresses {
			if listener != "" && listener != gateListener {
				needed = append(needed, need{address, "the listener " + listener})
			}
		}
	}
	return setup, issuer, inUse(needed)
}

// need is an address that the demo needs, and its purpose.
type need struct{ address, use string }

// inUse returns an error of one line that names the first address which something else holds. Envoy
// itself would not report it: it shares its ports with any other Envoy (SO_REUSEPORT).
func inUse(needed []need) error {
	for _, n := range needed {
		listener, err := net.Listen("tcp", n.address)
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("%s is in use, and the demo needs it for %s: end what listens there", n.address, n.use)
		case err != nil:
			return fmt.Errorf("%s: %w", n.use, err)
		}
		if err := listener.Close(); err != nil {
			return err
		}
	}
	return nil
}

// lines writes whole lines from several goroutines.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) print(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintln(l.w, line)
}
