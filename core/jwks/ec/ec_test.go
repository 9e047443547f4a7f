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
		n = 100
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
