package ratelimit_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// exactLog is a window's oracle: it keeps every admitted request of one caller and looks at all of
// them each time.
type exactLog struct {
	max      int
	length   time.Duration
	admitted []charge
}

type charge struct {
	at   time.Duration
	cost int
}

// counting returns the charges that count at a moment, the oldest first.
func (l *exactLog) counting(now time.Duration) (out []charge) {
	for _, c := range l.admitted {
		if now-c.at < l.length {
			out = append(out, c)
		}
	}
	return out
}

func (l *exactLog) remaining(now time.Duration) int {
	left := l.max
	for _, c := range l.counting(now) {
		left -= c.cost
	}
	return left
}

// reset is the time until the oldest charge expires.
func (l *exactLog) reset(now time.Duration) time.Duration {
	if c := l.counting(now); len(c) > 0 {
		return c[0].at + l.length - now
	}
	return 0
}

// wait is the time until a cost fits, 0 if it does.
func (l *exactLog) wait(now time.Duration, cost int) time.Duration {
	left := l.remaining(now)
	for _, c := range l.counting(now) {
		if left >= cost {
			return 0
		}
		if left += c.cost; left >= cost {
			return c.at + l.length - now
		}
	}
	return 0
}

func ceil(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// TestTwoWorkersDecideLikeExactLogs compares the whole filter, two workers in turn, with oracles:
// what it decides, how long it asks a client to wait, and what it says is left.
func TestTwoWorkersDecideLikeExactLogs(t *testing.T) {
	limit := func(name string, shadow bool, windows ...any) object {
		return object{"name": name, "windows": windows, "shadow": shadow, "identifier": []any{"header:x-key"}}
	}
	window := func(most, seconds int) any { return object{"max_requests": most, "window_seconds": seconds} }
	s := simulate(t, object{
		"routes": []any{
			open("/a", 1, "a"), open("/b", 1, "b"), open("/ab", 2, "a", "b"), open("/acb", 1, "a", "c", "b"), open("/abd", 3, "a", "b", "d"),
		},
		"rate_limits": []any{
			limit("a", false, window(5, 2)), limit("b", false, window(3, 1), window(20, 10)),
			limit("c", true, window(1, 10)), limit("d", false, window(6, 7), window(9, 20), window(30, 100), window(31, 101)),
		},
		"audit": object{"log": "none"},
	}, nil)
	logs := func() map[string][]*exactLog {
		second := time.Second
		return map[string][]*exactLog{
			"a": {{max: 5, length: 2 * second}},
			"b": {{max: 3, length: second}, {max: 20, length: 10 * second}},
			"d": {{max: 6, length: 7 * second}, {max: 9, length: 20 * second}, {max: 30, length: 100 * second}, {max: 31, length: 101 * second}},
		}
	}
	requests := []struct {
		path   string
		cost   int
		limits []string
	}{{"/a", 1, []string{"a"}}, {"/b", 1, []string{"b"}}, {"/ab", 2, []string{"a", "b"}}, {"/acb", 1, []string{"a", "b"}}, {"/abd", 3, []string{"a", "b", "d"}}}

	random := rand.New(rand.NewPCG(3, 4))
	callers := []map[string][]*exactLog{logs(), logs(), logs()}
	admitted, refused := 0, 0
	for i := range 6000 {
		// Whole milliseconds, so that expiries are hit exactly now and then.
		s.clock.Advance(time.Duration(random.IntN(300)) * time.Millisecond)
		now := s.clock.Monotonic()
		caller, request := random.IntN(len(callers)), requests[random.IntN(len(requests))]
		var windows []*exactLog
		for _, name := range request.limits {
			windows = append(windows, callers[caller][name]...)
		}
		var wait time.Duration
		for _, w := range windows {
			wait = max(wait, w.wait(now, request.cost))
		}
		what := fmt.Sprintf("request %d: %s by caller %d at %s", i, request.path, caller, now)
		response := s.get(random.IntN(2), request.path, strconv.Itoa(caller))
		if wait > 0 {
			refused++
			require.Equal(t, http.StatusTooManyRequests, status(t, response), what)
			require.Equal(t, strconv.Itoa(ceil(wait)), response.Get("retry-after"), what)
		} else {
			admitted++
			require.Equal(t, http.StatusOK, status(t, response), what)
			for _, w := range windows {
				w.admitted = append(w.admitted, charge{now, request.cost})
			}
		}
		tightest := slices.MinFunc(windows, func(a, b *exactLog) int {
			if d := a.remaining(now) - b.remaining(now); d != 0 {
				return d
			}
			return int(b.reset(now) - a.reset(now))
		})
		require.Equal(t, strconv.Itoa(tightest.max), response.Get("x-ratelimit-limit"), what)
		require.Equal(t, strconv.Itoa(tightest.remaining(now)), response.Get("x-ratelimit-remaining"), what)
		require.Equal(t, strconv.Itoa(ceil(tightest.reset(now))), response.Get("x-ratelimit-reset"), what)
	}
	t.Logf("%d admitted, %d refused", admitted, refused)
	require.Greater(t, admitted, 1000)
	require.Greater(t, refused, 1000)
}
