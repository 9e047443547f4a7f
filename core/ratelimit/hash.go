package ratelimit

import (
	"encoding/binary"
	"math/bits"
)

// ID is a keyed hash of an identifier. Without the key nobody can choose an identifier that shares
// a bucket with another one.
type ID [16]byte

// Hasher computes IDs with SipHash-2-4 and 128 bits of output (Aumasson and Bernstein, and their
// reference implementation).
type Hasher struct{ k0, k1 uint64 }

// NewHasher returns a Hasher for a secret, random key. All workers need the same key: see
// SharedKey.
func NewHasher(key [16]byte) Hasher {
	return Hasher{k0: binary.LittleEndian.Uint64(key[:8]), k1: binary.LittleEndian.Uint64(key[8:])}
}

// Sum is the ID of an identifier built with AppendElement and AppendAbsent.
func (h Hasher) Sum(identifier []byte) ID {
	s := sip{
		h.k0 ^ 0x736f6d6570736575,
		h.k1 ^ 0x646f72616e646f6d ^ 0xee, // 0xee, here and below, selects 128 bits of output
		h.k0 ^ 0x6c7967656e657261,
		h.k1 ^ 0x7465646279746573,
	}
	last := uint64(len(identifier)) << 56
	for len(identifier) >= 8 {
		s.block(binary.LittleEndian.Uint64(identifier))
		identifier = identifier[8:]
	}
	for i, b := range identifier {
		last |= uint64(b) << (8 * i)
	}
	s.block(last)

	var id ID
	s.v2 ^= 0xee
	binary.LittleEndian.PutUint64(id[:8], s.finish())
	s.v1 ^= 0xdd
	binary.LittleEndian.PutUint64(id[8:], s.finish())
	return id
}

type sip struct{ v0, v1, v2, v3 uint64 }

func (s *sip) block(m uint64) {
	s.v3 ^= m
	s.round()
	s.round()
	s.v0 ^= m
}

func (s *sip) finish() uint64 {
	for range 4 {
		s.round()
	}
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}

func (s *sip) round() {
	s.v0 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 13) ^ s.v0
	s.v0 = bits.RotateLeft64(s.v0, 32)
	s.v2 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 16) ^ s.v2
	s.v0 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 21) ^ s.v0
	s.v2 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 17) ^ s.v2
	s.v2 = bits.RotateLeft64(s.v2, 32)
}
