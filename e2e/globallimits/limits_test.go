package globallimits_test

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheFleet runs all scenarios in one fleet, because an Envoy takes seconds to start. Each has
// callers of its own.
func TestTheFleet(t *testing.T) {
	f := startFleet(t)
	t.Run("holds a limit that local windows alone double", f.holdsTheLimit)
	t.Run("keeps callers apart whatever they claim to be", f.keepsCallersApart)
	t.Run("limits who has no token by address, and health checks not at all", f.limitsAnonymous)
	t.Run("limits who is neither human nor machine", f.limitsUnknown)
	t.Run("says where the client stands with each stage", f.tellsBothStages)
	t.Run("answers gRPC alike in both stages", f.answersGRPC)
	t.Run("admits twice the limit around a boundary, but not through one proxy", f.doublesAtTheBoundary)
	t.Run("falls back to local windows without Redis", f.survivesRedis)
}

// limit is the example's for a human, per minute; machineLimit for a machine, per second.
const (
	limit        = 30
	machineLimit = 10
)

// spare is how much of a minute a scenario may need, on a machine that is busy with other things;
// it waits for the next one otherwise.
const spare = 20 * time.Second

func (f *fleet) holdsTheLimit(t *testing.T) {
	const each = 40
	limited := f.stat(t, "wasmcustom.gatehouse_audit_events_total.event_type.rate_limited")
	assert.Equal(t, 2*limit, f.alternate(t, each, localOnly, "/", f.human(t, "ada")), "each window admits its limit")
	const ada = 2 * (each - limit) // of hers were refused

	redis := dialRedis(t, f.redis)
	awaitWindow(t, time.Minute, spare)
	commands, asked := redis.commands(), f.stat(t, "cluster.upstream.ratelimit.over_limit")+f.stat(t, "cluster.upstream.ratelimit.ok")
	assert.Equal(t, limit, f.alternate(t, each, gate, "/", f.human(t, "bob")), "the fleet admits it once")

	// Each window admits its limit, also of what the service refuses then; the rest never gets that
	// far.
	byService, byWindow := 0, 0
	for _, e := range f.events(t, "bob", 2*each) {
		if e.Status == http.StatusOK {
			assert.Equal(t, "auth_success", e.Type)
			continue
		}
		assert.Equal(t, http.StatusTooManyRequests, e.Status)
		assert.Equal(t, "rate_limited", e.Type)
		if e.Metadata.Origin == "ratelimit" {
			byService++
			assert.Empty(t, e.Metadata.Reason+e.Metadata.Rule, "Gatehouse had admitted it")
		} else {
			byWindow++
			assert.Empty(t, e.Metadata.Origin)
			assert.Equal(t, "rate_limited", e.Metadata.Reason)
			assert.Equal(t, "per-human", e.Metadata.Rule)
		}
	}
	assert.Equal(t, limit, byService)
	assert.Equal(t, 2*(each-limit), byWindow)
	assert.Equal(t, asked+2*limit, f.stat(t, "cluster.upstream.ratelimit.over_limit")+f.stat(t, "cluster.upstream.ratelimit.ok"))
	assert.Equal(t, 2*(limit+1), redis.commands()-commands, "two for each admitted request and the first refused one, then the local cache knows")

	require.EventuallyWithT(t, func(c *assert.CollectT) { // counters may lag by a second
		assert.Equal(c, limited+ada+byService+byWindow, f.stat(c, "wasmcustom.gatehouse_audit_events_total.event_type.rate_limited"))
		assert.Equal(c, limit+byService, f.stat(c, "wasmcustom.gatehouse_requests_total.route.rest.decision.admitted")-2*limit, "Gatehouse had admitted these")
		text, err := f.proxies[0].PrometheusText(t.Context())
		require.NoError(c, err)
		assert.Regexp(c, `(?m)^gatehouse_audit_events_total\{event_type="rate_limited"\} [1-9]`, text)
	}, waits, 50*time.Millisecond)
}

func (f *fleet) keepsCallersApart(t *testing.T) {
	awaitWindow(t, time.Minute, spare)
	mallory, admitted := f.human(t, "mallory"), 0
	for i := range 2 * limit {
		forged := mallory.Clone()
		forged.Set("X-Gatehouse-User-Id", "somebody-"+strconv.Itoa(i))
		forged.Set("X-Gatehouse-Issuer", "somewhere-"+strconv.Itoa(i))
		forged.Set("X_gatehouse_caller", "machine")
		if f.get(t, i%2, gate, "/", forged).status == http.StatusOK {
			admitted++
		}
	}
	assert.Equal(t, limit, admitted)
	assert.Equal(t, http.StatusOK, f.get(t, 0, gate, "/", f.human(t, "somebody-1")).status)
}

// limitsUnknown has a caller whose token says neither human nor machine.
func (f *fleet) limitsUnknown(t *testing.T) {
	awaitWindow(t, time.Minute, spare)
	trent := f.authorization(t, f.issuer.Claims("trent", "orders", time.Hour).With("client_id", "app"))
	assert.Equal(t, limit, f.alternate(t, limit, gate, "/", trent))
}

func (f *fleet) limitsAnonymous(t *testing.T) {
	awaitWindow(t, time.Minute, spare)
	assert.Equal(t, limit, f.alternate(t, limit, gate, "/public/prices", nil))
	assert.Equal(t, 2*limit, f.alternate(t, limit, gate, "/health", nil))
}

