package bench

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	"golang.org/x/time/rate"

	"gatehouse/core/clock"
	"gatehouse/core/ratelimit"
	"gatehouse/core/ratelimit/ratelimittest"
)

// callers take turns. Each makes as many requests as its limit allows, so that every limiter admits
// and every window is full.
const callers = 1000

const window = 60 * time.Second

// decide reports whether caller may make one more request at now.
type decide func(caller int, now time.Duration) bool

// BenchmarkDecision is one admitted decision. The limiters promise different things. Gatehouse's
// window is exact and its memory is bounded; each decision copies the state out of and into a store
// that workers share by compare-and-set. throttled (GCRA) and x/time keep one number per caller and
// admit up to twice the limit within one window. go-limiter's window is fixed, with the same effect
// at its edge.
func BenchmarkDecision(b *testing.B) {
	for _, limit := range []int{10, 100, 500, 10_000} {
		for _, c := range []struct {
			name string
			open func(b *testing.B, limit int) decide
		}{
			{"gatehouse", gatehouse},
			{"throttled", gcra},
			{"go-limiter", fixedWindow},
			{"x-time-rate", tokenBucket},
		} {
			b.Run("limit="+strconv.Itoa(limit)+"/"+c.name, func(b *testing.B) {
				admits := c.open(b, limit)
				step := window/time.Duration(limit)/callers + 1
				now, i, admitted, total := time.Duration(0), 0, 0, 0
				next := func() {
					if admits(i%callers, now) {
						admitted++
					}
					total++
					i++
					now += step
				}
				for range callers * min(limit, 600) {
					next()
				}
				admitted, total = 0, 0
				b.ReportAllocs()
				for b.Loop() {
					next()
				}
				b.ReportMetric(100*float64(admitted)/float64(total), "%admitted")
			})
		}
	}
}

func gatehouse(b *testing.B, limit int) decide {
	l, err := ratelimit.New(ratelimittest.NewShared().Worker(), "bench/", []ratelimit.Rule{{
		Name:           "r",
		Windows:        []ratelimit.Window{{Max: uint64(limit), Length: int64(window)}},
		MaxIdentifiers: 65536,
	}})
	if err != nil {
		b.Fatal(err)
	}
	h := ratelimit.NewHasher([16]byte{1})
	names := callerNames()
	var key []byte
	var r ratelimit.Result
	return func(caller int, now time.Duration) bool {
		key = ratelimit.AppendElement(key[:0], 1, "", "", names[caller])
		l.Charge(0, h.Sum(key), 1, clock.Mono(time.Hour+now), &r)
		return r.Admitted
	}
}

func gcra(b *testing.B, limit int) decide {
	store, err := memstore.New(65536)
	if err != nil {
		b.Fatal(err)
	}
	var clock time.Time
	store.SetTimeNow(func() time.Time { return clock })
	l, err := throttled.NewGCRARateLimiterCtx(throttled.WrapStoreWithContext(store),
		throttled.RateQuota{MaxRate: throttled.PerDuration(limit, window), MaxBurst: limit - 1})
	if err != nil {
		b.Fatal(err)
	}
	names, ctx, start := callerNames(), context.Background(), time.Now()
	return func(caller int, now time.Duration) bool {
		clock = start.Add(now)
		limited, _, err := l.RateLimitCtx(ctx, names[caller], 1)
		return err == nil && !limited
	}
}

// fixedWindow reads the real clock. Its interval is so short that callers in turn don't exceed the
// limit in real time either.
func fixedWindow(b *testing.B, limit int) decide {
	store, err := memorystore.New(&memorystore.Config{Tokens: uint64(limit), Interval: time.Duration(limit) * 40 * time.Microsecond})
	if err != nil {
		b.Fatal(err)
	}
	names, ctx := callerNames(), context.Background()
	b.Cleanup(func() { _ = store.Close(ctx) })
	return func(caller int, _ time.Duration) bool {
		_, _, _, ok, err := store.Take(ctx, names[caller])
		return err == nil && ok
	}
}

// tokenBucket is a map of x/time limiters, one for each key, never removed, as its users write it.
func tokenBucket(_ *testing.B, limit int) decide {
	limiters := make(map[string]*rate.Limiter)
	names, start := callerNames(), time.Now()
	return func(caller int, now time.Duration) bool {
		l := limiters[names[caller]]
		if l == nil {
			l = rate.NewLimiter(rate.Limit(float64(limit)/window.Seconds()), limit)
			limiters[names[caller]] = l
		}
		return l.AllowN(start.Add(now), 1)
	}
}

func callerNames() []string {
	names := make([]string, callers)
	for i := range names {
		names[i] = "main/8c1f1a8e-9d3a-4f6e-9d0e-" + strconv.Itoa(i)
	}
	return names
}
