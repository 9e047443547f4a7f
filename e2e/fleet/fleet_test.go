package fleet

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the tables into the page")

func TestThePagesTablesAreUpToDate(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "global-limits.md")
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	want, err := Fill(got, Tables())
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(page, want, 0o644))
		return
	}
	assert.Equal(t, string(want), string(got), "run: go generate ./e2e/fleet")
}

func TestTablesAreFilledBetweenTheirMarkers(t *testing.T) {
	const page = "before\n<!-- simulated: a -->\nold\n<!-- end -->\nafter <!-- end -->\n"
	got, err := Fill([]byte(page), map[string]string{"a": "| new |\n"})
	require.NoError(t, err)
	assert.Equal(t, "before\n<!-- simulated: a -->\n\n| new |\n\n<!-- end -->\nafter <!-- end -->\n", string(got))
	_, err = Fill([]byte(page), map[string]string{"b": ""})
	require.EqualError(t, err, "the page has no place for the table b")
}

func TestNumbersHaveTwoDigits(t *testing.T) {
	for x, want := range map[float64]string{0.123: "0.12", 1: "1", 9.96: "10", 10: "10", 123: "120", 999: "1,000", 1_254_000: "1,300,000"} {
		assert.Equal(t, want, digits(x))
	}
	assert.Equal(t, "0.85 MB", size(849_000))
	assert.Equal(t, "3 GB", size(2_980_000_000))
	assert.Equal(t, "0 %", percent(0.0004))
	assert.Equal(t, "4.0 %", percent(0.04))
}

// TestWindowsAreExact compares both windows with a look at all admissions so far.
func TestWindowsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit, length := rapid.IntRange(1, 5).Draw(t, "limit"), int64(rapid.IntRange(1, 20).Draw(t, "length"))
		s, f := sliding{limit: limit, length: length}, fixed{limit: limit, length: length}
		var admitted, asked []int64
		now := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			now += int64(rapid.IntRange(0, 8).Draw(t, "gap"))
			weighs, same := 0, 1
			for _, a := range admitted {
				if now-a < length {
					weighs++
				}
			}
			for _, a := range asked {
				if a/length == now/length {
					same++
				}
			}
			require.Equal(t, weighs, s.live(now))
			got := s.admit(now)
			require.Equal(t, weighs < limit, got)
			if got {
				admitted = append(admitted, now)
			}
			require.Equal(t, same <= limit, f.admit(now))
			asked = append(asked, now)
		}
	})
}

func TestStrataHaveAllCallersAndTheWholeRate(t *testing.T) {
	for _, callers := range []int{1, 10, 1023, 1024, 100_000_000} {
		f := Large
		f.Callers = callers
		size, rate, last := 0, 0.0, f.Rate+1
		for _, s := range f.strata() {
			size += s.size
			rate += s.rate * float64(s.size)
			assert.Less(t, s.rate, last, "ranks go down")
			assert.LessOrEqual(t, s.sample, s.size)
			last = s.rate
		}
		assert.Equal(t, callers, size)
		assert.InEpsilon(t, f.Rate, rate, 1e-9)
	}
}

// TestASampleStandsForAllCallers compares a fleet small enough to simulate every caller with one in
// which most are left out.
func TestASampleStandsForAllCallers(t *testing.T) {
	small := Fleet{Proxies: 10, Rate: 20_000, Callers: 200_000, Limit: 30, Window: 10 * Second, Replicas: 3}
	sampled := small.Run(10)

	all := Outcome{}
	requests, choices := random(7), random(8)
	c := newCaller(small, 10)
	total := harmonic(small.Callers)
	for rank := 1; rank <= small.Callers; rank++ {
		c.run(requests, choices, small.Rate/total/float64(rank))
		all.add(c, 1)
	}
	all.scale(small)

	for name, pair := range map[string][2]float64{
		"requests": {all.Requests, sampled.Requests}, "ideal": {all.Ideal, sampled.Ideal}, "local": {all.Local, sampled.Local},
		"both": {all.Both, sampled.Both}, "cached": {all.Cached, sampled.Cached}, "keys": {all.Keys, sampled.Keys},
		"identifiers": {all.Identifiers, sampled.Identifiers}, "charges": {all.Charges, sampled.Charges},
	} {
		assert.InEpsilon(t, pair[0], pair[1], 0.03, name)
	}
}

func TestOneProxyPerCallerNeedsNoService(t *testing.T) {
	f := Fleet{Proxies: 1, Rate: 1000, Callers: 50, Limit: 30, Window: 10 * Second, Replicas: 2}
	out := f.Run(1)
	assert.InDelta(t, out.Ideal, out.Local, 0, "a local window is the fleet's")
	assert.InDelta(t, 1, out.Busiest, 0.2)
}

func TestTheServiceNeverAdmitsMoreThanItsLimitInItsWindow(t *testing.T) {
	f := Fleet{Proxies: 5, Rate: 1000, Callers: 1, Limit: 30, Window: 10 * Second, Replicas: 4}
	out := f.Run(5)
	assert.InDelta(t, 3, out.Both, 0, "30 in 10 s")
	assert.InDelta(t, 2*(3+0.4), out.LocalCached, 0.2, "and one more for each replica to learn it, at most")
	assert.InDelta(t, 15, out.Local, 0, "five windows")
}

func TestLiveKeysFollowLittlesLaw(t *testing.T) {
	out := Outcome{Keys: 2, KeySeconds: 10}
	assert.InDelta(t, 10+2*(60+5), out.LiveKeys(Large, 10), 1e-9)
}
