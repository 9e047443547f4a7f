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

// generate makes a key pair and gives the public key's coordinates too.
func (p pair) generate(t require.TestingT) (key *ecdsa.PrivateKey, x, y *big.Int) {
	key, err := ecdsa.GenerateKey(p.std, rand.Reader)
	require.NoError(t, err)
	point, err := key.PublicKey.Bytes()
	require.NoError(t, err)
	size := p.ours.Size()
	return key, new(big.Int).SetBytes(point[1 : 1+size]), new(big.Int).SetBytes(point[1+size:])
}

// agree checks one input against crypto/ecdsa and gives the verdict.
func (p pair) agree(t assert.TestingT, x, y *big.Int, hash []byte, r, s *big.Int) bool {
	pub, err := ecdsa.ParseUncompressedPublicKey(p.std, append(append([]byte{4}, p.wide(x)...), p.wide(y)...))
	want := err == nil && ecdsa.Verify(pub, hash, r, s)
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
			key, kx, ky := p.generate(t)
			for i := range n {
				if i%50 == 0 {
					key, kx, ky = p.generate(t)
				}
				hash := p.hash([]byte{byte(i), byte(i >> 8)})
				r, s, err := ecdsa.Sign(rand.Reader, key, hash)
				require.NoError(t, err)
				require.True(t, p.agree(t, kx, ky, hash, r, s))
			}
		})
	}
}

