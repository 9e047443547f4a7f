package rsa

import "math/bits"

// maxLimbs holds the bits of the largest modulus.
const maxLimbs = MaxBits / 64

// number is a number below a modulus, little-endian in 64-bit limbs. The modulus says how many
// limbs count.
type number [maxLimbs]uint64

// modulus is an odd m, with the constants of Montgomery multiplication. With R = 2^(64·limbs), the
// Montgomery form of a is a·R mod m.
type modulus struct {
	limbs int
	m     number
	inv   uint64 // -m⁻¹ mod 2⁶⁴
	rr    number // R² mod m, which multiplies a number into the form
}

// newModulus reads a big-endian modulus without leading zeros. ok is false for one that is even, 1,
// or longer than MaxBits.
func newModulus(b []byte) (f *modulus, ok bool) {
	if len(b) == 0 || len(b) > MaxBits/8 || b[0] == 0 || b[len(b)-1]&1 == 0 || len(b) == 1 && b[0] == 1 {
		return nil, false
	}
	f = &modulus{limbs: (len(b) + 7) / 8}
	f.m.set(b)
	// Newton's iteration doubles the valid bits of the inverse: 3 (as m·m ≡ 1 mod 8), 6, 12, 24,
	// 48, 96.
	inv := f.m[0]
	for range 5 {
		inv *= 2 - f.m[0]*inv
	}
	f.inv = -inv
	// The highest power of 2 below m, doubled until it is 2·R: the form of 2.
	z := &f.rr
	high := bitLen(b) - 1
	z[high/64] = 1 << (high % 64)
	for range 64*f.limbs - high + 1 {
		f.double(z)
	}
	// The form of 2^(64·limbs) = R is R². Its exponent is read from the highest bit: a square
	// doubles what was read.
	e := uint(64 * f.limbs)
	for i := bits.Len(e) - 2; i >= 0; i-- {
		f.mul(z, z, z)
		if e>>i&1 == 1 {
			f.double(z)
		}
	}
	return f, true
}

// power computes aᵉ mod m, as long as a. a is below m, big-endian; e is odd, at least 3.
func (f *modulus) power(a []byte, e int) []byte {
	var plain, form, z number
	plain.set(a)
	f.mul(&form, &plain, &f.rr)
	z = form
	for i := bits.Len(uint(e)) - 2; i > 0; i-- {
		f.mul(&z, &z, &z)
		if e>>i&1 == 1 {
			f.mul(&z, &z, &form)
		}
	}
	// The last bit is 1. The product with the plain number leaves Montgomery form.
	f.mul(&z, &z, &z)
	f.mul(&z, &z, &plain)
	return z.bytes(len(a))
}

// reduce subtracts m once if carry·R + z is not below it.
func (f *modulus) reduce(z *number, carry uint64) {
	var t number
	var borrow uint64
	for i := range f.limbs {
		t[i], borrow = bits.Sub64(z[i], f.m[i], borrow)
	}
	if carry != 0 || borrow == 0 {
		*z = t
	}
}

func (f *modulus) double(z *number) {
	var carry uint64
	for i := range f.limbs {
		z[i], carry = bits.Add64(z[i], z[i], carry)
	}
	f.reduce(z, carry)
}

// mul is Montgomery's product a·b/R mod m, as in package ec. a and b are below m. z may be a or b.
func (f *modulus) mul(z, a, b *number) {
	var t number
	var top uint64 // t's limb above the last
	n := f.limbs
	for i := range n {
		var c uint64
		x := a[i]
		for j := range n {
			c, t[j] = mulAdd(x, b[j], t[j], c)
		}
		high, over := bits.Add64(top, c, 0)

		q := t[0] * f.inv
		c, _ = mulAdd(q, f.m[0], t[0], 0) // the low limb is zero by the choice of q
		for j := 1; j < n; j++ {
			c, t[j-1] = mulAdd(q, f.m[j], t[j], c)
		}
		t[n-1], c = bits.Add64(high, c, 0) //nolint:gosec // n is 1 to maxLimbs
		top = over + c
	}
	f.reduce(&t, top)
	*z = t
}

// mulAdd is a·b + c + d, which fits two limbs.
func mulAdd(a, b, c, d uint64) (hi, lo uint64) {
	hi, lo = bits.Mul64(a, b)
	var carry uint64
	lo, carry = bits.Add64(lo, c, 0)
	hi += carry
	lo, carry = bits.Add64(lo, d, 0)
	return hi + carry, lo
}

// set reads big-endian bytes. z is zero before.
func (z *number) set(b []byte) {
	for i := range b {
		z[i/8] |= uint64(b[len(b)-1-i]) << (i % 8 * 8)
	}
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
