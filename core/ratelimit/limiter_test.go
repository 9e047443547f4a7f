package ratelimit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/clock"
	"gatehouse/core/ratelimit"
	"gatehouse/core/ratelimit/ratelimittest"
)

const second = 1_000_000_000

// start is where the tests' clocks begin.
const start = clock.Mono(1000 * second)

func rule(windows ...ratelimit.Window) ratelimit.Rule {
	return ratelimit.Rule{Name: "per-caller", Windows: windows, KeyedBy: "user_id", MaxIdentifiers: 65536}
}

func limiter(t testing.TB, store ratelimit.Store, rules ...ratelimit.Rule) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New(store, "test/", rules)
	require.NoError(t, err)
	return l
}

func charge(l *ratelimit.Limiter, id ratelimit.ID, cost uint64, now clock.Mono) (r ratelimit.Result) {
	l.Charge(0, id, cost, now, &r)
	return r
}

func peek(t testing.TB, l *ratelimit.Limiter, id ratelimit.ID, now clock.Mono) (r ratelimit.Result) {
	t.Helper()
	require.NoError(t, l.Peek(0, id, 1, now, &r))
	return r
}

func TestAChargeCountsWhileItsAgeIsLessThanTheWindow(t *testing.T) {
	l := limiter(t, ratelimit.NewMemoryStore(), rule(ratelimit.Window{Max: 1, Length: 60 * second}))
	assert.True(t, charge(l, ratelimit.ID{}, 1, start).Admitted)
	assert.False(t, charge(l, ratelimit.ID{}, 1, start+60*second-1).Admitted)
	assert.True(t, charge(l, ratelimit.ID{}, 1, start+60*second).Admitted)
}

func TestFiguresOfADecision(t *testing.T) {
	l := limiter(t, ratelimit.NewMemoryStore(), rule(
		ratelimit.Window{Max: 3, Length: 10 * second},
		ratelimit.Window{Max: 4, Length: 60 * second},
	))
	type figures struct {
		admitted bool
		retry    int64
		windows  []ratelimit.WindowState
	}
	for _, c := range []struct {
		name string
		at   int64 // seconds
		cost uint64
		want figures
	}{
		{"the first", 0, 1, figures{true, 0, []ratelimit.WindowState{{3, 2, 10 * second}, {4, 3, 60 * second}}}},
		{"a second, of cost 2", 4, 2, figures{true, 0, []ratelimit.WindowState{{3, 0, 6 * second}, {4, 1, 56 * second}}}},
		{"a third is refused by the short window until the first has expired there", 5, 1,
			figures{false, 5 * second, []ratelimit.WindowState{{3, 0, 5 * second}, {4, 1, 55 * second}}}},
		{"for a cost of 2 both refuse, and the long one refuses longer", 5, 2,
			figures{false, 55 * second, []ratelimit.WindowState{{3, 0, 5 * second}, {4, 1, 55 * second}}}},
		{"a cost of 3 has to wait for two charges to expire in the long window", 6, 3,
			figures{false, 58 * second, []ratelimit.WindowState{{3, 0, 4 * second}, {4, 1, 54 * second}}}},
		{"a cost that never fits waits for the window's length", 6, 5,
			figures{false, 60 * second, []ratelimit.WindowState{{3, 0, 4 * second}, {4, 1, 54 * second}}}},
		{"it fits when the short window has moved on", 10, 1,
			figures{true, 0, []ratelimit.WindowState{{3, 0, 4 * second}, {4, 0, 50 * second}}}},
		{"then only the long window refuses", 20, 1,
			figures{false, 40 * second, []ratelimit.WindowState{{3, 3, 0}, {4, 0, 40 * second}}}},
		{"a cost of 0 counts as 1", 60, 0,
			figures{true, 0, []ratelimit.WindowState{{3, 2, 10 * second}, {4, 0, 4 * second}}}},
	} {
		r := charge(l, ratelimit.ID{}, c.cost, start.Add(c.at*second))
		require.Equal(t, 2, r.N)
		assert.EqualValues(t, c.want, figures{r.Admitted, r.Retry, r.Windows[:r.N]}, c.name)
	}
}

func TestRulesIdentifiersAndNamespacesAreSeparate(t *testing.T) {
	store := ratelimit.NewMemoryStore()
	a, b := rule(ratelimit.Window{Max: 1, Length: second}), rule(ratelimit.Window{Max: 1, Length: second})
	b.Name = "other"
	l := limiter(t, store, a, b)
	var r ratelimit.Result
	for _, id := range []ratelimit.ID{{}, {0: 1}, {8: 1}, {15: 1}} {
		for index := range 2 {
			l.Charge(index, id, 1, start, &r)
			assert.True(t, r.Admitted)
			l.Charge(index, id, 1, start, &r)
			assert.False(t, r.Admitted)
		}
	}
	elsewhere, err := ratelimit.New(store, "elsewhere/", []ratelimit.Rule{a})
	require.NoError(t, err)
	assert.True(t, charge(elsewhere, ratelimit.ID{}, 1, start).Admitted)
}

