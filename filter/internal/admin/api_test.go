package admin_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/core/audit"
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

func TestOnlyAnOperatorOnTheSameMachineIsAnswered(t *testing.T) {
	w := newFleet().worker(t)
	for name, test := range map[string]struct {
		status int
		change func(r *admin.Request)
	}{
		"as it should be":        {200, func(*admin.Request) {}},
		"over IPv6":              {200, func(r *admin.Request) { r.Destination = "[::1]:9902" }},
		"IPv4 on an IPv6 socket": {200, func(r *admin.Request) { r.Destination = "[::ffff:127.0.0.1]:9902" }},
		"scheme in lower case":   {200, func(r *admin.Request) { r.Headers[0].Value = "bearer " + token }},
		"another address":        {403, func(r *admin.Request) { r.Destination = "10.0.0.5:9902" }},
		"another IPv6 address":   {403, func(r *admin.Request) { r.Destination = "[fe80::1]:9902" }},
		"all addresses":          {403, func(r *admin.Request) { r.Destination = "0.0.0.0:9902" }},
		"a name":                 {403, func(r *admin.Request) { r.Destination = "127.evil.example:9902" }},
		"a Unix socket":          {403, func(r *admin.Request) { r.Destination = "/run/envoy.sock" }},
		"no address":             {403, func(r *admin.Request) { r.Destination = "" }},
		"a page": {403, func(r *admin.Request) {
			r.Headers = append(r.Headers, core.Header{Name: "origin", Value: "https://evil.example"})
		}},
		"an opaque origin":    {403, func(r *admin.Request) { r.Headers = append(r.Headers, core.Header{Name: "origin", Value: "null"}) }},
		"no token":            {401, func(r *admin.Request) { r.Headers = nil }},
		"an empty token":      {401, func(r *admin.Request) { r.Headers[0].Value = "Bearer " }},
		"another token":       {401, func(r *admin.Request) { r.Headers[0].Value = "Bearer " + strings.ToUpper(token) }},
		"the beginning of it": {401, func(r *admin.Request) { r.Headers[0].Value = "Bearer " + token[:31] }},
		"more than it":        {401, func(r *admin.Request) { r.Headers[0].Value = "Bearer " + token + " " }},
		"another scheme":      {401, func(r *admin.Request) { r.Headers[0].Value = "Basic " + token }},
		"the token alone":     {401, func(r *admin.Request) { r.Headers[0].Value = token }},
		"two authorizations":  {401, func(r *admin.Request) { r.Headers = append(r.Headers, r.Headers[0]) }},
		"a body":              {413, func(r *admin.Request) { r.Headers = append(r.Headers, core.Header{Name: "content-length", Value: "1"}) }},
		"a body of unknown length": {413, func(r *admin.Request) {
			r.Headers = append(r.Headers, core.Header{Name: "transfer-encoding", Value: "chunked"})
		}},
		"an empty body": {200, func(r *admin.Request) { r.Headers = append(r.Headers, core.Header{Name: "content-length", Value: "0"}) }},
		"a long path":   {414, func(r *admin.Request) { r.Path = "/rate-limits/per-caller/" + strings.Repeat("x", 9000) }},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.request("GET", "/metrics")
			test.change(r)
			out := w.api.Serve(r)
			assert.Equal(t, test.status, out.Status, "%s", out.Body)
			assert.False(t, out.Write)
			assert.Equal(t, "no-store", header(out, "cache-control"))
			assert.Equal(t, "application/json", header(out, "content-type"))
			assert.NotContains(t, string(out.Body), token)
			assert.Equal(t, test.status == 401, header(out, "www-authenticate") != "")
			if test.status != 200 {
				var body map[string]string
				require.NoError(t, json.Unmarshal(out.Body, &body))
				assert.NotEmpty(t, body["detail"])
			}
		})
	}
}

