package ec

import (
	"slices"
	"sync"
)

// field25519 is the field of edwards25519, -x² + y² = 1 + dx²y² with d = -121665/121666 (RFC 8032
// §5.1).
var field25519 = sync.OnceValue(func() *modulus {
	return newModulus(fromHex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"), 255)
})

// Edwards25519 reports whether 32 bytes encode a point on edwards25519 (RFC 8032 §5.1.3) that is
// not one of the eight points of small order. Anybody can make signatures that verify with a key of
// small order. 32 zero bytes are one.
func Edwards25519(key []byte) bool {
	if len(key) != 32 {
		return false
	}
	f := field25519()
	bigEndian := slices.Clone(key)
	slices.Reverse(bigEndian)
	bigEndian[0] &= 0x7f // the top bit is the sign of x
	y := parse(bigEndian)
	if !y.less(&f.M) {
		return false
	}
	y = f.enter(y)
	num, den := f.enter(element{121665}), f.enter(element{121666})
	var yy, u, v, eight element
	f.Mul(&yy, &y, &y)
	f.Mul(&v, &num, &yy)
	// The points of order 8 have x² = -y², so that the equation of the curve is dy⁴ + 2y² - 1 = 0;
	// here times -den.
	f.Add(&eight, &den, &den)
	f.sub(&eight, &v, &eight)
	f.Mul(&eight, &eight, &yy)
	f.Add(&eight, &eight, &den)
	// x² is (y² - 1)/(dy² + 1); here u over v/den. x is zero for the orders 1 and 2, y for the
	// order 4.
	f.sub(&u, &yy, &f.one)
	f.sub(&v, &den, &v)
	if u.isZero() || yy.isZero() || eight.isZero() {
		return false
	}
	// By Euler's criterion, that is a square if the product of all three is one.
	f.Mul(&u, &u, &v)
	f.Mul(&u, &u, &den)
	return f.power(u, fromHex("3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff6")) == f.one // (p-1)/2
}
