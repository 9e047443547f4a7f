package ec

import "math/bits"

// maxLimbs holds the 521 bits of P-521.
const maxLimbs = 9

// element is a number below a modulus, little-endian in 64-bit limbs. The modulus says how many
// limbs count; the others are zero.
type element [maxLimbs]uint64

func (a *element) isZero() bool {
	var or uint64
	for _, w := range a {
		or |= w
	}
	return or == 0
}

// less reports whether a is less than b.
func (a *element) less(b *element) bool {
	for i := maxLimbs - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// modulus is an odd prime m, with the constants of Montgomery multiplication. With R =
// 2^(64·limbs), the Montgomery form of a is a·R mod m.
type modulus struct {
	limbs int
	m     element
	inv   uint64  // -m⁻¹ mod 2⁶⁴
	one   element // R mod m, which stands for 1
	rr    element // R² mod m, which multiplies a number into the form
}

func newModulus(m element, bitLen int) *modulus {
	f := &modulus{limbs: (bitLen + 63) / 64, m: m}
	// Newton's iteration doubles the valid bits of the inverse: 3 (as m·m ≡ 1 mod 8), 6, 12, 24,
	// 48, 96.
	inv := m[0]
	for range 5 {
		inv *= 2 - m[0]*inv
	}
	f.inv = -inv
	// Doubling 1 mod m 64·limbs times gives R; doing it as many times again gives R².
	f.rr[0] = 1
	for i := range 2 * 64 * f.limbs {
		if i == 64*f.limbs {
			f.one = f.rr
		}
		f.add(&f.rr, &f.rr, &f.rr)
	}
	return f
}

// reduce subtracts m once if carry·R + z is not below it.
func (f *modulus) reduce(z *element, carry uint64) {
	var t element
	var borrow uint64
	for i := range f.limbs {
		t[i], borrow = bits.Sub64(z[i], f.m[i], borrow)
	}
	if carry != 0 || borrow == 0 {
		*z = t
	}
}

func (f *modulus) add(z, a, b *element) {
	var carry uint64
	for i := range f.limbs {
		z[i], carry = bits.Add64(a[i], b[i], carry)
	}
	f.reduce(z, carry)
}

func (f *modulus) sub(z, a, b *element) {
	var borrow uint64
	for i := range f.limbs {
		z[i], borrow = bits.Sub64(a[i], b[i], borrow)
	}
	if borrow == 0 {
		return
	}
	var carry uint64
	for i := range f.limbs {
		z[i], carry = bits.Add64(z[i], f.m[i], carry)
	}
}

// mul is Montgomery's product a·b/R mod m: operand scanning with the reduction in the same pass
// (Koç, Acar and Kaliski, "Analyzing and Comparing Montgomery Multiplication Algorithms", 1996, §5,
// CIOS). One of a and b may be any number below R, so that mul also reduces numbers. z may be a or
// b.
func (f *modulus) mul(z, a, b *element) {
	var t element
	var top uint64 // t's limb above the last
	n := f.limbs
	for i := range n {
		var c uint64
		x := a[i]
		for j := range n {
			hi, lo := bits.Mul64(x, b[j])
			var cc uint64
			lo, cc = bits.Add64(lo, t[j], 0)
			hi += cc
			t[j], cc = bits.Add64(lo, c, 0)
			c = hi + cc
		}
		high, over := bits.Add64(top, c, 0)

		q := t[0] * f.inv
		hi, lo := bits.Mul64(q, f.m[0])
		_, cc := bits.Add64(lo, t[0], 0) // zero by the choice of q
		c = hi + cc
		for j := 1; j < n; j++ {
			hi, lo := bits.Mul64(q, f.m[j])
			lo, cc = bits.Add64(lo, t[j], 0)
			hi += cc
			t[j-1], cc = bits.Add64(lo, c, 0)
			c = hi + cc
		}
		t[n-1], cc = bits.Add64(high, c, 0) //nolint:gosec // n is 4, 6 or 9
		top = over + cc
	}
	f.reduce(&t, top)
	*z = t
}

// enter converts a number below R to Montgomery form and reduces it.
func (f *modulus) enter(a element) element {
	f.mul(&a, &a, &f.rr)
	return a
}

// invert computes a⁻¹ as a^(m-2), by Fermat's little theorem. a and the result are in Montgomery
// form; a must not be 0.
func (f *modulus) invert(a element) element {
	e := f.m
	e[0] -= 2 // no borrow: the lowest limb of every modulus here is large
	return f.power(a, e)
}

// power computes aᵉ. a and the result are in Montgomery form.
func (f *modulus) power(a, e element) element {
	z := f.one
	for i := 64*f.limbs - 1; i >= 0; i-- {
		f.mul(&z, &z, &z)
		if e.bit(i) == 1 {
			f.mul(&z, &z, &a)
		}
	}
	return z
}

func (a *element) bit(i int) uint64 { return a[i/64] >> (i % 64) & 1 }

// digit is the i-th group of four bits.
func (a *element) digit(i int) uint64 { return a[i/16] >> (i % 16 * 4) & 15 }

// parse reads big-endian bytes, at most 72.
func parse(b []byte) (z element) {
	for i := range b {
		j := len(b) - 1 - i
		z[i/8] |= uint64(b[j]) << (i % 8 * 8)
	}
	return z
}
