package admin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/metrics"
	"gatehouse/core/ratelimit"
	"gatehouse/core/ratelimit/ratelimittest"
	"gatehouse/filter/internal/admin"
)

const (
	token  = "0123456789abcdefghijklmnopqrstuv"
	second = clock.Second
)

const document = `{
	"tokens": {"providers": [
		{"name": "main", "issuer": "https://idp.example", "audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"cluster": "idp", "uri": "https://idp.example/jwks.json"}},
		{"name": "other", "issuer": "https://other.example", "any_audience": true, "algorithms": ["HS256"],
		 "jwks": {"inline": {"keys": [{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2Vj"}]}}}]},
	"routes": [{"path": "/**"}],
	"rate_limits": [
		{"name": "per-caller", "max_requests": 3, "window_seconds": 60, "identifier": ["user_id"]},
		{"name": "two", "windows": [{"max_requests": 2, "window_seconds": 1}, {"max_requests": 10, "window_seconds": 60}], "identifier": ["ip"]}],
	"admin": {"token": "` + token + `"}
}`

// fleet is what several workers share, and the proxy that counts for them.
type fleet struct {
	shared *ratelimittest.Shared
	values map[string]uint64
	keys   map[int]bool
	now    clock.Mono
}

func newFleet() *fleet {
	return &fleet{shared: ratelimittest.NewShared(), values: map[string]uint64{}, keys: map[int]bool{0: true}, now: 1000 * second}
}

func (f *fleet) Value(_ metrics.Kind, name string) (uint64, bool) {
	n, ok := f.values[name]
	return n, ok
}

func (f *fleet) Ready(provider int) bool { return f.keys[provider] }

// worker is one worker's plugin instance.
type worker struct {
	*fleet
	t     *testing.T
	store ratelimit.Store
	gate  *core.Gate
	api   *admin.API
	feed  *admin.Feed
}

func (f *fleet) worker(t *testing.T) *worker {
	t.Helper()
	cfg, err := config.Parse([]byte(document), nil)
	require.NoError(t, err)
	w := &worker{fleet: f, t: t, store: f.shared.Worker()}
	w.gate, err = core.New(cfg, core.Host{Store: w.store, Mono: func() clock.Mono { return f.now }, Version: "v1.2.3"})
	require.NoError(t, err)
	w.feed = admin.NewFeed(w.store)
	w.api = admin.New(cfg, w.gate, w.store, f, "v1.2.3", f.now)
	return w
}

func (w *worker) request(method, path string, headers ...string) *admin.Request {
	r := &admin.Request{Method: method, Path: path, Destination: "127.0.0.1:9902", Mono: w.now}
	for _, h := range append([]string{"authorization: Bearer " + token}, headers...) {
		name, value, _ := strings.Cut(h, ": ")
		r.Headers = append(r.Headers, core.Header{Name: name, Value: value})
	}
	return r
}

func (w *worker) serve(method, path string, headers ...string) admin.Response {
	return w.api.Serve(w.request(method, path, headers...))
}

// get is an answer's JSON.
func (w *worker) get(path string) any {
	w.t.Helper()
	out := w.serve("GET", path)
	require.Equal(w.t, 200, out.Status, "%s", out.Body)
	var v any
	require.NoError(w.t, json.Unmarshal(out.Body, &v), "%s", out.Body)
	return v
}

func (w *worker) do(method, path string) {
	w.t.Helper()
	out := w.serve(method, path)
	require.Equal(w.t, 204, out.Status, "%s", out.Body)
	assert.Empty(w.t, out.Body)
	assert.True(w.t, out.Write)
}

func header(out admin.Response, name string) string {
	for _, h := range out.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

func nothing(func(string)) {}