func TestAChangedRuleStartsEmptyAndAnUnchangedOneDoesNot(t *testing.T) {
	original := rule(ratelimit.Window{Max: 1, Length: second})
	for name, change := range map[string]func(*ratelimit.Rule){
		"name":   func(r *ratelimit.Rule) { r.Name = "renamed" },
		"keyed":  func(r *ratelimit.Rule) { r.KeyedBy = "ip" },
		"max":    func(r *ratelimit.Rule) { r.Windows = []ratelimit.Window{{Max: 2, Length: second}} },
		"length": func(r *ratelimit.Rule) { r.Windows = []ratelimit.Window{{Max: 1, Length: 2 * second}} },
		"windows": func(r *ratelimit.Rule) {
			r.Windows = append(r.Windows[:1:1], ratelimit.Window{Max: 5, Length: 5 * second})
		},
		"buckets": func(r *ratelimit.Rule) { r.MaxIdentifiers *= 2 },
	} {
		store := ratelimit.NewMemoryStore()
		require.True(t, charge(limiter(t, store, original), ratelimit.ID{}, 1, start).Admitted)
		assert.False(t, charge(limiter(t, store, original), ratelimit.ID{}, 1, start).Admitted, name)
		changed := original
		change(&changed)
		assert.True(t, charge(limiter(t, store, changed), ratelimit.ID{}, 1, start).Admitted, name)
		assert.False(t, charge(limiter(t, store, original), ratelimit.ID{}, 1, start).Admitted, name)
	}
}

func TestImpossibleRulesAreRefused(t *testing.T) {
	good := ratelimit.Window{Max: 1, Length: second}
	for name, r := range map[string]ratelimit.Rule{
		"no window":        rule(),
		"five windows":     rule(good, good, good, good, good),
		"no maximum":       rule(ratelimit.Window{Length: second}),
		"huge maximum":     rule(ratelimit.Window{Max: 1 << 63, Length: second}),
		"no length":        rule(ratelimit.Window{Max: 1}),
		"negative length":  rule(ratelimit.Window{Max: 1, Length: -second}),
		"odd length":       rule(ratelimit.Window{Max: 1, Length: second + 1}),
		"over a day":       rule(good, ratelimit.Window{Max: 1, Length: 86_401 * second}),
		"no identifiers":   {Name: "r", Windows: []ratelimit.Window{good}},
		"many identifiers": {Name: "r", Windows: []ratelimit.Window{good}, MaxIdentifiers: 1 << 27},
	} {
		_, err := ratelimit.New(ratelimit.NewMemoryStore(), "test/", []ratelimit.Rule{r})
		assert.Error(t, err, name)
	}
}

func TestAnUncontendedDecisionTakesTwoGetsAndAtMostOneSet(t *testing.T) {
	f := &ratelimittest.Faults{Store: ratelimit.NewMemoryStore()}
	l := limiter(t, f, rule(ratelimit.Window{Max: 2, Length: second}))
	for i, sets := range []int{1, 1, 0} {
		f.Gets, f.Sets = 0, 0
		r := charge(l, ratelimit.ID{}, 1, start)
		assert.Equal(t, i < 2, r.Admitted)
		assert.Equal(t, 2, f.Gets)
		assert.Equal(t, sets, f.Sets, "a refusal writes nothing")
	}
	f.Gets, f.Sets = 0, 0
	peek(t, l, ratelimit.ID{}, start)
	assert.Equal(t, [2]int{2, 0}, [2]int{f.Gets, f.Sets})
}

func TestSixteenLostCompareAndSetsAreContention(t *testing.T) {
	for lose := range 18 {
		f := &ratelimittest.Faults{Store: ratelimit.NewMemoryStore()}
		l := limiter(t, f, rule(ratelimit.Window{Max: 5, Length: second}))
		lost := 0
		f.Lose = func(string) bool { lost++; return lost <= lose }
		r := charge(l, ratelimit.ID{}, 1, start)
		assert.Equal(t, lose >= ratelimit.Tries, r.Contention, lose)
		assert.Equal(t, lose < ratelimit.Tries, r.Admitted, lose)
		assert.Equal(t, min(lose+1, ratelimit.Tries), f.Sets)
		assert.Equal(t, uint64(5), r.Windows[0].Limit)
		if r.Contention {
			assert.Equal(t, uint64(5), r.Windows[0].Remaining, "the figures are those before the charge")
			f.Lose = nil
			assert.Equal(t, uint64(5), peek(t, l, ratelimit.ID{}, start).Windows[0].Remaining, "nothing was charged")
			assert.True(t, l.Refund(0, ratelimit.ID{}, 1, &r, start), "there is nothing to refund")
		}
	}
}

