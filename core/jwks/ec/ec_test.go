package ec_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"
	"testing"

	"gatehouse/core/jwks/ec"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type pair struct {
	name string
	ours *ec.Curve
	std  elliptic.Curve
	hash func([]byte) []byte
}

func pairs() []pair {
	return []pair{
		{"P-256", ec.P256(), elliptic.P256(), func(b []byte) []byte { h := sha256.Sum256(b); return h[:] }},
		{"P-384", ec.P384(), elliptic.P384(), func(b []byte) []byte { h := sha512.Sum384(b); return h[:] }},
		{"P-521", ec.P521(), elliptic.P521(), func(b []byte) []byte { h := sha512.Sum512(b); return h[:] }},
	}
}

// wide gives v's low bytes in the curve's width.
func (p pair) wide(v *big.Int) []byte {
	return new(big.Int).Mod(v, new(big.Int).Lsh(big.NewInt(1), uint(8*p.ours.Size()))).FillBytes(make([]byte, p.ours.Size()))
}

// agree checks one input against crypto/ecdsa and gives the verdict.
func (p pair) agree(t assert.TestingT, x, y *big.Int, hash []byte, r, s *big.Int) bool {
	want := false
	if p.std.IsOnCurve(x, y) { //nolint:staticcheck // the oracle takes coordinates
		want = ecdsa.Verify(&ecdsa.PublicKey{Curve: p.std, X: x, Y: y}, hash, r, s)
	}
	got := p.ours.Verify(p.wide(x), p.wide(y), hash, p.wide(r), p.wide(s))
	assert.Equal(t, want, got, "%s x=%x y=%x hash=%x r=%x s=%x", p.name, x, y, hash, r, s)
	return got
}

func TestSignaturesVerifyAsInCryptoECDSA(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 50
	}
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) {
			key, err := ecdsa.GenerateKey(p.std, rand.Reader)
			require.NoError(t, err)
			for i := range n {
				if i%50 == 0 {
					key, err = ecdsa.GenerateKey(p.std, rand.Reader)
					require.NoError(t, err)
				}
				hash := p.hash([]byte{byte(i), byte(i >> 8)})
				r, s, err := ecdsa.Sign(rand.Reader, key, hash)
				require.NoError(t, err)
				require.True(t, p.agree(t, key.X, key.Y, hash, r, s))
			}
		})
	}
}

func TestMutatedSignaturesVerifyAsInCryptoECDSA(t *testing.T) {
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) {
			key, err := ecdsa.GenerateKey(p.std, rand.Reader)
			require.NoError(t, err)
			hash := p.hash([]byte("a message"))
			r, s, err := ecdsa.Sign(rand.Reader, key, hash)
			require.NoError(t, err)
			flip := func(v *big.Int, bit int) *big.Int {
				return new(big.Int).SetBit(v, bit, v.Bit(bit)^1)
			}
			rapid.Check(t, func(rt *rapid.T) {
				x, y, r, s, h := key.X, key.Y, r, s, append([]byte(nil), hash...)
				bit := rapid.IntRange(0, p.std.Params().BitSize-1).Draw(rt, "bit")
				switch rapid.SampledFrom([]string{"x", "y", "r", "s", "h", "none"}).Draw(rt, "what") {
				case "x":
					x = flip(x, bit)
				case "y":
					y = flip(y, bit)
				case "r":
					r = flip(r, bit)
				case "s":
					s = flip(s, bit)
				case "h":
					h[bit/8%len(h)] ^= 1 << (bit % 8)
				case "none":
					if rapid.Bool().Draw(rt, "negate s") { // n - s is the other signature of the same message
						s = new(big.Int).Sub(p.std.Params().N, s)
					}
					require.True(rt, p.agree(rt, x, y, h, r, s))
					return
				}
				require.False(rt, p.agree(rt, x, y, h, r, s))
			})
		})
	}
}

