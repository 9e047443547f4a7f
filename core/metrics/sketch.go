package metrics

import "math/bits"

// The sketch is a DDSketch (Masson, Rim and Lee: "DDSketch: A Fast and Fully-Mergeable Quantile
// Sketch with Relative-Error Guarantees", VLDB 2019) with linear interpolation between powers of
// two in place of the logarithm, so that two shifts find a bucket. Durations below 64 ns have a
// bucket each. Longer durations share a bucket if they agree in their highest bit and the six bits
// below it. A bucket is then at most 1/64 as wide as any duration in it, and its middle is less
// than 0.8 % away from each of them.
const (
	precision = 6 // bits below the highest
	perOctave = 1 << precision
	octaves   = 31
	buckets   = perOctave * (octaves + 1)

	// MaxDuration is the longest duration that a Sketch distinguishes, in nanoseconds: about 137 s.
	// Longer ones count as it.
	MaxDuration = 1<<(precision+octaves) - 1
)

// RelativeError bounds the error of Quantile, as a fraction of the exact value.
const RelativeError = 0.01

// Sketch estimates quantiles of durations within RelativeError. It takes 16 KiB, however many
// durations it counts. The zero value is empty.
type Sketch struct {
	counts [buckets]uint64
	count  uint64
	sum    uint64
}

// Add counts a duration, in nanoseconds. A negative one counts as 0, one above MaxDuration as
// MaxDuration.
func (s *Sketch) Add(nanos int64) {
	v := uint64(min(max(nanos, 0), MaxDuration))
	s.counts[bucketOf(v)]++
	s.count++
	s.sum += v
}

// Count returns the number of durations.
func (s *Sketch) Count() uint64 { return s.count }

// Sum returns the exact total of the durations, in nanoseconds.
func (s *Sketch) Sum() uint64 { return s.sum }

// Quantile estimates the q-quantile, 0 <= q <= 1, in nanoseconds: in ascending order and numbered
// from 0, the duration with the number q*Count, rounded down, or else the last one. It is 0 for an
// empty sketch.
func (s *Sketch) Quantile(q float64) uint64 {
	if s.count == 0 {
		return 0
	}
	rank := min(uint64(q*float64(s.count)), s.count-1)
	seen := uint64(0)
	for i := range s.counts {
		if seen += s.counts[i]; seen > rank {
			return middle(i)
		}
	}
	return MaxDuration
}

// Merge adds the durations of o, as if Add had been called with each.
func (s *Sketch) Merge(o *Sketch) {
	for i := range s.counts {
		s.counts[i] += o.counts[i]
	}
	s.count += o.count
	s.sum += o.sum
}

// Since subtracts an earlier state of s. If a bucket of earlier holds more than that of s, it isn't
// an earlier state, and s stays as it is.
func (s *Sketch) Since(earlier *Sketch) {
	for i := range s.counts {
		if s.counts[i] < earlier.counts[i] {
			return
		}
	}
	if s.sum < earlier.sum {
		return
	}
	for i := range s.counts {
		s.counts[i] -= earlier.counts[i]
	}
	s.count -= earlier.count
	s.sum -= earlier.sum
}

// bucketOf returns the bucket of a duration of at most MaxDuration.
func bucketOf(v uint64) int {
	if v < perOctave {
		return int(v)
	}
	octave := bits.Len64(v) - precision - 1
	return octave*perOctave + int(v>>octave)
}

// bounds returns the shortest and the longest duration of a bucket.
func bounds(bucket int) (low, high uint64) {
	if bucket < perOctave {
		return uint64(bucket), uint64(bucket)
	}
	octave := bucket/perOctave - 1
	low = uint64(bucket%perOctave+perOctave) << octave
	return low, low + 1<<octave - 1
}

func middle(bucket int) uint64 {
	low, high := bounds(bucket)
	return low + (high-low)/2
}
