package admin

import (
	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/metrics"
	"gatehouse/core/ratelimit"
)

// Proxy is what the API needs of the proxy.
type Proxy interface {
	// Value reads a counter or a gauge by its full name: its value over all workers.
	Value(kind metrics.Kind, name string) (value uint64, ok bool)
	// Ready reports whether a provider's keys are there.
	Ready(provider int) bool
}

// API answers the requests of one admin instance.
type API struct {
	cfg     *config.Config
	gate    *core.Gate
	store   ratelimit.Store
	proxy   Proxy
	version string
	token   [tokenBytes]byte
	started clock.Mono
}

// New returns the API of a configuration that has admin. gate is a Gate of the same configuration:
// the API asks it how callers are keyed, and about its limits.
func New(cfg *config.Config, gate *core.Gate, store ratelimit.Store, proxy Proxy, version string, mono clock.Mono) *API {
	a := &API{cfg: cfg, gate: gate, store: store, proxy: proxy, version: version, token: hashToken(string(cfg.Admin.Token)), started: mono}
	_ = update(store, baselineKey, func(old []byte) ([]byte, bool) { // only the first API begins to count
		return (&baseline{started: mono}).encode(), len(old) == 0
	})
	return a
}

// Tick tells gates that the API is there.
func (a *API) Tick(mono clock.Mono) {
	_ = update(a.store, markKey, func(old []byte) ([]byte, bool) {
		at, ok := marked(old, mono)
		return appendNumber(nil, uint64(mono)), !ok || mono.Since(at) >= markEvery
	})
}

// Request is a request to the API.
type Request struct {
	Method      string
	Path        string // as received
	Destination string // the address and port that the client connected to
	Headers     []core.Header
	Mono        clock.Mono
}

// Response is the API's answer.
type Response struct {
	Status  int
	Headers []core.Header
	Body    []byte
	// Write says that somebody who has the token asked for a change, which is worth an audit event.
	Write bool
}

// Serve answers a request.
func (a *API) Serve(r *Request) Response {
	if refusal, refused := a.guard(r); refused {
		return refusal
	}
	e, rest, ok := route(r.Path)
	if !ok {
		return failure(404, "no such resource")
	}
	serve := e.serve(r.Method)
	if serve == nil {
		return failure(405, "want "+e.allow()).with("allow", e.allow())
	}
	out := serve(a, r, rest)
	out.Write = r.Method != "GET"
	return out
}

// Unavailable is the answer if the API fails.
func Unavailable() Response { return failure(503, "Service unavailable") }