func TestMutatedSignaturesVerifyAsInCryptoECDSA(t *testing.T) {
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) {
			key, kx, ky := p.generate(t)
			hash := p.hash([]byte("a message"))
			r, s, err := ecdsa.Sign(rand.Reader, key, hash)
			require.NoError(t, err)
			flip := func(v *big.Int, bit int) *big.Int {
				return new(big.Int).SetBit(v, bit, v.Bit(bit)^1)
			}
			rapid.Check(t, func(rt *rapid.T) {
				x, y, r, s, h := kx, ky, r, s, append([]byte(nil), hash...)
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

// recover gives the key with which verifying (r, s) as a signature of hash comes to the point R: Q
// = r⁻¹(s·R - e·G) (SEC 1 §4.1.6).
func (p pair) recover(r, rx, ry *big.Int, hash []byte, s *big.Int) (x, y *big.Int) {
	n := p.std.Params().N
	inv := new(big.Int).ModInverse(r, n)
	a := new(big.Int).Mul(s, inv)
	b := new(big.Int).Mul(new(big.Int).SetBytes(hash), inv)
	b.Neg(b).Mod(b, n)
	x1, y1 := p.std.ScalarMult(rx, ry, a.Mod(a, n).Bytes()) //nolint:staticcheck // the oracle takes coordinates
	x2, y2 := p.std.ScalarBaseMult(b.Bytes())               //nolint:staticcheck // the oracle takes coordinates
	x, y = p.std.Add(x1, y1, x2, y2)                        //nolint:staticcheck // the oracle takes coordinates
	return x, y
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
				r := big.NewInt(i)
				x, y := p.recover(r, rx, ry, hash, big.NewInt(i+77))
				require.True(t, p.agree(t, x, y, hash, r, big.NewInt(i+77)))
				require.False(t, p.agree(t, x, y, hash, rx, big.NewInt(i+77)), "r itself must be below n")
			}
			// Where r + n is not below p, it must not wrap: R.x = r + n - p is another number than
			// r.
			r := new(big.Int).Sub(c.P, c.N)
			for ; ; r.Add(r, big.NewInt(1)) {
				rx := new(big.Int).Sub(new(big.Int).Add(r, c.N), c.P)
				if ry, ok := p.lift(rx); ok && rx.Sign() > 0 {
					x, y := p.recover(r, rx, ry, hash, big.NewInt(5))
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
			key, kx, ky := p.generate(t)
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
						require.False(t, p.agree(t, kx, ky, hash, a, b))
					}
				}
				require.Equal(t, a.Sign() > 0 && a.Cmp(c.N) < 0, p.ours.Scalar(p.wide(a)), "%x", a)
			}
			for _, h := range [][]byte{make([]byte, len(hash)), {1}, {}, hash[1:], bytes(0xff, len(hash))} {
				// The zero hash leaves only u2·Q; hashes at or above the order are reduced.
				r, s, err := ecdsa.Sign(rand.Reader, key, h)
				require.NoError(t, err)
				require.True(t, p.agree(t, kx, ky, h, r, s), "%x", h)
			}
			// u1·G + u2·Q is the point at infinity if r = -e/d, whatever s.
			scalar, err := key.Bytes()
			require.NoError(t, err)
			d := new(big.Int).SetBytes(scalar)
			infinite := new(big.Int).Mul(new(big.Int).SetBytes(hash), new(big.Int).ModInverse(d, c.N))
			infinite.Neg(infinite).Mod(infinite, c.N)
			require.False(t, p.agree(t, kx, ky, hash, infinite, s))
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
		key, kx, ky := p.generate(t)
		hash := p.hash(nil)
		r, s, err := ecdsa.Sign(rand.Reader, key, hash)
		require.NoError(t, err)
		x, y, rb, sb := p.wide(kx), p.wide(ky), p.wide(r), p.wide(s)
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
			// x ≡ Gx but not reduced: no second spelling. P-256 has no room for Gx + p in its
			// width, small x have.
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
		key, kx, ky := p.generate(b)
		hash := p.hash(nil)
		r, s, _ := ecdsa.Sign(rand.Reader, key, hash)
		x, y, rb, sb := p.wide(kx), p.wide(ky), p.wide(r), p.wide(s)
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

// The examples of RFC 6979 §A.2.5 to §A.2.7 with the hash that RFC 7518 ties to the curve: messages
// "sample" and "test".
var rfc6979 = [][6]string{
	{"60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6", "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
		"EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716", "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
		"F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367", "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083"},
	{"EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC13",
		"8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1288B231C3AE0D4FE7344FD2533264720",
		"94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46",
		"99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
		"8203B63D3C853E8D77227FB377BCF7B7B772E97892A80F36AB775D509D7A5FEB0542A7F0812998DA8F1DD3CA3CF023DB",
		"DDD0760448D42D8A43AF45AF836FCE4DE8BE06B485E9B61B827C2F13173923E06A739F040649A667BF3B828246BAA5A5"},
	{"1894550D0785932E00EAA23B694F213F8C3121F86DC97A04E5A7167DB4E5BCD371123D46E45DB6B5D5370A7F20FB633155D38FFA16D2BD761DCAC474B9A2F5023A4",
		"0493101C962CD4D2FDDF782285E64584139C2F91B47F87FF82354D6630F746A28A0DB25741B5B34A828008B22ACC23F924FAAFBD4D33F81EA66956DFEAA2BFDFCF5",
		"0C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F174E25A1EE9017B5D450606ADD152B534931D7D4E8455CC91F9B15BF05EC36E377FA",
		"0617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF282623EAA63E5B5C0723D8B8C37FF0777B1A20F8CCB1DCCC43997F1EE0E44DA4A67A",
		"13E99020ABF5CEE7525D16B69B229652AB6BDF2AFFCAEF38773B4B7D08725F10CDB93482FDCC54EDCEE91ECA4166B2A7C6265EF0CE2BD7051B7CEF945BABD47EE6D",
		"1FBD0013C674AA79CB39849527916CE301C66EA7CE8B80682786AD60F98F7E78A19CA69EFF5C57400E3B3A0AD66CE0978214D13BAF4E9AC60752F7B155E2DE4DCE3"},
}

func TestTheExamplesOfRFC6979Verify(t *testing.T) {
	for i, p := range pairs() {
		var v [6]*big.Int
		for j, text := range rfc6979[i] {
			v[j], _ = new(big.Int).SetString(text, 16)
		}
		require.True(t, p.agree(t, v[0], v[1], p.hash([]byte("sample")), v[2], v[3]))
		require.True(t, p.agree(t, v[0], v[1], p.hash([]byte("test")), v[4], v[5]))
		require.False(t, p.agree(t, v[0], v[1], p.hash([]byte("test")), v[2], v[3]))
	}
}
