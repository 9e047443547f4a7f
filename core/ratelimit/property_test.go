package ratelimit_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/clock"
	"gatehouse/core/ratelimit"
	"gatehouse/core/ratelimit/ratelimittest"
)

// world is some workers that share a rule, and one oracle for each identifier.
type world struct {
	t       *rapid.T
	windows []ratelimit.Window
	workers []*ratelimit.Limiter
	faults  []*ratelimittest.Faults
	callers []ratelimit.ID
	oracles []oracle
	clock   int64 // of the only bucket: the newest moment at which it was written
	now     int64
	granted []grant
	depth   int
}

// grant is an admitted charge that may be refunded.
type grant struct {
	caller int
	cost   uint64
	at     int64
	result ratelimit.Result
}

func newWorld(t *rapid.T, windows []ratelimit.Window, workers, callers int) *world {
	w := &world{t: t, windows: windows, now: 1e12}
	shared := ratelimittest.NewShared()
	// MaxIdentifiers 16 makes one bucket, with room for 32.
	rules := []ratelimit.Rule{{Name: "r", Windows: windows, MaxIdentifiers: 16}}
	for range workers {
		f := &ratelimittest.Faults{Store: shared.Worker()}
		l, err := ratelimit.New(f, "test/", rules)
		require.NoError(t, err)
		w.workers, w.faults = append(w.workers, l), append(w.faults, f)
	}
	for i := range callers {
		w.callers = append(w.callers, ratelimit.ID{8: byte(i)})
		w.oracles = append(w.oracles, oracle{windows: windows})
	}
	return w
}

// charge makes a worker decide, whose clock reads now, and compares the decision with the oracle's.
func (w *world) charge(worker, caller int, now int64, cost uint64) ratelimit.Result {
	var r ratelimit.Result
	w.workers[worker].Charge(0, w.callers[caller], cost, clock.Mono(now), &r)
	require.False(w.t, r.Contention || r.Failed)
	require.Zero(w.t, r.Evicted)
	require.Equal(w.t, len(w.windows), r.N)

	o := &w.oracles[caller]
	at := max(now, w.clock)
	o.settle(at)
	exact, must, may := true, true, true
	retryMin, retryMax := int64(0), int64(0)
	for i, win := range w.windows {
		exact = exact && !o.compacted[i]
		extra := int64(0)
		if o.compacted[i] {
			extra = hold(win)
		}
		if !o.fits(i, at, 0, cost) {
			may = false
			retryMin = max(retryMin, o.retry(i, at, 0, cost))
		}
		if !o.fits(i, at, extra, cost) {
			must = false
			retryMax = max(retryMax, o.retry(i, at, extra, cost))
		}
	}
	if r.Admitted {
		require.True(w.t, may, "admitted what exceeds a window at %d", at)
		require.Zero(w.t, r.Retry)
		o.add(at, cost)
		w.clock = at
		w.granted = append(w.granted, grant{caller, cost, at, r})
	} else {
		require.False(w.t, must, "refused what fits every window at %d", at)
		require.LessOrEqual(w.t, now+r.Retry, max(retryMax, now), "retry too late")
		if cost <= w.smallest() {
			require.GreaterOrEqual(w.t, now+r.Retry, retryMin, "retry too early")
		}
	}
	w.figures(o, &r, at, now)
	return r
}

func (w *world) smallest() uint64 {
	least := w.windows[0].Max
	for _, win := range w.windows {
		least = min(least, win.Max)
	}
	return least
}

// figures compares the figures of each window with the oracle's.
func (w *world) figures(o *oracle, r *ratelimit.Result, at, now int64) {
	for i, win := range w.windows {
		extra := int64(0)
		if o.compacted[i] {
			extra = hold(win)
		}
		got := r.Windows[i]
		require.Equal(w.t, win.Max, got.Limit)
		short, most := o.live(win, at, 0)
		long, least := o.live(win, at, extra)
		require.LessOrEqual(w.t, got.Remaining, win.Max-most)
		require.GreaterOrEqual(w.t, got.Remaining, win.Max-min(least, win.Max))
		if len(short) > 0 {
			require.GreaterOrEqual(w.t, now+got.Reset, long[0].at+win.Length, "reset too early")
			require.LessOrEqual(w.t, now+got.Reset, short[0].at+win.Length+extra, "reset too late")
		}
		if len(long) == 0 {
			require.Zero(w.t, got.Reset)
		}
	}
}

func (w *world) refund(worker, which int, now int64) {
	g := w.granted[which] // the slice may grow meanwhile
	w.granted = append(w.granted[:which], w.granted[which+1:]...)
	swaps := w.faults[worker].Swaps
	require.True(w.t, w.workers[worker].Refund(0, w.callers[g.caller], g.cost, &g.result, clock.Mono(now)))
	o := &w.oracles[g.caller]
	at := max(now, w.clock)
	o.settle(at)
	if w.faults[worker].Swaps > swaps {
		o.remove(g.at, g.cost)
		w.clock = at
		o.settle(at)
	} else {
		for _, win := range w.windows {
			require.GreaterOrEqual(w.t, at-g.at, win.Length, "a charge that counts was not refunded")
		}
	}
	w.figures(o, &g.result, at, now)
}