func TestEachPathHasOneSpellingAndItsOwnMethods(t *testing.T) {
	allowed := map[string]string{
		"/metrics": "GET", "/metrics/prometheus": "GET", "/metrics/reset": "POST", "/rate-limits": "DELETE",
		"/rate-limits/per-caller/user_id=main%2Falice": "GET, DELETE", "/rate-limits/per-caller/user_id=main/alice": "GET, DELETE",
		"/audit/heads": "GET", "/refusals": "GET", "/config": "GET", "/ready": "GET", "/stats": "GET",
	}
	w := newFleet().worker(t)
	for path, allow := range allowed {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", ""} {
			out := w.serve(method, path)
			if method != "" && strings.Contains(allow, method) {
				assert.Less(t, out.Status, 500, "%s %s", method, path)
				assert.Equal(t, method != "GET", out.Write, "%s %s", method, path)
				continue
			}
			assert.Equal(t, 405, out.Status, "%s %s", method, path)
			assert.Equal(t, allow, header(out, "allow"))
			assert.False(t, out.Write)
		}
	}
	for _, path := range []string{
		"", "/", "*", "metrics", "/metrics/", "//metrics", "/./metrics", "/x/../metrics", "/metrics/..", "/metrics?", "/metrics?x=1", "/metrics#x", "/%6detrics",
		"/METRICS", "/metrics%2Fprometheus", "/metrics\\prometheus", "/metrics;x", "/metrics\x00", "/config/", "/config.json", "http://127.0.0.1/metrics",
		"/rate-limits/", "/rate-limits/per-caller", "/rate-limits/per-caller/", "/rate-limits//user_id=main/alice", "/rate-limits/per-caller/user_id=main/alice?x",
		"/rate-limits/nope/user_id=main/alice", "/rate-limits/per%2Dcaller/user_id=main/alice", "/rate-limits/../config",
	} {
		out := w.serve("GET", path)
		assert.Equal(t, 404, out.Status, path)
		assert.JSONEq(t, string(out.Body), string(out.Body))
	}
}

func TestLookingUpResettingAndClearingActOnAllWorkers(t *testing.T) {
	f := newFleet()
	a, b := f.worker(t), f.worker(t)
	const path = "/rate-limits/per-caller/user_id=main/alice"
	alice := func(w *worker) ratelimit.ID {
		id, err := w.gate.ParseIdentifier(0, "user_id=main/alice")
		require.NoError(t, err)
		return id
	}
	charge := func(w *worker) bool {
		var out ratelimit.Result
		w.gate.Limiter().Charge(0, alice(w), 1, f.now, &out)
		return out.Admitted
	}
	windows := func(remaining, reset float64) any {
		return []any{map[string]any{"limit": 3.0, "remaining": remaining, "reset_seconds": reset}}
	}
	for range 10 { // looking changes nothing
		assert.Equal(t, windows(3, 0), a.get(path))
	}
	assert.True(t, charge(a))
	f.now += second / 2
	assert.True(t, charge(b))
	assert.Equal(t, windows(1, 60), a.get(path), "59.5 s until the oldest charge expires")
	assert.Equal(t, windows(1, 60), b.get("/rate-limits/per-caller/user_id=main%2Falice"[:len("/rate-limits/per-caller/")]+"user_id=main/%61lice"))
	assert.True(t, charge(a))
	assert.False(t, charge(a))
	assert.False(t, charge(b))

	a.do("DELETE", path)
	assert.Equal(t, windows(3, 0), b.get(path))
	for range 3 {
		assert.True(t, charge(b))
	}
	assert.False(t, charge(a))

	b.do("DELETE", "/rate-limits")
	assert.Equal(t, windows(3, 0), a.get(path))
	assert.True(t, charge(a))
	assert.True(t, charge(b))

	assert.Equal(t, []any{
		map[string]any{"limit": 2.0, "remaining": 2.0, "reset_seconds": 0.0},
		map[string]any{"limit": 10.0, "remaining": 10.0, "reset_seconds": 0.0},
	}, a.get("/rate-limits/two/ip=192.0.2.1"))
}

func TestAMalformedIdentifierIsABadRequest(t *testing.T) {
	w := newFleet().worker(t)
	for _, method := range []string{"GET", "DELETE"} {
		out := w.serve(method, "/rate-limits/per-caller/user=alice")
		assert.Equal(t, 400, out.Status)
		assert.JSONEq(t, `{"detail": "element 1: want user_id"}`, string(out.Body))
	}
}

