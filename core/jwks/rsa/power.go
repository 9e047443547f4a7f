package rsa

import (
	"math/bits"

	"gatehouse/core/jwks/montgomery"
)

// maxLimbs holds the bits of the largest modulus.
const maxLimbs = MaxBits / 64

// number is a number below a modulus.
type number [maxLimbs]uint64

// modulus is an odd number, with the constant of Montgomery form.
type modulus struct {
	montgomery.Modulus[number]
	rr number // R² mod M, which multiplies a number into the form
}

// newModulus reads a big-endian modulus without leading zeros. ok is false for one that is even, 1,
// or longer than MaxBits.
func newModulus(b []byte) (f *modulus, ok bool) {
	if len(b) == 0 || len(b) > MaxBits/8 || b[0] == 0 || b[len(b)-1]&1 == 0 || len(b) == 1 && b[0] == 1 {
		return nil, false
	}
	f = &modulus{Modulus: montgomery.New(montgomery.Parse[number](b), 8*len(b))}
	// The highest power of 2 below M, doubled until it is 2·R: the form of 2.
	z := &f.rr
	high := bitLen(b) - 1
	z[high/64] = 1 << (high % 64)
	for range 64*f.Limbs - high + 1 {
		f.Add(z, z, z)
	}
	// The form of 2^(64·Limbs) = R is R². Its exponent is read from the highest bit: a square
	// doubles what was read.
	e := uint(64 * f.Limbs)
	for i := bits.Len(e) - 2; i >= 0; i-- {
		f.Mul(z, z, z)
		if e>>i&1 == 1 {
			f.Add(z, z, z)
		}
	}
	return f, true
}

// power computes aᵉ mod M, as long as a. a is below M, big-endian; e is odd, at least 3.
func (f *modulus) power(a []byte, e int) []byte {
	var form number
	plain := montgomery.Parse[number](a)
	f.Mul(&form, &plain, &f.rr)
	z := form
	for i := bits.Len(uint(e)) - 2; i > 0; i-- {
		f.Mul(&z, &z, &z)
		if e>>i&1 == 1 {
			f.Mul(&z, &z, &form)
		}
	}
	// The last bit is 1. The product with the plain number leaves Montgomery form.
	f.Mul(&z, &z, &z)
	f.Mul(&z, &z, &plain)
	return z.bytes(len(a))
}

// bytes writes size big-endian bytes.
func (z *number) bytes(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[size-1-i] = byte(z[i/8] >> (i % 8 * 8))
	}
	return b
}

// bitLen is the length in bits of a big-endian number without leading zeros.
func bitLen(b []byte) int { return 8*len(b) - bits.LeadingZeros8(b[0]) }