func (f *fleet) tellsBothStages(t *testing.T) {
	end := awaitWindow(t, time.Minute, spare)
	carol := f.human(t, "carol")
	for range 9 {
		f.get(t, 1, gate, "/", carol)
	}
	h := f.get(t, 0, gate, "/", carol).header
	assert.Equal(t, []string{"30"}, h.Values("X-Ratelimit-Limit"))
	assert.Equal(t, []string{"29"}, h.Values("X-Ratelimit-Remaining"), "one of ten requests came through this proxy")
	assert.Equal(t, []string{`"per-human";r=29;t=60, "ceiling";r=599;t=60`}, h.Values("Ratelimit"))
	assert.Equal(t, []string{"30"}, h.Values("X-Fleet-Ratelimit-Limit"))
	assert.Equal(t, []string{"20"}, h.Values("X-Fleet-Ratelimit-Remaining"))
	assert.Empty(t, h.Values("Retry-After"))

	f.alternate(t, limit-10, gate, "/", carol)
	most := time.Until(end)
	refused := f.get(t, 0, gate, "/", carol)
	least := time.Until(end)
	assert.Equal(t, http.StatusTooManyRequests, refused.status)
	assert.Equal(t, `{"detail": "Rate limit exceeded"}`, refused.body)
	assert.Equal(t, []string{"application/json"}, refused.header.Values("Content-Type"))
	assert.Equal(t, []string{"no-store"}, refused.header.Values("Cache-Control"))
	assert.Equal(t, []string{"0"}, refused.header.Values("X-Fleet-Ratelimit-Remaining"))
	assert.NotEqual(t, "0", refused.header.Get("X-Ratelimit-Remaining"), "this proxy's window has room")
	assert.Empty(t, refused.header.Values("X-Envoy-Ratelimited"))
	require.Len(t, refused.header.Values("Retry-After"), 1)
	retry, err := strconv.Atoi(refused.header.Get("Retry-After"))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, float64(retry), math.Floor(least.Seconds()), "until the service's window ends")
	assert.LessOrEqual(t, float64(retry), math.Ceil(most.Seconds()), "and no longer")
	assert.Equal(t, refused.header.Get("Retry-After"), refused.header.Get("X-Fleet-Ratelimit-Reset"))

	// Envoy's own X-RateLimit headers speak of the fleet, but Gatehouse has the last word.
	for range 4 {
		f.get(t, 1, draft, "/", f.human(t, "dave"))
	}
	h = f.get(t, 0, draft, "/", f.human(t, "dave")).header
	assert.Equal(t, []string{"29"}, h.Values("X-Ratelimit-Remaining"))
	assert.Equal(t, []string{"25"}, h.Values("X-Fleet-Ratelimit-Remaining"))
}

func (f *fleet) answersGRPC(t *testing.T) {
	awaitWindow(t, time.Minute, spare)
	erin := f.human(t, "erin")
	erin.Set("Content-Type", "application/grpc")
	origins := map[string]int{}
	for range limit + 1 {
		for proxy := range f.proxies {
			a := f.get(t, proxy, gate, "/shop.Orders/List", erin)
			if a.header.Get("Grpc-Status") != "" {
				assert.Equal(t, http.StatusOK, a.status)
				assert.Equal(t, "8", a.header.Get("Grpc-Status"))
				assert.NotEmpty(t, a.header.Get("Retry-After"))
			}
		}
	}
	for _, e := range f.events(t, "erin", 2*(limit+1)) {
		if e.Type == "rate_limited" {
			origins[e.Metadata.Origin]++
		}
	}
	assert.Equal(t, map[string]int{"ratelimit": limit, "": 2}, origins)
}

// doublesAtTheBoundary has a machine use up its limit at the end of one second and again at the
// start of the next.
func (f *fleet) doublesAtTheBoundary(t *testing.T) {
	for _, test := range []struct {
		name    string
		proxies int
		want    int
	}{
		{"through two proxies", 2, 2 * machineLimit},
		{"through one", 1, machineLimit},
	} {
		t.Run(test.name, func(t *testing.T) {
			// A burst must end before the boundary, which a busy machine may miss: then a fresh
			// machine tries again.
			for try := range 50 {
				machine := f.machine(t, "job-"+strconv.Itoa(test.proxies)+"-"+strconv.Itoa(try))
				for proxy := range test.proxies { // verifies the token, and opens no window of the scenario's
					f.burst(t, proxy, 1, "/health", machine)
				}
				boundary := awaitWindow(t, time.Second, 600*time.Millisecond)
				start := boundary.Add(-200 * time.Millisecond)
				awaitMoment(t, start)
				admitted := 0
				for proxy := range test.proxies {
					admitted += f.burst(t, proxy, machineLimit/test.proxies, "/", machine)
				}
				if !time.Now().Before(boundary) {
					continue
				}
				require.Equal(t, machineLimit, admitted)
				awaitMoment(t, boundary.Add(5*time.Millisecond))
				for proxy := range test.proxies {
					admitted += f.burst(t, proxy, machineLimit/test.proxies, "/", machine)
				}
				took := time.Since(start)
				if took >= time.Second {
					continue
				}
				assert.Equal(t, test.want, admitted)
				t.Logf("admitted %d of at most %d a second within %s", admitted, machineLimit, took.Round(time.Millisecond))
				return
			}
			require.Fail(t, "no burst met the boundary")
		})
	}
}

// burst sends n requests to one proxy at once and returns how many were admitted.
func (f *fleet) burst(t *testing.T, proxy, n int, path string, header http.Header) (admitted int) {
	t.Helper()
	answers := make([]answer, n)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = f.send(t.Context(), proxy, gate, path, header) })
	}
	all.Wait()
	for _, a := range answers {
		require.NoError(t, a.err)
		if a.status == http.StatusOK {
			admitted++
		}
	}
	return admitted
}

func awaitMoment(t *testing.T, moment time.Time) {
	t.Helper()
	timer := time.NewTimer(time.Until(moment))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		require.Fail(t, "the test ended")
	}
}
