package abi

import (
	"encoding/binary"
	"math"
)

// AppendInt appends the property form of an integer: 8 bytes, little-endian.
// Timestamps (nanoseconds since the epoch), durations (nanoseconds) and
// unsigned integers have the same form.
func AppendInt(dst []byte, v int64) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(v))
}

// AppendDouble appends the property form of a number: the 8 bytes of an IEEE
// 754 double, little-endian.
func AppendDouble(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
}

// AppendBool appends the property form of a boolean: one byte, 0 or 1.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// SplitPath splits a property path into its elements, which are separated by
// zero bytes. As in Envoy one trailing separator adds no element, and the empty
// path has none.
func SplitPath(path []byte) []string {
	var parts []string
	for start := 0; start < len(path); {
		end := start
		for end < len(path) && path[end] != 0 {
			end++
		}
		parts = append(parts, string(path[start:end]))
		start = end + 1
	}
	return parts
}
