package main

import (
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/embedded"
)

func serveCommand() *cobra.Command {
	var from configFlags
	var upstream, wasm string
	var clusters []string
	o := embedded.Options{}
	c := &cobra.Command{
		Use:   "serve --config FILE --listen ADDR --upstream URL [--cluster name=URL]…",
		Short: "Run the filter on the embedded host, as a reverse proxy",
		Long: `Run the filter on the embedded host, as a reverse proxy: for development and tests, where no Envoy is at hand.

FILE is what "gatehouse check" takes. Secrets that the configuration takes from the environment come from this program's. Each
cluster that the configuration names needs a --cluster. Audit events go to the standard output, a line each.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			plugin, err := from.find()
			if err != nil {
				return err
			}
			cfg, err := from.load()
			if err != nil {
				return err
			}
			o.Config, o.Wasm = plugin.Config, wasm
			if wasm == "" {
				o.Wasm = besideProgram("gatehouse.wasm")
			}
			if o.Upstream, err = baseURL("--upstream", upstream); err != nil {
				return err
			}
			o.Clusters = map[string]*url.URL{}
			for _, pair := range clusters {
				name, text, ok := strings.Cut(pair, "=")
				if !ok {
					return fmt.Errorf("--cluster: want name=URL, got %q", pair)
				}
				if o.Clusters[name], err = baseURL("--cluster "+name, text); err != nil {
					return err
				}
			}
			for _, p := range cfg.Tokens.Providers {
				if p.Remote != nil && o.Clusters[p.Remote.Cluster] == nil {
					return fmt.Errorf("provider %s: its cluster is unknown: give --cluster %s=URL", p.Name, p.Remote.Cluster)
				}
			}
			var mu sync.Mutex
			o.Audit = func(line string) {
				mu.Lock()
				defer mu.Unlock()
				_, _ = fmt.Fprintln(c.OutOrStdout(), line)
			}
			o.Logf = func(format string, args ...any) { _, _ = fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...) }
			gate, err := embedded.Start(c.Context(), o)
			if err != nil {
				return err
			}
			o.Logf("serving http://%s, upstream %s", gate.Address(), o.Upstream)
			if gate.MetricsAddress() != "" {
				o.Logf("metrics: http://%s/stats/prometheus", gate.MetricsAddress())
			}
			<-gate.Done()
			return gate.Stop()
		},
	}
	flags := c.Flags()
	from.register(c)
	flags.StringVar(&o.Listen, "listen", "", "where to listen, an `address` host:port")
	flags.StringVar(&upstream, "upstream", "", "where admitted requests go, a base `URL`: http, https or h2c")
	flags.StringArrayVar(&clusters, "cluster", nil, "a cluster that the filter sends requests of its own to, `name=URL`; may be given again")
	flags.StringVar(&o.Metrics, "metrics", "", "where to serve /stats/prometheus, an `address` host:port (default: nowhere)")
	flags.IntVar(&o.Workers, "workers", 2, "VMs that work in parallel")
	flags.StringVar(&wasm, "wasm", "", "the filter's module, a `file` (default: gatehouse.wasm beside this program)")
	_ = c.MarkFlagRequired("listen")
	_ = c.MarkFlagRequired("upstream")
	return c
}

func baseURL(flag, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "h2c" {
		return nil, fmt.Errorf("%s: want http://, https:// or h2c:// and a host, got %q", flag, text)
	}
	return u, nil
}
