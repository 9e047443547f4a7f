package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// truth is what happened when each decision's moment is known: the admissions that made a window
// hold too much, and the refusals that were needless. It looks at every pair.
func truth(decisions []decision, moments []int64, windows []window) (over, needless int) {
	held := func(at int64, w window, length int64) (n int) {
		for i, d := range decisions {
			if d.admitted && moments[i] <= at && at-moments[i] < length {
				n++
			}
		}
		return n
	}
	for i, d := range decisions {
		room := true
		for _, w := range windows {
			length := int64(w.length)
			if d.admitted && held(moments[i], w, length) > w.max {
				over++
			}
			if w.max > 512 {
				length += length / 512
			}
			room = room && held(moments[i], w, length) < w.max
		}
		if !d.admitted && room {
			needless++
		}
	}
	return over, needless
}

var someWindows = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) window {
	return window{rapid.IntRange(1, 5).Draw(t, "max"), time.Duration(rapid.IntRange(1, 60).Draw(t, "length"))}
}), 1, 3)

func TestWithExactMomentsTheReportIsTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		windows := someWindows.Draw(t, "windows")
		moments := rapid.SliceOfNDistinct(rapid.Int64Range(0, 100), 1, 40, rapid.ID).Draw(t, "moments")
		decisions := make([]decision, len(moments))
		for i, at := range moments {
			decisions[i] = decision{at, at, rapid.Bool().Draw(t, "admitted")}
		}
		over, needless := truth(decisions, moments, windows)
		r := checkGroup("g", map[string][]decision{"c": decisions}, windows)
		reported := 0
		for i, w := range r.Windows {
			if w.Over == 0 {
				assert.Zero(t, w.Undecided, "window %d", i)
			}
			reported += w.Over
		}
		// Where an expiry and an admission coincide the load stays as it is: such an admission is
		// none of its own.
		assert.Equal(t, over > 0, reported > 0)
		assert.LessOrEqual(t, reported, over)
		assert.Equal(t, needless, r.NeedlessCertain)
		assert.Equal(t, needless, r.NeedlessAtMost)
	})
}

func TestWhateverTheMomentsInTheirBracketsTheReportHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		windows := someWindows.Draw(t, "windows")
		n := rapid.IntRange(1, 40).Draw(t, "n")
		decisions, moments := make([]decision, n), make([]int64, n)
		for i := range decisions {
			earliest := rapid.Int64Range(0, 100).Draw(t, "earliest")
			long := rapid.Int64Range(0, 10).Draw(t, "bracket")
			decisions[i] = decision{earliest, earliest + long, rapid.Bool().Draw(t, "admitted")}
			moments[i] = earliest + rapid.Int64Range(0, long).Draw(t, "within")
		}
		r := checkGroup("g", map[string][]decision{"c": decisions}, windows)
		_, needless := truth(decisions, moments, windows)
		assert.LessOrEqual(t, r.NeedlessCertain, needless)
		assert.GreaterOrEqual(t, r.NeedlessAtMost, needless)
		for i, w := range windows {
			over, _ := truth(decisions, moments, []window{w})
			if r.Windows[i].Over > 0 {
				assert.Positive(t, over)
			}
			if over > 0 {
				assert.Positive(t, r.Windows[i].Undecided)
			}
			w.length -= time.Duration(r.Windows[i].Shortfall * 1e3)
			over, _ = truth(decisions, moments, []window{w})
			assert.Zero(t, over, "a window shorter by the shortfall holds no more than its limit")
		}
	})
}

func TestOneRequestTooManyIsFound(t *testing.T) {
	fine := "a/x 200 10.000000 10.000010 10.1\n" +
		"a/x 200 10.500000 10.500010 10.6\n" +
		"a/x 429 10.900000 - 10.900050\n" +
		"a/x 200 11.000020 11.000030 11.1\n"
	for _, c := range []struct {
		name, log              string
		over, undecided, least int
		atMost                 int
	}{
		{"as it should be", fine, 0, 0, 0, 0},
		{"admitted while the window was full", strings.Replace(fine, "11.000020 11.000030", "10.900020 10.900030", 1), 1, 1, 0, 0},
		{"admitted at about the expiry", strings.Replace(fine, "11.000020 11.000030", "11.000000 11.000020", 1), 0, 1, 0, 0},
		{"refused with room", strings.Replace(fine, "a/x 429 10.900000 - 10.900050", "a/x 429 10.400000 - 10.400050", 1), 0, 0, 1, 1},
		{"contention with room", strings.Replace(fine, "a/x 429 10.900000 - 10.900050", "a/x 503 10.400000 - 10.400050", 1), 0, 0, 1, 1},
		{"refused at about the expiry", strings.Replace(fine, "a/x 429 10.900000 - 10.900050", "a/x 429 10.999990 - 11.000015", 1), 0, 0, 0, 1},
		{"another caller's doesn't count", fine + strings.ReplaceAll(fine, "a/x", "a/y"), 0, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, over, err := runOn(t, c.log, "-limit", "a=2/1s")
			require.NoError(t, err)
			require.Len(t, out, 1)
			assert.Equal(t, c.over > 0, over)
			assert.Equal(t, c.over, out[0].Windows[0].Over)
			assert.Equal(t, c.undecided, out[0].Windows[0].Undecided)
			assert.Equal(t, c.least, out[0].NeedlessCertain)
			assert.Equal(t, c.atMost, out[0].NeedlessAtMost)
		})
	}
}

func TestACompactedWindowMayHoldA512thLonger(t *testing.T) {
	var text bytes.Buffer
	for range 600 {
		text.WriteString("a/x 200 10.000000 10.000001 10.1\n")
	}
	refused := func(at string) report {
		out, _, err := runOn(t, text.String()+"a/x 429 "+at+" - "+at+"\n", "-limit", "a=600/512s")
		require.NoError(t, err)
		return out[0]
	}
	assert.Zero(t, refused("522.9").NeedlessCertain)
	assert.Equal(t, 1, refused("523.1").NeedlessCertain)
}

func TestSkewWidensTheBrackets(t *testing.T) {
	const text = "a/x 200 10.000000 10.000010 10.1\na/x 200 11.000030 11.000040 11.1\n"
	out, _, err := runOn(t, text, "-limit", "a=1/1s")
	require.NoError(t, err)
	assert.Zero(t, out[0].Windows[0].Undecided)
	out, _, err = runOn(t, text, "-limit", "a=1/1s", "-skew", "50us")
	require.NoError(t, err)
	assert.Equal(t, 1, out[0].Windows[0].Undecided)
	assert.InDelta(t, 31, out[0].Windows[0].Shortfall, 0.01) // 10.000011 to 10.999980
}

func TestLinesThatProveNothingAreErrors(t *testing.T) {
	for _, line := range []string{
		"", "x 200 1 2 3", "a/x 200 1 2", "a/x 200 1 2 3 4", "a/x 200 b 2 3", "a/x 200 1 b 3", "a/x 401 1 - 3", "a/x 200 2 1 3",
		"a/x 200 1.0000000001 2 3", "a/x 200 1.-1 2 3", "b/x 200 1 2 3",
	} {
		_, _, err := runOn(t, line+"\n", "-limit", "a=1/1s")
		assert.Error(t, err, line)
	}
}

func runOn(t *testing.T, text string, args ...string) (out []report, over bool, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	var b bytes.Buffer
	if over, err = run(append(args, path), &b); err != nil {
		return nil, false, err
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &out))
	return out, over, nil
}
