// Package ec verifies ECDSA signatures over the NIST curves P-256, P-384 and P-521 (FIPS 186-5, SP
// 800-186). It also finds Ed25519 keys that crypto/ed25519 would accept but that prove nothing.
//
// It exists because crypto/ecdsa adds 1.2 MB to a WebAssembly module (docs/RATIONALE.md), and each
// megabyte adds more than a second to the start of an Envoy. Its running time depends on its input,
// which must be public: never give it a secret.
package ec

import "sync"

// Curve is the curve y² = x³ - 3x + b over a prime field, with a generator of prime order.
type Curve struct {
	size int // bytes of a coordinate, and of r and s
	bits int // of the order
	p, n *modulus
	b    element // in Montgomery form
	rest element // p - n, in plain form: how far r may be from an x-coordinate that exceeds n
	g    table
}

// table holds the multiples 0 to 15 of a point.
type table [16]point

// P256 is NIST P-256 (SP 800-186 §3.2.1.3), also known as secp256r1.
var P256 = sync.OnceValue(func() *Curve {
	return newCurve(256,
		"ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
		"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
		"5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
		"6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
		"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
})

// P384 is NIST P-384 (SP 800-186 §3.2.1.4), also known as secp384r1.
var P384 = sync.OnceValue(func() *Curve {
	return newCurve(384,
		"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
		"ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
		"b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
		"aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
		"3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f")
})

// P521 is NIST P-521 (SP 800-186 §3.2.1.5), also known as secp521r1.
var P521 = sync.OnceValue(func() *Curve {
	return newCurve(521,
		"01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
		"0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
		"00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66",
		"011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650")
})

func newCurve(bitLen int, p, n, b, gx, gy string) *Curve {
	c := &Curve{
		size: (bitLen + 7) / 8,
		bits: bitLen,
		p:    newModulus(fromHex(p), bitLen),
		n:    newModulus(fromHex(n), bitLen),
	}
	c.b = c.p.enter(fromHex(b))
	c.rest = c.p.M
	c.p.sub(&c.rest, &c.rest, &c.n.M)
	c.g = c.multiples(point{c.p.enter(fromHex(gx)), c.p.enter(fromHex(gy)), c.p.one})
	return c
}

// fromHex reads the constants above. encoding/hex would link fmt.
func fromHex(s string) (z element) {
	for i := range len(s) {
		d := uint64(s[len(s)-1-i])
		if d -= '0'; d > 9 {
			d -= 'a' - '0' - 10
		}
		z[i/16] |= d << (i % 16 * 4)
	}
	return z
}

// Size is the width in bytes of a coordinate, and of r and s in a JWS (RFC 7518 §3.4): 32, 48 or
// 66.
func (c *Curve) Size() int { return c.size }

// OnCurve reports whether x and y are the coordinates of a point on the curve (SEC 1 §3.2.2.1).
// Each has Size bytes, big-endian. The cofactor is 1, so that no more needs to be checked. The
// point at infinity has no coordinates.
func (c *Curve) OnCurve(x, y []byte) bool {
	_, ok := c.point(x, y)
	return ok
}

func (c *Curve) point(x, y []byte) (point, bool) {
	if len(x) != c.size || len(y) != c.size {
		return point{}, false
	}
	px, py := parse(x), parse(y)
	f := c.p
	if !px.less(&f.M) || !py.less(&f.M) {
		return point{}, false
	}
	px, py = f.enter(px), f.enter(py)
	var left, right, three element
	f.Mul(&left, &py, &py)
	f.Mul(&right, &px, &px)
	f.Mul(&right, &right, &px)
	f.Add(&right, &right, &c.b)
	f.Add(&three, &px, &px)
	f.Add(&three, &three, &px)
	f.sub(&right, &right, &three)
	return point{px, py, f.one}, left == right
}

// Scalar reports whether b can be the r or s of a signature: at least 1 and below the order of the
// group. It has Size bytes, big-endian.
func (c *Curve) Scalar(b []byte) bool {
	if len(b) != c.size {
		return false
	}
	v := parse(b)
	return !v.isZero() && v.less(&c.n.M)
}

// Verify reports whether r and s are the signature of hash by the key x, y (FIPS 186-5 §6.4.2). x,
// y, r and s have Size bytes, big-endian. It is false for a key that is not on the curve and for r
// or s out of range. The hash must not have more bits than the order; the hashes of RFC 7518 §3.4
// don't.
func (c *Curve) Verify(x, y, hash, r, s []byte) bool {
	q, ok := c.point(x, y)
	if !ok || !c.Scalar(r) || !c.Scalar(s) || len(hash)*8 > c.bits {
		return false
	}
	rv := parse(r)
	w := c.n.invert(c.n.enter(parse(s)))
	var u1, u2 element
	// The product of a number in Montgomery form and one that is not is not in Montgomery form, and
	// it is reduced.
	e := parse(hash)
	c.n.Mul(&u1, &e, &w)
	c.n.Mul(&u2, &rv, &w)
	sum := c.combine(&u1, &u2, q)
	if sum.z.isZero() {
		return false
	}
	// r must be X/Z² mod n. Comparing r·Z² with X saves a division. If X/Z² is n or more, it is r +
	// n.
	f := c.p
	var zz, want element
	f.Mul(&zz, &sum.z, &sum.z)
	cand := f.enter(rv)
	f.Mul(&want, &cand, &zz)
	if want == sum.x {
		return true
	}
	if !rv.less(&c.rest) {
		return false
	}
	order := f.enter(c.n.M)
	f.Add(&cand, &cand, &order)
	f.Mul(&want, &cand, &zz)
	return want == sum.x
}
