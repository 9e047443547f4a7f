package metrics_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/metrics"
)

// durations draws samples of several shapes: close together, spread over all magnitudes, or around
// powers of two.
func durations() *rapid.Generator[[]int64] {
	return rapid.Custom(func(t *rapid.T) []int64 {
		one := rapid.OneOf(
			rapid.Int64Range(0, 200),
			rapid.Int64Range(20_000, 400_000),
			rapid.Int64Range(0, metrics.MaxDuration),
			rapid.Custom(func(t *rapid.T) int64 {
				return max(0, min(metrics.MaxDuration, 1<<rapid.IntRange(0, 37).Draw(t, "power")+rapid.Int64Range(-1, 1).Draw(t, "off")))
			}),
		)
		return rapid.SliceOfN(one, 1, 400).Draw(t, "durations")
	})
}

func sketchOf(values []int64) *metrics.Sketch {
	s := &metrics.Sketch{}
	for _, v := range values {
		s.Add(v)
	}
	return s
}

func TestQuantilesAreWithinTheErrorOfTheExactOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := durations().Draw(t, "values")
		s := sketchOf(values)
		slices.Sort(values)
		for _, q := range []float64{0, 0.5, 0.9, 0.95, 0.99, 1, rapid.Float64Range(0, 1).Draw(t, "q")} {
			exact := values[min(int(q*float64(len(values))), len(values)-1)]
			require.InDelta(t, exact, s.Quantile(q), metrics.RelativeError*float64(exact), "q=%v of %v", q, values)
		}
	})
}

func TestEveryMagnitudeIsWithinTheError(t *testing.T) {
	for v := int64(1); v < metrics.MaxDuration; v += 1 + v/301 {
		s := sketchOf([]int64{v})
		require.InDelta(t, v, s.Quantile(0.5), metrics.RelativeError*float64(v))
	}
}

func TestDurationsOutOfRangeAreClamped(t *testing.T) {
	s := sketchOf([]int64{-5, math.MinInt64})
	assert.Zero(t, s.Quantile(1))
	assert.Zero(t, s.Sum())
	s = sketchOf([]int64{math.MaxInt64, metrics.MaxDuration + 1})
	assert.InDelta(t, metrics.MaxDuration, s.Quantile(0), metrics.RelativeError*metrics.MaxDuration)
	assert.EqualValues(t, 2*metrics.MaxDuration, s.Sum())
	assert.NoError(t, new(metrics.Sketch).Parse(s.AppendBinary(nil)))
}

func TestAnEmptySketchHasZeroQuantiles(t *testing.T) {
	s := &metrics.Sketch{}
	assert.Zero(t, s.Quantile(0.99))
	assert.Zero(t, s.Count())
}

func TestASketchHasFixedMemory(t *testing.T) {
	s := sketchOf([]int64{1})
	assert.LessOrEqual(t, int(unsafe.Sizeof(*s)), 17<<10)
	v := int64(1)
	assert.Zero(t, testing.AllocsPerRun(1000, func() { v += v/3 + 1; s.Add(v % metrics.MaxDuration) }))
}

func TestMergedSketchesAreTheSketchOfAllDurations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := durations().Draw(t, "a"), durations().Draw(t, "b")
		merged := sketchOf(a)
		merged.Merge(sketchOf(b))
		require.Equal(t, sketchOf(append(slices.Clone(a), b...)), merged)

		merged.Since(sketchOf(a))
		require.Equal(t, sketchOf(b), merged)
	})
}

func TestWhatIsNoEarlierStateIsNotSubtracted(t *testing.T) {
	s := sketchOf([]int64{10, 20})
	s.Since(sketchOf([]int64{10, 30}))
	assert.Equal(t, sketchOf([]int64{10, 20}), s)
	s = sketchOf([]int64{1000, 1000}) // the same buckets, but a smaller sum
	s.Since(sketchOf([]int64{1001, 1001}))
	assert.Equal(t, sketchOf([]int64{1000, 1000}), s)
}

func TestTheBinaryFormReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sketchOf(durations().Draw(t, "values"))
		data := s.AppendBinary([]byte("x"))[1:]
		require.LessOrEqual(t, len(data), metrics.MaxSketchBytes)
		got := sketchOf([]int64{7}) // what was there before is forgotten
		require.NoError(t, got.Parse(data))
		require.Equal(t, s, got)
	})
	empty := sketchOf([]int64{7})
	require.NoError(t, empty.Parse(new(metrics.Sketch).AppendBinary(nil)))
	assert.Equal(t, &metrics.Sketch{}, empty)
}