func drawWindows(t *rapid.T, limits *rapid.Generator[uint64]) []ratelimit.Window {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ratelimit.Window {
		return ratelimit.Window{
			Max:    limits.Draw(t, "max"),
			Length: ratelimit.LogEntries * rapid.Int64Range(1, 100).Draw(t, "grid"),
		}
	}), 1, ratelimit.MaxWindows).Draw(t, "windows")
}

// step moves time on: by 0 up to more than the longest window, most often to the moment at which a
// charge expires.
func (w *world) step() {
	win := rapid.SampledFrom(w.windows).Draw(w.t, "window")
	switch rapid.IntRange(0, 5).Draw(w.t, "step") {
	case 0:
	case 1:
		w.now += rapid.Int64Range(0, hold(win)).Draw(w.t, "within a slot")
	case 2:
		w.now += rapid.Int64Range(0, win.Length/8).Draw(w.t, "part of a window")
	case 3:
		w.now += win.Length + rapid.Int64Range(-1, hold(win)+1).Draw(w.t, "a window")
	default: // to the edge of a charge's life
		o := rapid.SampledFrom(w.oracles).Draw(w.t, "whose")
		if len(o.charges) > 0 {
			c := rapid.SampledFrom(o.charges).Draw(w.t, "charge")
			w.now = max(w.now, c.at+win.Length+rapid.Int64Range(-1, 1).Draw(w.t, "edge"))
		}
	}
}

func (w *world) someCost() uint64 {
	return rapid.Uint64Range(1, min(w.smallest()+1, 1<<40)).Draw(w.t, "cost")
}

func TestUpTo512ChargesDecisionsAreThoseOfAnExactLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, drawWindows(t, rapid.Uint64Range(1, 20)), 1, 2)
		for range rapid.IntRange(1, 80).Draw(t, "charges") {
			w.step()
			cost := uint64(1)
			if rapid.IntRange(0, 3).Draw(t, "odd") == 0 {
				cost = w.someCost()
			}
			w.charge(0, rapid.IntRange(0, 1).Draw(t, "caller"), w.now, cost)
		}
	})
}

// bigLimits are limits that compact: of the three widths of counters, and around the size of a log.
var bigLimits = rapid.OneOf(
	rapid.Uint64Range(500, 530),
	rapid.Uint64Range(513, 1<<16+10),
	rapid.Uint64Range(1<<16-10, 1<<33),
	rapid.Uint64Range(1<<32-10, 1<<50),
)

func TestAbove512ChargesAChargeCountsUpToASlotLongerAndNeverShorter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, drawWindows(t, bigLimits), 1, 1)
		for range rapid.IntRange(1, 20).Draw(t, "bursts") {
			w.step()
			cost := uint64(1)
			if rapid.Bool().Draw(t, "odd") {
				cost = w.someCost()
			}
			apart := rapid.Int64Range(0, hold(w.windows[0])*3).Draw(t, "apart")
			for range rapid.SampledFrom([]int{1, 1, 5, 300, 520}).Draw(t, "burst") {
				w.now += apart
				w.charge(0, 0, w.now, cost)
			}
		}
	})
}

func TestARefundLeavesTheStateWithoutTheCharge(t *testing.T) {
	for name, limits := range map[string]*rapid.Generator[uint64]{"log": rapid.Uint64Range(1, 20), "ring": bigLimits} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(t, drawWindows(t, limits), 1, 2)
				for range rapid.IntRange(1, 40).Draw(t, "steps") {
					w.step()
					switch n := len(w.granted); {
					case n > 0 && rapid.IntRange(0, 2).Draw(t, "refund") == 0:
						w.refund(0, rapid.IntRange(max(0, n-600), n-1).Draw(t, "which"), w.now)
					case rapid.IntRange(0, 9).Draw(t, "many") == 0:
						for range 515 {
							w.charge(0, 0, w.now, 1)
						}
					default:
						w.charge(0, rapid.IntRange(0, 1).Draw(t, "caller"), w.now, min(w.someCost(), 3))
					}
				}
			})
		})
	}
}

func TestInterleavedWorkersNeverOverAdmit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, drawWindows(t, rapid.OneOf(rapid.Uint64Range(1, 10), bigLimits)), 3, 2)
		for i, f := range w.faults {
			lost := 0
			f.Lose = func(string) bool {
				if lost < 5 && rapid.IntRange(0, 5).Draw(t, "lose") == 0 {
					lost++
					return true
				}
				lost = 0
				return false
			}
			// Another worker decides between this worker's read and its write, or just before a
			// read.
			interrupt := func(string) {
				if w.depth < 2 && rapid.IntRange(0, 3).Draw(t, "interrupt") == 0 {
					w.depth++
					w.act((i + 1) % len(w.workers))
					w.depth--
				}
			}
			f.BeforeGet, f.BeforeSet = interrupt, interrupt
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			w.step()
			w.act(0)
		}
	})
}

// act charges, or refunds, with a clock that may be behind.
func (w *world) act(worker int) {
	now := w.now - rapid.Int64Range(0, 300).Draw(w.t, "behind")
	if n := len(w.granted); n > 0 && w.depth == 0 && rapid.IntRange(0, 4).Draw(w.t, "refund") == 0 {
		// No interruption refunds the same charge: a worker refunds only its own charges.
		w.refund(worker, rapid.IntRange(0, n-1).Draw(w.t, "which"), now)
		return
	}
	w.charge(worker, rapid.IntRange(0, len(w.callers)-1).Draw(w.t, "caller"), now, 1+rapid.Uint64Range(0, 1).Draw(w.t, "more"))
}