// recover gives the key by which (R.x mod n, s) is a signature of hash: Q = r⁻¹(s·R - e·G) (SEC 1 §4.1.6).
func (p pair) recover(rx, ry *big.Int, hash []byte, s *big.Int) (x, y, r *big.Int) {
	n := p.std.Params().N
	r = new(big.Int).Mod(rx, n)
	inv := new(big.Int).ModInverse(r, n)
	a := new(big.Int).Mul(s, inv)
	b := new(big.Int).Mul(new(big.Int).SetBytes(hash), inv)
	b.Neg(b).Mod(b, n)
	x1, y1 := p.std.ScalarMult(rx, ry, a.Mod(a, n).Bytes()) //nolint:staticcheck // the oracle takes coordinates
	x2, y2 := p.std.ScalarBaseMult(b.Bytes())               //nolint:staticcheck // the oracle takes coordinates
	x, y = p.std.Add(x1, y1, x2, y2)                        //nolint:staticcheck // the oracle takes coordinates
	return x, y, r
}

// lift gives a point with this x-coordinate, if there is one.
func (p pair) lift(x *big.Int) (*big.Int, bool) {
	c := p.std.Params()
	y := new(big.Int).Exp(x, big.NewInt(3), c.P)
	y.Sub(y, new(big.Int).Mul(x, big.NewInt(3))).Add(y, c.B).Mod(y, c.P)
	return y, y.ModSqrt(y, c.P) != nil
}

func TestXCoordinatesAboveTheOrderVerify(t *testing.T) {
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) {
			hash := p.hash([]byte("r + n"))
			c := p.std.Params()
			found := 0
			for i := int64(1); found < 5; i++ {
				rx := new(big.Int).Add(c.N, big.NewInt(i))
				require.Negative(t, rx.Cmp(c.P))
				ry, ok := p.lift(rx)
				if !ok {
					continue
				}
				found++
				x, y, r := p.recover(rx, ry, hash, big.NewInt(i+77))
				require.EqualValues(t, i, r.Int64())
				require.True(t, p.agree(t, x, y, hash, r, big.NewInt(i+77)))
				require.False(t, p.agree(t, x, y, hash, rx, big.NewInt(i+77)), "r itself must be below n")
			}
			// Where r + n is not below p, it must not wrap: for R.x = r + n - p the signature is another one.
			r := new(big.Int).Sub(c.P, c.N)
			for ; ; r.Add(r, big.NewInt(1)) {
				rx := new(big.Int).Sub(new(big.Int).Add(r, c.N), c.P)
				if ry, ok := p.lift(rx); ok && rx.Sign() > 0 {
					x, y, _ := p.recover(rx, ry, hash, big.NewInt(5))
					require.False(t, p.agree(t, x, y, hash, r, big.NewInt(5)))
					break
				}
			}
		})
	}
}

func TestValuesAtTheEdgesVerifyAsInCryptoECDSA(t *testing.T) {
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) {
			c := p.std.Params()
			key, err := ecdsa.GenerateKey(p.std, rand.Reader)
			require.NoError(t, err)
			hash := p.hash([]byte("edges"))
			r, s, err := ecdsa.Sign(rand.Reader, key, hash)
			require.NoError(t, err)
			one, zero := big.NewInt(1), new(big.Int)
			add := func(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }
			edges := []*big.Int{zero, one, big.NewInt(2), new(big.Int).Sub(c.N, one), c.N, add(c.N, one),
				new(big.Int).Sub(c.P, one), c.P, new(big.Int).Sub(new(big.Int).Lsh(one, uint(c.BitSize)), one), r, s}
			for _, a := range edges {
				for _, b := range edges {
					if a != r || b != s {
						require.False(t, p.agree(t, key.X, key.Y, hash, a, b))
					}
				}
				require.Equal(t, a.Sign() > 0 && a.Cmp(c.N) < 0, p.ours.Scalar(p.wide(a)), "%x", a)
			}
			for _, h := range [][]byte{make([]byte, len(hash)), []byte{1}, {}, hash[1:], bytes(0xff, len(hash))} {
				// The zero hash leaves only u2·Q; hashes at or above the order are reduced.
				r, s, err := ecdsa.Sign(rand.Reader, key, h)
				require.NoError(t, err)
				require.True(t, p.agree(t, key.X, key.Y, h, r, s), "%x", h)
			}
			// u1·G + u2·Q is the point at infinity if r = -e/d, whatever s.
			infinite := new(big.Int).Mul(new(big.Int).SetBytes(hash), new(big.Int).ModInverse(key.D, c.N))
			infinite.Neg(infinite).Mod(infinite, c.N)
			require.False(t, p.agree(t, key.X, key.Y, hash, infinite, s))
		})
	}
}

