package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/embedded"
	"gatehouse/core/config"
)

// serveFlags are the flags of "gatehouse serve".
type serveFlags struct {
	config                          configFlags
	listen, metrics, upstream, wasm string
	clusters                        []string
	workers                         int
}

func serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve --config FILE --listen ADDR --upstream URL [--cluster name=URL]…",
		Short: "Run the filter on the embedded host, as a reverse proxy",
		Long: `Run the filter on the embedded host, as a reverse proxy: for development and tests, where no Envoy is at hand.

FILE is what "gatehouse check" takes. Secrets that the configuration takes from the environment come from this program's, unless
FILE says otherwise. Each cluster that the configuration names needs a --cluster. Audit events go to the standard output, a line
each; with "access_log": false they go to the standard error, where the filter's log is. The first interrupt lets open requests
finish, for ten seconds at most.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			return serve(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	flags := c.Flags()
	f.config.register(c)
	flags.StringVar(&f.listen, "listen", "", "where to listen, an `address` host:port")
	flags.StringVar(&f.upstream, "upstream", "", "where admitted requests go, a `URL` without a path: http, https or h2c")
	flags.StringArrayVar(&f.clusters, "cluster", nil, "a cluster that the filter sends requests of its own to, `name=URL`; may be given again")
	flags.StringVar(&f.metrics, "metrics", "", "where to serve /stats/prometheus, an `address` host:port (default: nowhere)")
	flags.IntVar(&f.workers, "workers", 2, "VMs that work in parallel")
	flags.StringVar(&f.wasm, "wasm", "", "the filter's module, a `file` (default: gatehouse.wasm beside this program)")
	_ = c.MarkFlagRequired("listen")
	_ = c.MarkFlagRequired("upstream")
	return c
}

// options reads the configuration and checks that all it needs is given.
func (f *serveFlags) options() (o embedded.Options, err error) {
	plugin, err := f.config.find()
	if err != nil {
		return o, err
	}
	o = embedded.Options{
		Wasm: f.wasm, Config: plugin.Config, Env: map[string]string{}, Listen: f.listen, Metrics: f.metrics, Workers: f.workers,
	}
	cfg, err := f.config.parse(plugin, func(name, value string) { o.Env[name] = value })
	if err != nil {
		return o, err
	}
	if o.Wasm == "" {
		o.Wasm = besideProgram("gatehouse.wasm")
	}
	o.LogInfo, o.AuditState = cfg.Audit.State == "", cfg.Audit.State
	if o.Workers < 1 {
		return o, fmt.Errorf("--workers: want 1 or more, got %d", o.Workers)
	}
	if o.Upstream, err = origin("--upstream", f.upstream); err != nil {
		return o, err
	}
	o.Clusters, err = clusterURLs(f.clusters, cfg)
	return o, err
}

// clusterURLs reads name=URL pairs, which must name all clusters of the configuration.
func clusterURLs(pairs []string, cfg *config.Config) (map[string]*url.URL, error) {
	clusters := map[string]*url.URL{}
	for _, pair := range pairs {
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("--cluster: want name=URL, got %q", pair)
		}
		if clusters[name] != nil {
			return nil, fmt.Errorf("--cluster %s is given twice", name)
		}
		var err error
		if clusters[name], err = origin("--cluster "+name, text); err != nil {
			return nil, err
		}
	}
	for _, p := range cfg.Tokens.Providers {
		if p.Remote != nil && clusters[p.Remote.Cluster] == nil {
			return nil, fmt.Errorf("provider %s: its cluster is unknown: give --cluster %s=URL", p.Name, p.Remote.Cluster)
		}
	}
	if h := cfg.Audit.HTTP; h != nil && clusters[h.Cluster] == nil {
		return nil, fmt.Errorf("audit.http: its cluster is unknown: give --cluster %s=URL", h.Cluster)
	}
	return clusters, nil
}

// origin reads a URL that says where requests go: scheme, host and port, without a path.
func origin(flag, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "h2c" {
		return nil, fmt.Errorf("%s: want http://, https:// or h2c:// and a host, got %q", flag, text)
	}
	if (u.Path != "" && u.Path != "/") || *u != (url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}) {
		return nil, fmt.Errorf("%s: want a scheme and a host, and nothing else", flag)
	}
	return u, nil
}

// serve runs until ctx ends.
func serve(ctx context.Context, o embedded.Options, out, errOut io.Writer) error {
	o.Audit = func(line string) { _, _ = fmt.Fprintln(out, line) }
	o.Logf = func(format string, args ...any) { _, _ = fmt.Fprintf(errOut, format+"\n", args...) }
	gate, err := embedded.Start(ctx, o)
	if err != nil {
		return err
	}
	if gate.MetricsAddress() != "" {
		o.Logf("metrics: http://%s/stats/prometheus", gate.MetricsAddress())
	}
	o.Logf("serving http://%s, upstream %s", gate.Address(), o.Upstream)
	<-gate.Done()
	return gate.Stop()
}