func TestAFailingStoreIsNoContention(t *testing.T) {
	broken := errors.New("broken")
	for name, fails := range map[string]func(f *ratelimittest.Faults) func(string) error{
		"generation": func(*ratelimittest.Faults) func(string) error {
			return func(key string) error {
				if strings.HasSuffix(key, "generation") {
					return broken
				}
				return nil
			}
		},
		"bucket": func(*ratelimittest.Faults) func(string) error {
			return func(key string) error {
				if !strings.HasSuffix(key, "generation") {
					return broken
				}
				return nil
			}
		},
		"write": func(f *ratelimittest.Faults) func(string) error {
			return func(string) error {
				if f.Sets > 0 {
					return broken
				}
				return nil
			}
		},
	} {
		f := &ratelimittest.Faults{Store: ratelimit.NewMemoryStore()}
		l := limiter(t, f, rule(ratelimit.Window{Max: 5, Length: second}))
		f.Fail = fails(f)
		r := charge(l, ratelimit.ID{}, 1, start)
		assert.True(t, r.Failed, name)
		assert.False(t, r.Contention, name)
		assert.False(t, r.Admitted, name)
		assert.LessOrEqual(t, f.Gets, 2, "a failing store isn't asked again")
		if name == "write" {
			continue
		}
		assert.ErrorIs(t, l.Peek(0, ratelimit.ID{}, 1, start, &r), broken, name)
		assert.ErrorIs(t, l.Reset(0, ratelimit.ID{}, start), broken, name)
		if name == "generation" {
			assert.ErrorIs(t, l.ClearAll(), broken)
		}
	}
}

func TestPeekWritesNothing(t *testing.T) {
	store := ratelimit.NewMemoryStore()
	l := limiter(t, store, rule(ratelimit.Window{Max: 2, Length: second}))
	r := peek(t, l, ratelimit.ID{}, start)
	assert.True(t, r.Admitted)
	assert.Equal(t, ratelimit.WindowState{Limit: 2, Remaining: 2}, r.Windows[0])
	assert.Zero(t, store.Len())

	charge(l, ratelimit.ID{}, 2, start)
	for range 3 {
		r = peek(t, l, ratelimit.ID{}, start+second/4)
		assert.False(t, r.Admitted)
		assert.EqualValues(t, second*3/4, r.Retry)
		assert.Equal(t, ratelimit.WindowState{Limit: 2, Remaining: 0, Reset: second * 3 / 4}, r.Windows[0])
	}
}

func TestResetDeletesOneIdentifier(t *testing.T) {
	l := limiter(t, ratelimit.NewMemoryStore(), rule(ratelimit.Window{Max: 1, Length: second}))
	a, b := ratelimit.ID{8: 1}, ratelimit.ID{8: 2} // one bucket
	charge(l, a, 1, start)
	charge(l, b, 1, start)
	require.NoError(t, l.Reset(0, a, start))
	assert.True(t, charge(l, a, 1, start).Admitted)
	assert.False(t, charge(l, b, 1, start).Admitted)
	require.NoError(t, l.Reset(0, ratelimit.ID{8: 3}, start), "an unknown caller")
}

func TestResetGivesUpUnderContention(t *testing.T) {
	f := &ratelimittest.Faults{Store: ratelimit.NewMemoryStore()}
	l := limiter(t, f, rule(ratelimit.Window{Max: 1, Length: second}))
	r := charge(l, ratelimit.ID{}, 1, start)
	f.Lose = func(string) bool { return true }
	assert.ErrorIs(t, l.Reset(0, ratelimit.ID{}, start), ratelimit.ErrContention)
	assert.ErrorIs(t, l.ClearAll(), ratelimit.ErrContention)
	assert.False(t, l.Refund(0, ratelimit.ID{}, 1, &r, start))
	f.Lose = nil
	assert.False(t, charge(l, ratelimit.ID{}, 1, start).Admitted, "the charge stays")
	assert.True(t, l.Refund(0, ratelimit.ID{}, 1, &r, start), "and can still be refunded")
	assert.True(t, charge(l, ratelimit.ID{}, 1, start).Admitted)
}