func TestForeignBytesAreNoSketch(t *testing.T) {
	numbers := func(of ...uint64) (data []byte) {
		data = []byte{1}
		for _, v := range of {
			data = binary.AppendUvarint(data, v)
		}
		return data
	}
	require.NoError(t, new(metrics.Sketch).Parse(numbers(30, 10, 3))) // three of 10 ns
	for name, data := range map[string][]byte{
		"nothing":                    nil,
		"another version":            {2, 0},
		"no sum":                     {1},
		"a count without its bucket": numbers(30, 10),
		"an empty bucket":            numbers(30, 10, 3, 0, 0),
		"a bucket too many":          numbers(0, 2048, 1),
		"a bucket past the last":     numbers(metrics.MaxDuration, 2047, 1, 0, 1),
		"a gap that overflows":       numbers(30, 10, 3, math.MaxUint64, 1),
		"a sum too small":            numbers(29, 10, 3),
		"a sum too large":            numbers(31, 10, 3),
		"a sum without durations":    numbers(1),
		"a count too large":          numbers(0, 0, 1<<48+1),
		"counts too large together":  numbers(1, 0, 1<<48, 0, 1),
		"a sum beyond years":         numbers(127<<50, 2047, 1<<20),
		"a sum that would wrap":      numbers(0, 2047, 1<<48),
		"a varint with a long form":  {1, 0x9e, 0x00, 10, 3},
		"a varint without end":       {1, 0x80},
		"a varint beyond 64 bits":    {1, 0x9e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2, 10, 3}, // 30 without its highest bit
		"a varint of eleven bytes":   {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"trailing bytes":             append(numbers(30, 10, 3), 0x80),
	} {
		t.Run(name, func(t *testing.T) {
			s := sketchOf([]int64{7})
			assert.Error(t, s.Parse(data))
			assert.Equal(t, &metrics.Sketch{}, s)
		})
	}
}

func FuzzASketchThatParsesIsWrittenBackAlike(f *testing.F) {
	f.Add(sketchOf([]int64{1, 1, 500, 40_000, metrics.MaxDuration}).AppendBinary(nil))
	f.Add([]byte{1, 30, 10, 3})
	f.Add([]byte{1, 0x80, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var s metrics.Sketch
		if s.Parse(data) != nil {
			return
		}
		require.Equal(t, data, s.AppendBinary(nil))
		low, high := s.Quantile(0), s.Quantile(1)
		require.LessOrEqual(t, low, high)
		if s.Count() > 0 {
			mean := float64(s.Sum()) / float64(s.Count())
			require.GreaterOrEqual(t, mean, float64(low)*(1-metrics.RelativeError)-1)
			require.LessOrEqual(t, mean, float64(high)*(1+metrics.RelativeError)+1)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	s := &metrics.Sketch{}
	v := int64(27_000)
	b.ReportAllocs()
	for b.Loop() {
		s.Add(v)
		v = v*6364136223846793005 + 1442695040888963407
	}
}

func BenchmarkQuantile(b *testing.B) {
	s := sketchOf([]int64{27_000, 1_000, 90_000_000_000})
	for b.Loop() {
		_ = s.Quantile(0.99)
	}
}

// TestQuantilesOfAMillionDurations checks the percentiles that the admin API reports, for one
// worker and merged over four.
func TestQuantilesOfAMillionDurations(t *testing.T) {
	const n, workers = 1_000_000, 4
	rnd := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() float64{
		"log-normal":  func() float64 { return 25_000 * math.Exp(0.8*rnd.NormFloat64()) },
		"exponential": func() float64 { return 3_000 * rnd.ExpFloat64() },
		"bimodal": func() float64 { // most tokens come from the cache
			if rnd.Float64() < 0.93 {
				return 2_000 + 200*rnd.NormFloat64()
			}
			return 250_000 + 40_000*rnd.NormFloat64()
		},
	} {
		t.Run(name, func(t *testing.T) {
			values := make([]int64, n)
			var one, merged metrics.Sketch
			var each [workers]metrics.Sketch
			for i := range values {
				values[i] = max(1, int64(draw()))
				one.Add(values[i])
				each[i%workers].Add(values[i])
			}
			for i := range each { // as workers exchange them
				var copied metrics.Sketch
				require.NoError(t, copied.Parse(each[i].AppendBinary(nil)))
				merged.Merge(&copied)
			}
			slices.Sort(values)
			for _, q := range []float64{0.5, 0.95, 0.99} {
				exact := float64(values[int(q*n)])
				assert.InEpsilon(t, exact, float64(one.Quantile(q)), metrics.RelativeError, "p%v, one worker", 100*q)
				assert.InEpsilon(t, exact, float64(merged.Quantile(q)), metrics.RelativeError, "p%v, merged", 100*q)
			}
		})
	}
}
