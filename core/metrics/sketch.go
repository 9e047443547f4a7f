package metrics

import "math/bits"

// A duration of n >= 64 ns falls, with all that share its highest bit and the six below it, into one bucket, whose width is
// at most 1/64 of any duration in it; smaller ones have a bucket each. The middle of a bucket is then less than 0.8 % away
// from each of its durations. This is a logarithmic sketch (DDSketch, Masson, Rim and Lee 2019) with the logarithm taken
// between powers of two, where a straight line stands in for it: finding a bucket is two shifts.
const (
	precision = 6 // bits below the highest
	perOctave = 1 << precision
	octaves   = 31
	buckets   = perOctave * (octaves + 1)

	// MaxDuration is the longest duration that a Sketch tells from longer ones, in nanoseconds: about 137 s.
	MaxDuration = 1<<(precision+octaves) - 1
)

// RelativeError bounds how far Quantile is from the exact value, as a part of it.
const RelativeError = 0.01

// Sketch estimates the quantiles of durations within RelativeError, in memory that doesn't grow (16 KiB). The zero value is
// empty.
type Sketch struct {
	counts [buckets]uint64
	count  uint64
	sum    uint64
}

// Add counts a duration, in nanoseconds. Negative ones count as 0, those above MaxDuration as MaxDuration.
func (s *Sketch) Add(nanos int64) {
	v := uint64(min(max(nanos, 0), MaxDuration))
	s.counts[bucketOf(v)]++
	s.count++
	s.sum += v
}

// Count is the number of durations.
func (s *Sketch) Count() uint64 { return s.count }

// Sum is the exact total of the durations, in nanoseconds.
func (s *Sketch) Sum() uint64 { return s.sum }

// Quantile estimates the duration, in nanoseconds, above which the part 1-q of all lie, 0 <= q <= 1: of the durations in
// ascending order, numbered from 0, the one with the number q*Count rounded down, or the last. It is 0 for no durations.
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

// Since takes away the durations of an earlier state of s. Where earlier has more than s, it isn't one, and s is left as
// it is.
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

// bucketOf finds the bucket of a duration up to MaxDuration.
func bucketOf(v uint64) int {
	if v < perOctave {
		return int(v)
	}
	octave := bits.Len64(v) - precision - 1
	return octave*perOctave + int(v>>octave)
}

// bounds are the shortest and the longest duration of a bucket.
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