func TestTheSnapshotIsOfAllWorkersSinceTheReset(t *testing.T) {
	f := newFleet()
	a, b := f.worker(t), f.worker(t)
	f.values = map[string]uint64{
		"gatehouse_tokens_validated_total":                                     90,
		"gatehouse_tokens_failed_total.reason.expired_token.provider.main":     6,
		"gatehouse_tokens_failed_total.reason.expired_token.provider.other":    1,
		"gatehouse_tokens_failed_total.reason.malformed_token.provider.none":   3,
		"gatehouse_tokens_failed_total.reason.invalid_issuer.provider.removed": 2, // of a configuration before this one
	}
	a.api.Tick(f.now)
	exact := []float64{}
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range 1000 {
		w := []*worker{a, b}[i%2]
		w.feed.Look(f.now)
		nanos := int64(1000 + rnd.IntN(1_000_000))
		exact = append(exact, float64(nanos)/1e6)
		w.feed.Validated(nanos)
		if i%100 > 97 {
			w.feed.Share(1, func(yield func(string)) {
				yield("gatehouse_tokens_failed_total.reason.invalid_issuer.provider.removed")
			})
		}
	}
	f.now += 5 * second
	got := a.get("/metrics").(map[string]any)
	assert.Equal(t, 5.0, got["uptime_seconds"])
	assert.Equal(t, 90.0, got["tokens_validated"])
	assert.Equal(t, 12.0, got["tokens_failed"])
	assert.Equal(t, 102.0, got["total_tokens"])
	assert.InDelta(t, 90/1.02, got["success_rate"], 1e-9)
	assert.Equal(t, map[string]any{"expired_token": 7.0, "malformed_token": 3.0, "invalid_issuer": 2.0}, got["errors_by_type"])
	sum := 0.0
	for _, ms := range exact {
		sum += ms
	}
	assert.InDelta(t, sum/1000, got["validation_time_avg_ms"], 1e-9)
	assert.InEpsilon(t, 0.95, got["validation_time_p95_ms"], 0.03)
	assert.Equal(t, got, b.get("/metrics"), "whichever worker is asked")

	b.do("POST", "/metrics/reset")
	f.now += second
	want := map[string]any{
		"uptime_seconds": 1.0, "tokens_validated": 0.0, "tokens_failed": 0.0, "total_tokens": 0.0, "success_rate": 0.0, "validation_time_avg_ms": 0.0,
		"validation_time_p95_ms": 0.0, "validation_time_p99_ms": 0.0, "errors_by_type": map[string]any{},
	}
	assert.Equal(t, want, a.get("/metrics"))
	f.values["gatehouse_tokens_validated_total"]++
	a.feed.Validated(2_000_000)
	a.feed.Share(0, nothing)
	got = b.get("/metrics").(map[string]any)
	assert.Equal(t, 1.0, got["tokens_validated"])
	assert.InEpsilon(t, 2.0, got["validation_time_p99_ms"], metrics.RelativeError)

	c := f.worker(t) // a restarted VM, or an update of the configuration
	assert.Equal(t, got, c.get("/metrics"))
	text := string(c.serve("GET", "/metrics/prometheus").Body)
	assert.Contains(t, text, "\nauth_tokens_validated_total 1\n")
	assert.Equal(t, "text/plain; version=0.0.4; charset=utf-8", header(c.serve("GET", "/metrics/prometheus"), "content-type"))
}

func TestWhatOthersWriteToSharedDataIsNoSnapshot(t *testing.T) {
	f := newFleet()
	w := f.worker(t)
	for _, key := range []string{"mark", "duration", "names", "baseline", "refused", "refusal/0", "refusal/7"} {
		for _, value := range []string{"", "x", "\x01", strings.Repeat("\xff", 100), strings.Repeat("\x00", 18), "\ngatehouse_x.a.<script>\n", `{"timestamp":"`, "12345678{\"timestamp\":\"<"} {
			overwrite(t, w.store, "gatehouse/admin/1/"+key, value)
			for _, path := range []string{"/metrics", "/stats", "/refusals"} {
				w.get(path)
			}
			w.feed.Look(f.now)
			w.feed.Validated(1)
			w.feed.Refused([]byte(`{"timestamp":"2026-01-01T00:00:00.000000Z"}`))
			w.feed.Share(1, func(yield func(string)) { yield("gatehouse_config_hash") })
			w.api.Tick(f.now)
		}
	}
	overwrite(t, w.store, admin.HeadsKey, "{\"seq\":1}\n{\"seq\"\n\n{\"seq\":2}\n")
	assert.Equal(t, []any{map[string]any{"seq": 1.0}, map[string]any{"seq": 2.0}}, w.get("/audit/heads"))
}

