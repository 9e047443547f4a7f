package ratelimit_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// skewOf returns a bound on how far the wall clock and the monotonic clock drifted apart while f
// ran. The limiter uses the monotonic clock, Envoy's log the wall clock. They are the kernel's, the
// same for all processes. A wall clock is slewed by some hundred parts in a million (adjtimex(2)),
// so looking every few milliseconds misses nanoseconds; one that is set shows up whole.
func skewOf(t *testing.T, f func()) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var lowest, highest time.Duration
	looks := 0
	start := time.Now()
	look := func() {
		before := time.Now()
		seen := time.Now()
		if time.Since(before) > precision {
			return // interrupted in between, maybe between reading one clock and the other
		}
		apart := seen.Round(0).Sub(start.Round(0)) - seen.Sub(start)
		lowest, highest = min(lowest, apart), max(highest, apart)
		looks++
	}
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			look()
			<-tick.C
		}
	})
	f()
	cancel()
	watch.Wait()
	require.Positive(t, looks)
	return highest - lowest + 2*precision
}

// precision is how long the reading of both clocks may take to count.
const precision = 2 * time.Microsecond

func TestSkewOfClocksThatRunAlikeIsSmall(t *testing.T) {
	skew := skewOf(t, func() {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		<-ctx.Done()
	})
	assert.Positive(t, skew)
	assert.Less(t, skew, time.Millisecond, "the wall clock was set while the test ran")
}
