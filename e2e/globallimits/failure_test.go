package globallimits_test

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// survivesRedis stops Redis in three ways and starts it again.
func (f *fleet) survivesRedis(t *testing.T) {
	f.redis.kill()
	t.Run("gone", func(t *testing.T) {
		start := time.Now()
		f.awaitHealthy(t, 0)
		t.Logf("Envoy knew after %s", time.Since(start).Round(100*time.Millisecond))
		start = time.Now()
		allowed, failed := f.stat(t, "cluster.upstream.ratelimit.failure_mode_allowed"), f.stat(t, "cluster.upstream.ratelimit.error")
		assert.Equal(t, 2*limit, f.alternate(t, limit+5, gate, "/", f.human(t, "frank")), "each window still holds")
		assert.Equal(t, allowed+2*limit, f.stat(t, "cluster.upstream.ratelimit.failure_mode_allowed"))
		assert.Less(t, time.Since(start), patience, "nobody waits")

		denied := f.get(t, 0, denying, "/", f.human(t, "grace"))
		assert.Equal(t, http.StatusServiceUnavailable, denied.status)
		assert.JSONEq(t, `{"detail": "Service unavailable"}`, denied.body)
		assert.Equal(t, "no-store", denied.header.Get("Cache-Control"))
		assert.Equal(t, failed+2*limit+1, f.stat(t, "cluster.upstream.ratelimit.error"), "either way")
		e := f.events(t, "grace", 1)[0]
		assert.Equal(t, "request_error", e.Type)
		assert.Equal(t, "rate_limiter_error", e.Metadata.Origin)
	})

	f.redis.start(t)
	t.Run("back", func(t *testing.T) {
		start := time.Now()
		f.awaitHealthy(t, len(f.proxies))
		t.Logf("Envoy knew after %s", time.Since(start).Round(100*time.Millisecond))
		awaitWindow(t, time.Minute, spare)
		assert.Equal(t, limit, f.alternate(t, limit, gate, "/", f.human(t, "heidi")), "without a restart of anything else")
	})

	f.redis.signal(syscall.SIGSTOP)
	t.Run("hanging", func(t *testing.T) {
		defer f.redis.signal(syscall.SIGCONT)
		ivan := f.human(t, "ivan")
		f.get(t, 0, hurried, "/health", ivan)
		start, allowed := time.Now(), f.stat(t, "cluster.upstream.ratelimit.failure_mode_allowed")
		assert.Equal(t, http.StatusOK, f.get(t, 0, hurried, "/", ivan).status)
		assert.Less(t, time.Since(start), patience, "the example's timeout decides")
		assert.Equal(t, allowed+1, f.stat(t, "cluster.upstream.ratelimit.failure_mode_allowed"))
	})

	f.service.kill()
	t.Run("without the service", func(t *testing.T) {
		assert.Equal(t, http.StatusOK, f.get(t, 0, gate, "/", f.human(t, "judy")).status)
		assert.Equal(t, http.StatusServiceUnavailable, f.get(t, 0, denying, "/", f.human(t, "judy")).status)
	})
}

// awaitHealthy returns when the health checks of so many proxies say that the service serves.
func (f *fleet) awaitHealthy(t *testing.T, proxies int) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, proxies, f.stat(c, "cluster.ratelimit.membership_healthy"))
	}, waits, 50*time.Millisecond)
}