func overwrite(t *testing.T, store ratelimit.Store, key, value string) {
	t.Helper()
	_, version, err := store.Get(key)
	require.NoError(t, err)
	ok, err := store.CompareAndSet(key, []byte(value), version)
	require.NoError(t, err)
	require.True(t, ok)
}

func TestRefusalsAreTheLast200OfAllWorkersNewestFirst(t *testing.T) {
	f := newFleet()
	a, b := f.worker(t), f.worker(t)
	a.feed.Look(f.now)
	a.feed.Refused([]byte("{}"))
	a.feed.Share(0, nothing)
	assert.Empty(t, a.get("/refusals"), "nothing is kept before the admin API is there")

	a.api.Tick(f.now)
	event := func(i int) string {
		return fmt.Sprintf(`{"timestamp":"2026-01-01T00:%02d:%02d.000000Z","i":%d}`, i/60, i%60, i)
	}
	for i := range 450 {
		w := []*worker{a, b}[i%2]
		w.feed.Look(f.now)
		w.feed.Refused([]byte(event(i)))
		w.feed.Share(0, nothing)
	}
	all := b.get("/refusals").([]any)
	require.Len(t, all, admin.Refusals)
	for i, e := range all {
		assert.EqualValues(t, 449-i, e.(map[string]any)["i"])
	}
	a.feed.Refused([]byte(`{"timestamp":"2027-01-01T00:00:00.000000Z","x":"` + strings.Repeat("x", 1<<17) + `"}`))
	a.feed.Share(0, nothing)
	assert.EqualValues(t, 449, b.get("/refusals").([]any)[0].(map[string]any)["i"], "too long to keep")

	f.now += 11 * second // the admin API is gone
	a.feed.Look(f.now)
	assert.False(t, a.feed.Active())
}

// TestMoreThan200RefusalsBetweenTwoTicks come by in a worker that is flooded with bad tokens.
func TestMoreThan200RefusalsBetweenTwoTicks(t *testing.T) {
	w := newFleet().worker(t)
	w.api.Tick(w.now)
	w.feed.Look(w.now)
	for i := range 1000 {
		w.feed.Refused(fmt.Appendf(nil, `{"timestamp":"2026-01-01T00:00:00.%06dZ","i":%d}`, i, i))
	}
	w.feed.Share(0, nothing)
	all := w.get("/refusals").([]any)
	require.Len(t, all, admin.Refusals)
	assert.EqualValues(t, 999, all[0].(map[string]any)["i"])
	assert.EqualValues(t, 800, all[199].(map[string]any)["i"])
}

func TestStatsAreTheMetricsThatGatesCount(t *testing.T) {
	f := newFleet()
	w := f.worker(t)
	f.values = map[string]uint64{
		"gatehouse_tokens_validated_total": 4, "gatehouse_requests_total.route.rest.decision.admitted": 7, "gatehouse_jwks_age_seconds.provider.main": 12,
		"rule=.=l;.;gatehouse_rate_limit_evictions_total": 2, "gatehouse_validation_duration_us": 1,
	}
	w.api.Tick(f.now)
	w.feed.Look(f.now)
	w.feed.Share(5, func(yield func(string)) {
		for name := range f.values {
			yield(name)
		}
		yield("gatehouse_not_there_total")
	})
	got := w.get("/stats").(map[string]any)
	assert.ElementsMatch(t, []any{
		map[string]any{"name": "gatehouse_requests_total", "labels": map[string]any{"route": "rest", "decision": "admitted"}, "value": 7.0},
		map[string]any{"name": "gatehouse_tokens_validated_total", "labels": map[string]any{}, "value": 4.0},
		map[string]any{"name": "gatehouse_rate_limit_evictions_total", "labels": map[string]any{"rule": "l"}, "value": 2.0},
	}, got["counters"])
	assert.Equal(t, []any{
		map[string]any{"name": "gatehouse_jwks_age_seconds", "labels": map[string]any{"provider": "main"}, "value": 12.0},
	}, got["gauges"])
}

