package metrics

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// The binary form of a Sketch is a version byte, the sum, and two numbers for each bucket that has
// a count: how many empty buckets precede it, and its count. The numbers are base-128 varints of
// the shortest form, lowest digit first. Other plugins can write to the shared data that holds it,
// so Parse checks everything.
const (
	sketchVersion = 1
)

// MaxSketchBytes is the length of the longest binary form that AppendBinary writes.
const MaxSketchBytes = 1 + binary.MaxVarintLen64 + buckets*(1+binary.MaxVarintLen64)

// Bounds of the sketches that Parse accepts. 256 sketches within them add up without overflow.
const (
	maxCount = 1 << 48
	maxSum   = 1 << 56 // nanoseconds: over two years spent validating
)

var (
	errVersion = errors.New("metrics: not a sketch of version 1")
	errSketch  = errors.New("metrics: malformed sketch")
)

// AppendBinary appends the sketch's binary form to dst.
func (s *Sketch) AppendBinary(dst []byte) []byte {
	dst = append(dst, sketchVersion)
	dst = binary.AppendUvarint(dst, s.sum)
	next := 0
	for i, n := range &s.counts {
		if n == 0 {
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(i-next))
		dst = binary.AppendUvarint(dst, n)
		next = i + 1
	}
	return dst
}

// Parse sets s to the sketch whose binary form is data. It accepts only what AppendBinary writes:
// each sketch has one form, and the sum must lie within the bounds that the buckets set. On an
// error, s is empty.
func (s *Sketch) Parse(data []byte) error {
	*s = Sketch{}
	if len(data) == 0 || data[0] != sketchVersion {
		return errVersion
	}
	if err := s.parse(data[1:]); err != nil {
		*s = Sketch{}
		return err
	}
	return nil
}

func (s *Sketch) parse(data []byte) error {
	sum, data, ok := uvarint(data)
	if !ok || sum > maxSum {
		return errSketch
	}
	var least, most wide
	next := uint64(0)
	for len(data) > 0 {
		var gap, n uint64
		if gap, data, ok = uvarint(data); !ok || gap >= buckets-next {
			return errSketch
		}
		if n, data, ok = uvarint(data); !ok || n == 0 || n > maxCount-s.count {
			return errSketch
		}
		bucket := int(next + gap)
		next += gap + 1
		low, high := bounds(bucket)
		least.add(low, n)
		most.add(high, n)
		s.counts[bucket] = n
		s.count += n
	}
	if least.above(sum) || !most.above(sum) && most.low != sum {
		return errSketch
	}
	s.sum = sum
	return nil
}

// uvarint reads a varint. It refuses forms that aren't the shortest.
func uvarint(data []byte) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(data)
	if n <= 0 || n > 1 && data[n-1] == 0 {
		return 0, nil, false
	}
	return v, data[n:], true
}

// wide is a sum of products that can exceed 64 bits.
type wide struct{ high, low uint64 }

func (w *wide) add(a, b uint64) {
	high, low := bits.Mul64(a, b)
	var carry uint64
	w.low, carry = bits.Add64(w.low, low, 0)
	w.high, _ = bits.Add64(w.high, high, carry)
}

func (w wide) above(v uint64) bool { return w.high > 0 || w.low > v }
