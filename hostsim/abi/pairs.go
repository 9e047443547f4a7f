package abi

import "encoding/binary"

// Limits on a serialised map that a guest hands over. They are Envoy's
// (proxy-wasm-cpp-host, limits.h); beyond them the map reads as empty.
const (
	MaxPairsBytes = 1 << 20
	MaxPairs      = 1024
)

// Pair is one entry of a map of HTTP fields.
type Pair struct{ Name, Value string }

// PairsSize returns the number of bytes that AppendPairs writes for pairs.
func PairsSize(pairs []Pair) int {
	n := 4
	for _, p := range pairs {
		n += 8 + len(p.Name) + 1 + len(p.Value) + 1
	}
	return n
}

// AppendPairs appends the serialised form of pairs to dst (spec v0.2.1,
// "Serialization"): the number of pairs, then the length of each name and
// value, then each name and value followed by a zero byte. All integers are
// 32-bit little-endian.
func AppendPairs(dst []byte, pairs []Pair) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(pairs)))
	for _, p := range pairs {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p.Name)))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p.Value)))
	}
	for _, p := range pairs {
		dst = append(dst, p.Name...)
		dst = append(dst, 0)
		dst = append(dst, p.Value...)
		dst = append(dst, 0)
	}
	return dst
}

// ParsePairs parses a serialised map. It reports false for anything that is not
// exactly one well-formed map within the limits; an empty input and a single
// zero byte are well-formed empty maps.
func ParsePairs(b []byte) ([]Pair, bool) {
	if len(b) == 0 || len(b) == 1 && b[0] == 0 {
		return nil, true
	}
	if len(b) < 4 || len(b) > MaxPairsBytes {
		return nil, false
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n > MaxPairs || len(b) < 4+8*n {
		return nil, false
	}
	sizes, rest := b[4:4+8*n], b[4+8*n:]
	take := func(size uint32) (string, bool) {
		if uint64(size)+1 > uint64(len(rest)) || rest[size] != 0 {
			return "", false
		}
		s := string(rest[:size])
		rest = rest[size+1:]
		return s, true
	}
	pairs := make([]Pair, n)
	for i := range pairs {
		var ok bool
		if pairs[i].Name, ok = take(binary.LittleEndian.Uint32(sizes[8*i:])); !ok {
			return nil, false
		}
		if pairs[i].Value, ok = take(binary.LittleEndian.Uint32(sizes[8*i+4:])); !ok {
			return nil, false
		}
	}
	if len(rest) != 0 {
		return nil, false
	}
	return pairs, true
}
