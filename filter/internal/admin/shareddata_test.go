package admin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/ratelimit"
	"gatehouse/filter/internal/admin"
)

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
