package ratelimit_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core/clock"
	"gatehouse/core/ratelimit"
	"gatehouse/core/ratelimit/ratelimittest"
)

// Real concurrency: the race detector looks, and exactly the limit is admitted of the charges of
// one moment.
func TestConcurrentWorkersAdmitExactlyTheLimit(t *testing.T) {
	for _, max := range []uint64{1, 100, 2000} {
		shared := ratelimittest.NewShared()
		var ticks, admitted, contended atomic.Int64
		ticks.Store(int64(start))
		var group sync.WaitGroup
		for range 4 {
			l := limiter(t, shared.Worker(), rule(ratelimit.Window{Max: max, Length: 60 * second}))
			group.Go(func() {
				for range 1000 {
					r := charge(l, ratelimit.ID{}, 1, clock.Mono(ticks.Add(1)))
					if r.Admitted {
						admitted.Add(1)
					}
					if r.Contention {
						contended.Add(1)
					}
				}
			})
		}
		group.Wait()
		assert.LessOrEqual(t, admitted.Load(), int64(max))
		assert.GreaterOrEqual(t, admitted.Load()+contended.Load(), int64(max))
		l := limiter(t, shared.Worker(), rule(ratelimit.Window{Max: max, Length: 60 * second}))
		left := peek(t, l, ratelimit.ID{}, clock.Mono(ticks.Load())).Windows[0].Remaining
		assert.Equal(t, int64(max), admitted.Load()+int64(left), "what was admitted is what counts")
	}
}

// Charges and refunds of many workers cancel out.
func TestConcurrentRefundsLeaveNothingBehind(t *testing.T) {
	shared := ratelimittest.NewShared()
	big := rule(ratelimit.Window{Max: 5000, Length: 60 * second})
	var ticks, stuck atomic.Int64
	ticks.Store(int64(start))
	var group sync.WaitGroup
	for worker := range 4 {
		l := limiter(t, shared.Worker(), big)
		group.Go(func() {
			results := make([]ratelimit.Result, 300) // over all workers more than a log holds
			for i := range results {
				l.Charge(0, ratelimit.ID{}, uint64(1+worker%2), clock.Mono(ticks.Add(1000)), &results[i])
			}
			for i := range results {
				if !l.Refund(0, ratelimit.ID{}, uint64(1+worker%2), &results[i], clock.Mono(ticks.Add(1000))) {
					stuck.Add(int64(1 + worker%2))
				}
			}
		})
	}
	group.Wait()
	l := limiter(t, shared.Worker(), big)
	assert.Equal(t, uint64(5000-stuck.Load()), peek(t, l, ratelimit.ID{}, clock.Mono(ticks.Load())).Windows[0].Remaining)
}

// A worker's clock that lags behind another's: its charges are counted from the newest moment
// known.
func TestALaggingClockDoesNotReviveExpiredCharges(t *testing.T) {
	shared := ratelimittest.NewShared()
	r := rule(ratelimit.Window{Max: 1, Length: second})
	ahead, behind := limiter(t, shared.Worker(), r), limiter(t, shared.Worker(), r)
	assert.True(t, charge(ahead, ratelimit.ID{}, 1, start).Admitted)
	got := charge(behind, ratelimit.ID{}, 1, start-10)
	assert.False(t, got.Admitted)
	assert.EqualValues(t, second+10, got.Retry, "by its own clock")
	assert.True(t, charge(ahead, ratelimit.ID{}, 1, start+second).Admitted)
	assert.False(t, charge(behind, ratelimit.ID{}, 1, start+second-1).Admitted)
}