func bytes(b byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

func TestWrongWidthsVerifyNothing(t *testing.T) {
	for _, p := range pairs() {
		key, err := ecdsa.GenerateKey(p.std, rand.Reader)
		require.NoError(t, err)
		hash := p.hash(nil)
		r, s, err := ecdsa.Sign(rand.Reader, key, hash)
		require.NoError(t, err)
		x, y, rb, sb := p.wide(key.X), p.wide(key.Y), p.wide(r), p.wide(s)
		require.True(t, p.ours.Verify(x, y, hash, rb, sb))
		zero := []byte{0}
		assert.False(t, p.ours.Verify(append(zero, x...), y, hash, rb, sb))
		assert.False(t, p.ours.Verify(x, append(zero, y...), hash, rb, sb))
		assert.False(t, p.ours.Verify(x, y, hash, append(zero, rb...), sb))
		assert.False(t, p.ours.Verify(x, y, hash, rb, append(zero, sb...)))
		assert.False(t, p.ours.Verify(x, y, bytes(0, p.ours.Size()+1), rb, sb))
		assert.False(t, p.ours.Verify(nil, nil, hash, rb, sb))
		assert.False(t, p.ours.Verify(x, y, hash, nil, nil))
	}
}

func TestPointsOffTheCurveAreRefused(t *testing.T) {
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) {
			c := p.std.Params()
			assert.True(t, p.ours.OnCurve(p.wide(c.Gx), p.wide(c.Gy)))
			assert.True(t, p.ours.OnCurve(p.wide(c.Gx), p.wide(new(big.Int).Sub(c.P, c.Gy))))
			assert.False(t, p.ours.OnCurve(p.wide(new(big.Int)), p.wide(new(big.Int))), "infinity")
			assert.False(t, p.ours.OnCurve(p.wide(c.Gy), p.wide(c.Gx)), "swapped")
			// x ≡ Gx but not reduced: no second spelling. P-256 has no room for Gx + p in its width, small x have.
			for x := int64(0); x < 8; x++ {
				if y, ok := p.lift(big.NewInt(x)); ok {
					require.True(t, p.ours.OnCurve(p.wide(big.NewInt(x)), p.wide(y)))
					require.False(t, p.ours.OnCurve(p.wide(new(big.Int).Add(c.P, big.NewInt(x))), p.wide(y)))
				}
			}
			rapid.Check(t, func(rt *rapid.T) {
				x := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), p.ours.Size(), p.ours.Size()).Draw(rt, "x"))
				y, ok := p.lift(x.Mod(x, c.P))
				if !ok {
					require.False(rt, p.ours.OnCurve(p.wide(x), p.wide(x)))
					return
				}
				require.True(rt, p.ours.OnCurve(p.wide(x), p.wide(y)))
				require.False(rt, p.ours.OnCurve(p.wide(x), p.wide(new(big.Int).Xor(y, big.NewInt(1)))))
			})
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, p := range pairs() {
		key, _ := ecdsa.GenerateKey(p.std, rand.Reader)
		hash := p.hash(nil)
		r, s, _ := ecdsa.Sign(rand.Reader, key, hash)
		x, y, rb, sb := p.wide(key.X), p.wide(key.Y), p.wide(r), p.wide(s)
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !p.ours.Verify(x, y, hash, rb, sb) {
					b.Fatal("refused")
				}
			}
		})
	}
}
