package ratelimit_test

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// What core/ratelimit documents: a bucket for every 16 of max_identifiers with room for 32 callers,
// each of 53 bytes and up to 6 for its one charge, under a header of 32.
const (
	bucketShare = 16
	bucketRoom  = 32
	bucketBytes = 32 + bucketRoom*(53+6)
)

// TestFloodOfCallersStaysInBounds sends a flood of distinct callers, each with one request, at a
// limit that has room for a fraction of them. Those who had reached the limit before stay refused,
// and Envoy's memory levels off.
func TestFloodOfCallersStaysInBounds(t *testing.T) {
	const limit, exhausted, steps = 3, 200, 20
	callers, room := 100_000, 4096
	if long() {
		callers, room = 1_000_000, 65_536
	}
	p := startEnvoy(t, 2, object{
		"routes": []any{object{"path": "/**", "auth": "none", "rate_limits": []any{"flood"}}},
		"rate_limits": []any{object{
			"name": "flood", "max_requests": limit, "window_seconds": 86400,
			"identifier": []any{"header:x-key"}, "max_identifiers": room,
		}},
		"audit": object{"enabled": false},
	}, envoy.AccessLog("gate", "/dev/null"))
	address := p.Address("gate")

	// numbered sends one request for each number from a to before b.
	numbered := func(prefix string, a, b int) result {
		var next atomic.Int64
		next.Store(int64(a))
		l := load{address: address, connections: 32, request: func(dst []byte, _ *rand.Rand) []byte {
			n := int(next.Add(1)) - 1
			if n >= b {
				return nil
			}
			return get(dst, "/", "x-key", prefix+strconv.Itoa(n))
		}}
		return l.run(t.Context(), t)
	}
	stillRefused := func() {
		require.Equal(t, map[int]int{http.StatusTooManyRequests: exhausted}, numbered("exhausted-", 0, exhausted).statuses)
	}
	for range limit {
		require.Equal(t, map[int]int{http.StatusOK: exhausted}, numbered("exhausted-", 0, exhausted).statuses)
	}
	stillRefused()

	var rss [steps + 1]int64
	for step := range steps {
		var err error
		if rss[step], err = p.RSS(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%8d callers: %6.1f MB", step*callers/steps, megabytes(rss[step]))
		came := numbered("k", step*callers/steps, (step+1)*callers/steps)
		require.Equal(t, map[int]int{http.StatusOK: callers / steps}, came.statuses)
		stillRefused()
	}
	var err error
	rss[steps], err = p.RSS()
	require.NoError(t, err)
	bound := int64(room/bucketShare) * bucketBytes
	t.Logf("%8d callers: %6.1f MB; the buckets' values have at most %.1f MB", callers, megabytes(rss[steps]), megabytes(bound))

	// Once every bucket is full nothing grows. With four callers for each place, that is by far the
	// case.
	full := 8*room*steps/callers + 1
	assert.Less(t, full, steps)
	assert.LessOrEqual(t, rss[steps]-rss[full], int64(slack), "it grew on after all buckets were full")
	// An allocator may take twice a value's bytes, and for a moment hold the old value beside the
	// new one.
	assert.LessOrEqual(t, rss[steps]-rss[0], 3*bound+slack, "it grew beyond what the limit may keep")

	evicted := stat(t, p, "gatehouse_rate_limit_evictions_total.rule.flood", uint64(exhausted+callers-2*room))
	t.Logf("%d callers evicted", evicted)
	assert.Equal(t, uint64(exhausted+callers-room/bucketShare*bucketRoom), evicted, "all but those that the full buckets hold")
	assert.Equal(t, uint64(limit*exhausted+callers),
		stat(t, p, "gatehouse_rate_limit_decisions_total.rule.flood.decision.admitted", uint64(limit*exhausted+callers)))
}

// slack is what Envoy's memory moves by anyway: two VMs' heaps, connections, statistics.
const slack = 12 << 20

func megabytes(n int64) float64 { return float64(n) / (1 << 20) }
