// Package montgomery multiplies numbers modulo an odd number, for the signatures of packages ec and
// rsa. Its running time depends on its input, which must be public: never give it a secret.
package montgomery

import "math/bits"

// Number is a number below a modulus, little-endian in 64-bit limbs. The modulus says how many
// limbs count; the others are zero. The sizes hold the 521 bits of P-521, and RSA's longest key.
type Number interface{ ~[9]uint64 | ~[128]uint64 }

// Modulus is an odd M. With R = 2^(64·Limbs), the Montgomery form of a is a·R mod M.
type Modulus[T Number] struct {
	M     T
	Limbs int
	inv   uint64 // -M⁻¹ mod 2⁶⁴
}

// New makes a modulus of an odd m.
func New[T Number](m T, bitLen int) Modulus[T] {
	// Newton's iteration doubles the valid bits of the inverse: 3 (as m·m ≡ 1 mod 8), 6, 12, 24,
	// 48, 96.
	inv := m[0]
	for range 5 {
		inv *= 2 - m[0]*inv
	}
	return Modulus[T]{M: m, Limbs: (bitLen + 63) / 64, inv: -inv}
}

// reduce subtracts M once if carry·R + z is not below it.
func (f *Modulus[T]) reduce(z *T, carry uint64) {
	var t T
	var borrow uint64
	for i := range f.Limbs {
		t[i], borrow = bits.Sub64((*z)[i], f.M[i], borrow)
	}
	if carry != 0 || borrow == 0 {
		*z = t
	}
}

// Add is a+b mod M. z may be a or b.
func (f *Modulus[T]) Add(z, a, b *T) {
	var carry uint64
	for i := range f.Limbs {
		(*z)[i], carry = bits.Add64((*a)[i], (*b)[i], carry)
	}
	f.reduce(z, carry)
}

// Mul is Montgomery's product a·b/R mod M: operand scanning with the reduction in the same pass
// (Koç, Acar and Kaliski, "Analyzing and Comparing Montgomery Multiplication Algorithms", 1996, §5,
// CIOS). One of a and b may be any number below R, so that Mul also reduces numbers. z may be a or
// b.
func (f *Modulus[T]) Mul(z, a, b *T) {
	var t T
	var top uint64 // t's limb above the last
	n := f.Limbs
	for i := range n {
		var c uint64
		x := (*a)[i]
		for j := range n {
			c, t[j] = mulAdd(x, (*b)[j], t[j], c)
		}
		high, over := bits.Add64(top, c, 0)

		q := t[0] * f.inv
		c, _ = mulAdd(q, f.M[0], t[0], 0) // the low limb is zero by the choice of q
		for j := 1; j < n; j++ {
			c, t[j-1] = mulAdd(q, f.M[j], t[j], c)
		}
		t[n-1], c = bits.Add64(high, c, 0)
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

// Parse reads big-endian bytes, as many as T holds at most.
func Parse[T Number](b []byte) (z T) {
	for i := range b {
		z[i/8] |= uint64(b[len(b)-1-i]) << (i % 8 * 8)
	}
	return z
}