func TestReadyAndConfig(t *testing.T) {
	f := newFleet()
	w := f.worker(t)
	assert.Equal(t, map[string]any{"ready": true, "providers": []any{
		map[string]any{"name": "main", "ready": true}, map[string]any{"name": "other", "ready": true},
	}}, w.get("/ready"))
	f.keys[0] = false
	out := w.serve("GET", "/ready")
	assert.Equal(t, 503, out.Status)
	assert.JSONEq(t, `{"ready":false,"providers":[{"name":"main","ready":false},{"name":"other","ready":true}]}`, string(out.Body))

	shown := w.get("/config").(map[string]any)
	assert.Equal(t, "v1.2.3", shown["version"])
	assert.Equal(t, "enforce", shown["config"].(map[string]any)["mode"])
	assert.NotContains(t, fmt.Sprint(shown), token)
	assert.NotContains(t, fmt.Sprint(shown), "c2VjcmV0")
	cfg, err := config.Parse([]byte(document), nil)
	require.NoError(t, err)
	assert.EqualValues(t, cfg.Hash, shown["config_hash"])
}

// broken is a store that fails.
type broken struct{ ratelimit.Store }

func (broken) Get(string) ([]byte, ratelimit.Version, error) { return nil, 0, assert.AnError }

func TestAFailingStoreIsServiceUnavailable(t *testing.T) {
	f := newFleet()
	cfg, err := config.Parse([]byte(document), nil)
	require.NoError(t, err)
	gate, err := core.New(cfg, core.Host{Store: broken{}, Mono: func() clock.Mono { return f.now }})
	require.NoError(t, err)
	w := &worker{fleet: f, t: t, store: broken{}, gate: gate, api: admin.New(cfg, gate, broken{}, f, "", f.now), feed: admin.NewFeed(broken{})}
	w.api.Tick(f.now)
	w.feed.Look(f.now)
	assert.False(t, w.feed.Active())
	for _, r := range []string{"GET /rate-limits/per-caller/user_id=main/alice", "DELETE /rate-limits/per-caller/user_id=main/alice", "DELETE /rate-limits", "POST /metrics/reset"} {
		method, path, _ := strings.Cut(r, " ")
		out := w.serve(method, path)
		assert.Equal(t, 503, out.Status, r)
		assert.JSONEq(t, `{"detail": "Service unavailable"}`, string(out.Body))
	}
	w.get("/metrics")
	w.get("/stats")
}

func nothing(func(string)) {}

func TestHeadsAreTheLastOfEachStream(t *testing.T) {
	f := newFleet()
	a, b := f.worker(t), f.worker(t)
	a.api.Tick(f.now)
	head := func(stream string, seq uint64) audit.Head {
		return audit.Head{KeyID: "k", Stream: stream, Seq: seq, MAC: [32]byte{byte(seq)}}
	}
	shares := func(w *worker, stream string, seq uint64) {
		w.feed.Look(f.now)
		w.feed.Head(head(stream, seq))
		w.feed.Share(0, nothing)
	}
	heads := func() (out []string) {
		for _, h := range a.get("/audit/heads").([]any) {
			h := h.(map[string]any)
			out = append(out, fmt.Sprintf("%s %v %s", h["stream"], h["seq"], h["mac"].(string)[:4]))
		}
		return out
	}
	assert.Empty(t, heads())
	shares(a, "a", 0)
	shares(b, "b", 7)
	assert.Equal(t, []string{"a 0 0000", "b 7 0700"}, heads())
	shares(a, "a", 2)
	assert.Equal(t, []string{"b 7 0700", "a 2 0200"}, heads())
	for i := range 600 { // workers that came and went
		shares(f.worker(t), fmt.Sprint("c", i), 1)
	}
	assert.Len(t, heads(), 512)
	assert.Contains(t, heads(), "c599 1 0100")
}
