package serve_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// bareProxyEnv makes this program a bare reverse proxy in front of the URL that it holds.
const bareProxyEnv = "GATEHOUSE_BARE_PROXY"

// bareProxy is net/http/httputil's, with a transport that keeps its connections. It ends with its
// parent.
func bareProxy(upstream string) {
	target, err := url.Parse(upstream)
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("listening on", listener.Addr())
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}}
	panic(server.Serve(listener))
}

// subject is a proxy that is measured.
type subject struct {
	name    string
	address string
	pid     int
	rates   []float64 // requests a second, one for each round
	costs   []float64 // CPU time for a request, in µs
}

// BenchmarkThroughput sends the same load through `gatehouse serve`, through Envoy with the same
// module and as many workers, and through the bare reverse proxy of net/http/httputil, in turn, and
// prints how they compare. It measures once, whatever b.N.
//
// Load generator and upstream share the machine with the proxies, which brings the ratios of
// requests a second nearer to 1; those of CPU time for a request are the proxies' own. Both are of
// one round; their medians and ranges are printed.
func BenchmarkThroughput(b *testing.B) {
	const workers, connections, rounds, duration = 2, 32, 9, 1500 * time.Millisecond
	issuer := startIssuer(b)
	config := object{
		"tokens":      inlineKeys(b, issuer),
		"routes":      []any{object{"name": "all", "path": "/**"}},
		"rate_limits": []any{object{"name": "per-caller", "max_requests": 100_000_000, "window_seconds": 60}},
		"audit":       object{"log": "none"},
	}
	request := getRequest("/", tokenFor(b, issuer, 0))
	behind := startUpstream(b)
	subjects := []*subject{
		serveSubject(b, config, behind, workers),
		envoySubject(b, config, behind, workers),
		bareSubject(b, behind),
	}
	for _, s := range subjects { // warm
		_, _, err := s.measure(request, connections, duration)
		require.NoError(b, err)
	}
	for range rounds {
		for _, s := range subjects {
			rate, cost, err := s.measure(request, connections, duration)
			require.NoError(b, err, s.name)
			s.rates, s.costs = append(s.rates, rate), append(s.costs, cost)
		}
	}
	serve := subjects[0]
	b.ReportMetric(0, "ns/op") // has no meaning here
	for _, s := range subjects {
		b.Logf("%-16s %6.0f requests/s, %4.0f µs of CPU for each", s.name, median(s.rates), median(s.costs))
	}
	for _, s := range subjects[1:] {
		rates, costs := ratios(serve.rates, s.rates), ratios(serve.costs, s.costs)
		b.Logf("serve against %s: %.2f of its requests/s (%.2f to %.2f), %.2f of its CPU time (%.2f to %.2f)", s.name,
			median(rates), slices.Min(rates), slices.Max(rates), median(costs), slices.Min(costs), slices.Max(costs))
		b.ReportMetric(median(rates), "req/s:"+s.name)
		b.ReportMetric(median(costs), "cpu:"+s.name)
	}
}

func serveSubject(b *testing.B, config object, behind *upstream, workers int) *subject {
	b.Helper()
	audit := auditFile(b)
	g := startServe(b, audit, nil, config, behind.url(), "--workers", fmt.Sprint(workers))
	return &subject{name: "serve", address: g.address, pid: g.cmd.Process.Pid}
}

func envoySubject(b *testing.B, config object, behind *upstream, workers int) *subject {
	b.Helper()
	o := envoy.OptionsForTest(b)
	o.Concurrency, o.LogLevel = workers, "warning"
	o.Edits = []envoy.Edit{
		envoy.RemoveListener("gate_envoy_jwt"), envoy.PluginConfig("gate", toJSON(b, config)), envoy.Endpoint("upstream", behind.address),
		envoy.AccessLog("gate", auditFile(b).Name()),
	}
	p := envoy.StartForTest(b, o)
	return &subject{name: "Envoy", address: p.Address("gate"), pid: p.PID()}
}

func bareSubject(b *testing.B, behind *upstream) *subject {
	b.Helper()
	self, err := os.Executable()
	require.NoError(b, err)
	p := launch(b, []string{bareProxyEnv + "=" + behind.url()}, nil, self)
	return &subject{name: "httputil", address: p.says(b, p.stdout, `^listening on (\S+)$`), pid: p.cmd.Process.Pid}
}

func auditFile(b *testing.B) *os.File {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "audit.jsonl"))
	require.NoError(b, err)
	b.Cleanup(func() { _ = file.Close() })
	return file
}

// measure sends as much as fits into a time.
func (s *subject) measure(request []byte, connections int, duration time.Duration) (rate, cost float64, err error) {
	before, err := envoy.CPU(s.pid)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	var answers, wrong atomic.Int64
	var group sync.WaitGroup
	failures := make([]error, connections)
	for i := range failures {
		group.Go(func() {
			failures[i] = converse(s.address, func(dst []byte) []byte {
				if time.Since(began) > duration {
					return nil
				}
				return append(dst, request...)
			}, func(status int) {
				answers.Add(1)
				if status != http.StatusOK {
					wrong.Add(1)
				}
			})
		})
	}
	group.Wait()
	took := time.Since(began)
	after, err := envoy.CPU(s.pid)
	if wrong.Load() > 0 {
		err = errors.Join(err, fmt.Errorf("%d answers other than 200", wrong.Load()))
	}
	n := float64(answers.Load())
	return n / took.Seconds(), float64((after - before).Microseconds()) / n, errors.Join(append(failures, err)...)
}

// ratios divides round by round.
func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
