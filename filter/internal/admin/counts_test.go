package admin_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core/metrics"
)

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
