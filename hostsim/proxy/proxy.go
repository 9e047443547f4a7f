// Package proxy puts a hostsim.Host behind net/http: a reverse proxy whose
// requests and responses go through a Proxy-Wasm filter, as they would in Envoy
// with one route. It speaks HTTP/1.1 and HTTP/2 without TLS (h2c), streams
// bodies both ways, and spreads connections over the host's workers.
//
// It refuses what Envoy's codec refuses before any filter sees it: header fields of more than 60
// KiB or 100 fields (431), HTTP/1.0 (426), and with 400 targets that are no path, a missing host,
// and bodies whose length is told twice. It is stricter than Envoy with folded lines, an empty
// host, and a user in a target: they get 400 too. Upgrades and CONNECT are refused too (403), as
// Envoy refuses them where they are not configured. Fields that belong to a connection, and those
// that Connection nominates, go no further. The path reaches the upstream byte for byte as the
// filter judged it.
//
// It is made for local runs, demos and tests. What it lacks is what net/http decides:
//   - a request that net/http refuses (a second Host, an unknown expectation, bytes that no field
//     may have) gets net/http's answer;
//   - trailers of an HTTP/2 request are dropped unless its trailer field announces them;
//   - what the Connection field of a response nominates goes on if it has the option close as well;
//   - interim responses of the upstream are dropped.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/hostsim"
)

// Options configure a Proxy. The zero value filters with the host's first plugin
// and answers 404 to what the filter lets through.
type Options struct {
	// Plugin names the plugin that filters; empty means the host's first.
	Plugin string
	// Upstream is where requests go, as a base URL without a path. Its scheme is
	// http, https, or h2c for HTTP/2 without TLS.
	Upstream *url.URL
	// Timeout is how long an upstream may take from the end of the request to
	// the end of the response; 0 means 15 s, Envoy's default, and a negative one
	// none at all.
	Timeout time.Duration
	// IdleTimeout is how long a stream may stand still, in both directions, before
	// it is ended; 0 means 5 min, Envoy's stream_idle_timeout.
	IdleTimeout time.Duration
	// ConnectTimeout is how long connecting may take; 0 means 5 s.
	ConnectTimeout time.Duration
	// DrainTimeout is how long Serve waits for open requests once it is told to
	// end; 0 means 10 s.
	DrainTimeout time.Duration
	// UseRemoteAddress says that the proxy is the first that a client meets: the
	// peer's address is appended to x-forwarded-for, and x-forwarded-proto is
	// set whatever the client sent.
	UseRemoteAddress bool
	// MaxHeaderBytes and MaxHeaderFields bound a request's header fields: the bytes of their names
	// and values, with the target, and their number. A request that goes over one is answered with
	// 431 and never reaches the filter. 0 means 60 KiB and 100, Envoy's max_request_headers_kb and
	// max_headers_count.
	MaxHeaderBytes, MaxHeaderFields int
	// RouteName, ClusterName and VirtualHost are what the filter reads as xds
	// properties.
	RouteName, ClusterName, VirtualHost string
	// Metadata is the dynamic metadata of every request.
	Metadata map[string]map[string]any
	// AccessLog gets a line for each stream that ended: the filter state object
	// AccessLogState, for example "wasm.gatehouse_audit". Streams without it
	// have no line, as with Envoy's omit_empty_values.
	AccessLog      io.Writer
	AccessLogState string
}

// Proxy is an http.Handler that filters and forwards requests.
type Proxy struct {
	host       *hostsim.Host
	opts       Options
	transports *transports
	next       atomic.Uint64
	logMu      sync.Mutex
}

// New returns a proxy in front of the host. Several proxies may share a host,
// each with another plugin.
func New(host *hostsim.Host, opts Options) *Proxy {
	if opts.Timeout == 0 {
		opts.Timeout = 15 * time.Second
	}
	if opts.IdleTimeout == 0 {
		opts.IdleTimeout = 5 * time.Minute
	}
	if opts.ConnectTimeout == 0 {
		opts.ConnectTimeout = 5 * time.Second
	}
	if opts.DrainTimeout == 0 {
		opts.DrainTimeout = 10 * time.Second
	}
	if opts.MaxHeaderBytes == 0 {
		opts.MaxHeaderBytes = 60 << 10
	}
	if opts.MaxHeaderFields == 0 {
		opts.MaxHeaderFields = 100
	}
	return &Proxy{host: host, opts: opts, transports: newTransports(opts.ConnectTimeout)}
}

// connKey is the key of a connection's place in its context.
type connKey struct{}

// place is the worker of a connection.
type place struct {
	worker int
	id     uint64
}

// Serve serves connections of l until ctx is done, then stops accepting and
// waits for open requests, at most for DrainTimeout. It returns nil after such
// an end, an error wrapping context.DeadlineExceeded if requests had to be cut
// off, and any other error of the listener's.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	var open sync.WaitGroup // requests
	// net/http notices that a connection is gone only where it reads or writes; a
	// request that does neither must be told.
	base, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			open.Add(1)
			defer open.Done()
			p.ServeHTTP(w, r)
		}),
		Protocols:   protocols,
		BaseContext: func(net.Listener) context.Context { return base },
		// net/http would answer OPTIONS * itself.
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            time.Minute,
		MaxHeaderBytes:               p.opts.MaxHeaderBytes,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, p.newPlace())
		},
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(strictListener{l}) }()
	select {
	case err := <-failed:
		return fmt.Errorf("proxy: serve: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.opts.DrainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("proxy: drain: %w", err), server.Close())
		cutOff()
		open.Wait() // what is cut off ends at once, with its line in the access log
	}
	if failure := <-failed; !errors.Is(failure, http.ErrServerClosed) {
		err = errors.Join(err, failure)
	}
	p.transports.closeIdle()
	return err
}

// newPlace gives a connection its worker.
func (p *Proxy) newPlace() place {
	n := p.next.Add(1)
	return place{worker: int(n % uint64(p.host.Workers())), id: n}
}

// logStream writes the access log's line of a stream that ended.
func (p *Proxy) logStream(s *hostsim.Stream) {
	if p.opts.AccessLog == nil {
		return
	}
	line, ok := s.FilterState(p.opts.AccessLogState)
	if !ok {
		return
	}
	p.logMu.Lock()
	defer p.logMu.Unlock()
	// A log that can't be written must not take the traffic down.
	_, _ = p.opts.AccessLog.Write(append(line, '\n'))
}
