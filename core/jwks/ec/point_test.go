package ec

import (
	"crypto/elliptic"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// leave undoes enter.
func (f *modulus) leave(a element) element {
	f.Mul(&a, &a, &element{1})
	return a
}

func (c *Curve) affine(p point) (x, y *big.Int) {
	if p.z.isZero() {
		return new(big.Int), new(big.Int)
	}
	f := c.p
	var zz element
	inv := f.invert(p.z)
	f.Mul(&zz, &inv, &inv)
	f.Mul(&p.x, &p.x, &zz)
	f.Mul(&zz, &zz, &inv)
	f.Mul(&p.y, &p.y, &zz)
	return toBig(f.leave(p.x)), toBig(f.leave(p.y))
}

func toBig(e element) *big.Int {
	b := make([]byte, 0, 72)
	for i := maxLimbs - 1; i >= 0; i-- {
		for s := 56; s >= 0; s -= 8 {
			b = append(b, byte(e[i]>>s))
		}
	}
	return new(big.Int).SetBytes(b)
}

func fromBig(v *big.Int) element { return parse(v.FillBytes(make([]byte, 72))) }

type both struct {
	ours *Curve
	std  elliptic.Curve
}

func curves() map[string]both {
	return map[string]both{"P-256": {P256(), elliptic.P256()}, "P-384": {P384(), elliptic.P384()}, "P-521": {P521(), elliptic.P521()}}
}

// sums checks u1·G + u2·(d·G) against the standard library's points.
func (b both) sums(t require.TestingT, u1, u2, d *big.Int) {
	n := b.std.Params().N
	u1, u2, d = new(big.Int).Mod(u1, n), new(big.Int).Mod(u2, n), new(big.Int).Mod(d, n)
	f := b.ours.p
	x, y := b.std.ScalarBaseMult(d.Bytes()) //nolint:staticcheck // the oracle takes coordinates
	q := point{f.enter(fromBig(x)), f.enter(fromBig(y)), f.one}
	a1, a2 := fromBig(u1), fromBig(u2)
	gx, gy := b.ours.affine(b.ours.combine(&a1, &a2, q))

	d.Mul(d, u2).Add(d, u1).Mod(d, n)
	wx, wy := b.std.ScalarBaseMult(d.Bytes()) //nolint:staticcheck // the oracle takes coordinates
	require.Zero(t, wx.Cmp(gx), "%v %v", u1, u2)
	require.Zero(t, wy.Cmp(gy))
}

// Keys that are small multiples of G or -G make the sum meet its own addends: P + P, P - P,
// additions to infinity.
func TestSumsThatMeetTheirAddends(t *testing.T) {
	for name, b := range curves() {
		t.Run(name, func(t *testing.T) {
			for _, d := range []int64{1, -1, 2, -2, 3, 15, 16, -16, 17} {
				for _, u1 := range []int64{0, 1, -1, 2, 15, 16, -16, 17, 255, 4096} {
					for _, u2 := range []int64{0, 1, -1, 2, 15, 16, -16, 17} {
						b.sums(t, big.NewInt(u1), big.NewInt(u2), big.NewInt(d))
					}
				}
			}
		})
	}
}

func TestSumsOfRandomMultiples(t *testing.T) {
	for name, b := range curves() {
		t.Run(name, func(t *testing.T) {
			size := b.ours.Size()
			rapid.Check(t, func(rt *rapid.T) {
				draw := func(label string) *big.Int {
					return new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), size, size).Draw(rt, label))
				}
				d := draw("d")
				d.Mod(d, new(big.Int).Sub(b.std.Params().N, big.NewInt(1))).Add(d, big.NewInt(1))
				b.sums(rt, draw("u1"), draw("u2"), d)
			})
		})
	}
}

func TestFieldArithmeticIsThatOfMathBig(t *testing.T) {
	for name, b := range curves() {
		for _, f := range []*modulus{b.ours.p, b.ours.n} {
			m := toBig(f.M)
			t.Run(name, func(t *testing.T) {
				limit := new(big.Int).Lsh(big.NewInt(1), uint(64*f.Limbs))
				edges := []*big.Int{new(big.Int), big.NewInt(1), new(big.Int).Sub(m, big.NewInt(1)), new(big.Int).Rsh(m, 1)}
				gen := rapid.OneOf(rapid.SampledFrom(edges), rapid.Map(rapid.SliceOfN(rapid.Byte(), 72, 72), func(v []byte) *big.Int {
					return new(big.Int).Mod(new(big.Int).SetBytes(v), m)
				}))
				rapid.Check(t, func(rt *rapid.T) {
					x, y := gen.Draw(rt, "x"), gen.Draw(rt, "y")
					a, c := f.enter(fromBig(x)), f.enter(fromBig(y))
					require.Zero(rt, x.Cmp(toBig(f.leave(a))))
					check := func(want *big.Int, got element) {
						require.Zero(rt, new(big.Int).Mod(want, m).Cmp(toBig(f.leave(got))))
						require.True(rt, got.less(&f.M))
					}
					var z element
					f.Mul(&z, &a, &c)
					check(new(big.Int).Mul(x, y), z)
					f.Add(&z, &a, &c)
					check(new(big.Int).Add(x, y), z)
					f.sub(&z, &a, &c)
					check(new(big.Int).Sub(x, y), z)
					if x.Sign() != 0 {
						check(new(big.Int).ModInverse(x, m), f.invert(a))
					}
					// Any number below R is reduced on entering.
					over := new(big.Int).Sub(limit, new(big.Int).Add(x, big.NewInt(1)))
					check(over, f.enter(fromBig(over)))
				})
			})
		}
	}
}
