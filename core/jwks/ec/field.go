package ec

import (
	"math/bits"

	"gatehouse/core/jwks/montgomery"
)

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

// modulus is an odd prime, with the constants of Montgomery form.
type modulus struct {
	montgomery.Modulus[element]
	one element // R mod M, which stands for 1
	rr  element // R² mod M, which multiplies a number into the form
}

func newModulus(m element, bitLen int) *modulus {
	f := &modulus{Modulus: montgomery.New(m, bitLen)}
	// Doubling 1 mod M 64·Limbs times gives R; doing it as many times again gives R².
	f.rr[0] = 1
	for i := range 2 * 64 * f.Limbs {
		if i == 64*f.Limbs {
			f.one = f.rr
		}
		f.Add(&f.rr, &f.rr, &f.rr)
	}
	return f
}

func (f *modulus) sub(z, a, b *element) {
	var borrow uint64
	for i := range f.Limbs {
		z[i], borrow = bits.Sub64(a[i], b[i], borrow)
	}
	if borrow == 0 {
		return
	}
	var carry uint64
	for i := range f.Limbs {
		z[i], carry = bits.Add64(z[i], f.M[i], carry)
	}
}

// enter converts a number below R to Montgomery form and reduces it.
func (f *modulus) enter(a element) element {
	f.Mul(&a, &a, &f.rr)
	return a
}

// invert computes a⁻¹ as a^(m-2), by Fermat's little theorem. a and the result are in Montgomery
// form; a must not be 0.
func (f *modulus) invert(a element) element {
	e := f.M
	e[0] -= 2 // no borrow: the lowest limb of every modulus here is large
	return f.power(a, e)
}

// power computes aᵉ. a and the result are in Montgomery form.
func (f *modulus) power(a, e element) element {
	z := f.one
	for i := 64*f.Limbs - 1; i >= 0; i-- {
		f.Mul(&z, &z, &z)
		if e.bit(i) == 1 {
			f.Mul(&z, &z, &a)
		}
	}
	return z
}

func (a *element) bit(i int) uint64 { return a[i/64] >> (i % 64) & 1 }

// digit is the i-th group of four bits.
func (a *element) digit(i int) uint64 { return a[i/16] >> (i % 16 * 4) & 15 }

// parse reads big-endian bytes, at most 72.
func parse(b []byte) element { return montgomery.Parse[element](b) }