func TestClearAllDeletesEveryChargeForAllWorkersAtOnce(t *testing.T) {
	store := ratelimit.NewMemoryStore()
	other := rule(ratelimit.Window{Max: 1, Length: second})
	other.Name = "other"
	rules := []ratelimit.Rule{rule(ratelimit.Window{Max: 1, Length: second}), other}
	a, b := limiter(t, store, rules...), limiter(t, store, rules...)
	for round := range 3 {
		var r ratelimit.Result
		for _, want := range []bool{true, false} {
			for index := range rules {
				for id := range 50 {
					b.Charge(index, ratelimit.ID{0: byte(id), 8: byte(id)}, 1, start, &r)
					require.Equal(t, want, r.Admitted, "round %d", round)
					require.Zero(t, r.Evicted)
				}
			}
		}
		keys := store.Len()
		require.NoError(t, a.ClearAll())
		if round > 0 {
			assert.Equal(t, keys, store.Len(), "a new generation needs no new keys")
		}
	}
}

// A worker that read the generation before it changed must not restore cleared charges, nor lose
// later ones.
func TestClearAllBetweenTheReadsOfADecision(t *testing.T) {
	store := ratelimit.NewMemoryStore()
	f := &ratelimittest.Faults{Store: store}
	r := rule(ratelimit.Window{Max: 2, Length: second})
	slow, quick := limiter(t, f, r), limiter(t, store, r)
	charge(quick, ratelimit.ID{}, 2, start)
	f.BeforeGet = func(key string) {
		if strings.HasSuffix(key, "generation") {
			return
		}
		f.BeforeGet = nil
		require.NoError(t, quick.ClearAll())
		require.True(t, charge(quick, ratelimit.ID{}, 1, start).Admitted)
	}
	got := charge(slow, ratelimit.ID{}, 1, start)
	assert.True(t, got.Admitted)
	assert.Zero(t, got.Evicted)
	assert.False(t, charge(quick, ratelimit.ID{}, 1, start).Admitted, "both charges count")
}

func TestARefundRemovesTheChargeOnce(t *testing.T) {
	l := limiter(t, ratelimit.NewMemoryStore(), rule(ratelimit.Window{Max: 2, Length: second}))
	first, second := charge(l, ratelimit.ID{}, 1, start), charge(l, ratelimit.ID{}, 1, start)
	assert.Equal(t, uint64(0), second.Windows[0].Remaining)
	assert.True(t, l.Refund(0, ratelimit.ID{}, 1, &first, start))
	assert.Equal(t, uint64(1), first.Windows[0].Remaining)
	assert.True(t, l.Refund(0, ratelimit.ID{}, 1, &first, start))
	assert.Equal(t, uint64(1), peek(t, l, ratelimit.ID{}, start).Windows[0].Remaining)
}

// After a reset or an eviction, an equal charge of the same moment is another charge and stays.
func TestARefundLeavesAnEqualChargeMadeAfterAReset(t *testing.T) {
	for name, forget := range map[string]func(*ratelimit.Limiter) error{
		"reset":     func(l *ratelimit.Limiter) error { return l.Reset(0, ratelimit.ID{}, start) },
		"clear all": func(l *ratelimit.Limiter) error { return l.ClearAll() },
	} {
		l := limiter(t, ratelimit.NewMemoryStore(), rule(ratelimit.Window{Max: 1, Length: second}))
		first := charge(l, ratelimit.ID{}, 1, start)
		require.NoError(t, forget(l))
		require.True(t, charge(l, ratelimit.ID{}, 1, start).Admitted)
		assert.True(t, l.Refund(0, ratelimit.ID{}, 1, &first, start))
		assert.False(t, charge(l, ratelimit.ID{}, 1, start).Admitted, name)
	}
}

// Retry-After promises this, for logs, rings and any clock.
func TestAClientThatWaitsForRetryIsAdmitted(t *testing.T) {
	for _, max := range []uint64{1, 3, 100, 512, 513, 5000, 70_000} {
		l := limiter(t, ratelimittest.NewShared().Worker(), rule(
			ratelimit.Window{Max: max, Length: 60 * second},
			ratelimit.Window{Max: max * 10, Length: 3600 * second},
		))
		now, refusals := start, 0
		for i := 0; refusals < 1000; i++ {
			cost := uint64(i%7)*max/20 + 1
			r := charge(l, ratelimit.ID{}, cost, now)
			if r.Admitted {
				now = now.Add(60 * second / int64(max) / int64(1+i%5))
				continue
			}
			refusals++
			early := charge(l, ratelimit.ID{}, cost, now.Add(r.Retry)-1)
			require.False(t, early.Admitted, "Retry is no longer than needed")
			require.Equal(t, int64(1), early.Retry)
			now = now.Add(r.Retry)
			require.True(t, charge(l, ratelimit.ID{}, cost, now).Admitted, "limit %d, refusal %d, retry %d", max, refusals, r.Retry)
		}
	}
}
