package jwks_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/jwks"
)

func okp(x []byte) members { return members{"kty": "OKP", "crv": "Ed25519", "x": b64(x)} }

// ed25519Of is a public key, another for each seed.
func ed25519Of(seed byte) ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
}

// With a key of small order k·A is the identity for one k in eight at least, so that the identity
// and 0 are a signature.
func TestKeysForWhichAnybodyCanSignAreSkipped(t *testing.T) {
	zeros := make([]byte, 32)
	forged, good := append([]byte{1}, make([]byte, 63)...), 0
	for i := range 64 {
		if ed25519.Verify(zeros, []byte{byte(i)}, forged) {
			good++
		}
	}
	require.NotZero(t, good, "crypto/ed25519 takes such keys")

	for name, key := range map[string]string{
		"order 1":              "0100000000000000000000000000000000000000000000000000000000000000",
		"order 1, negative":    "0100000000000000000000000000000000000000000000000000000000000080",
		"order 2":              "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 4":              "0000000000000000000000000000000000000000000000000000000000000000",
		"order 4, negative":    "0000000000000000000000000000000000000000000000000000000000000080",
		"order 8":              "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"order 8, negative":    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"order 8, the other y": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"order 4 as p":         "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 1 as p + 1":     "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"p + 3, a point as 3":  "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"no point":             "0200000000000000000000000000000000000000000000000000000000000000",
	} {
		x, err := hex.DecodeString(key)
		require.NoError(t, err)
		s, err := jwks.Parse(set(t, okp(x)))
		require.NoError(t, err)
		require.Len(t, s.Skipped, 1, name)
		assert.Equal(t, "x is no point of its curve, or one of small order", s.Skipped[0].Why)
	}
}

func TestKeysAreUsableWhereTheCurveHasThem(t *testing.T) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	d := new(big.Int).ModInverse(big.NewInt(121666), p)
	d.Mod(d.Mul(d, big.NewInt(-121665)), p)
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "x")
		be := slices.Clone(x)
		slices.Reverse(be)
		be[0] &= 0x7f
		y := new(big.Int).SetBytes(be)
		want := false
		if y.Cmp(p) < 0 && y.BitLen() > 1 { // those of small order are rare beyond 0 and 1
			yy := new(big.Int).Mul(y, y)
			v := new(big.Int).Mul(d, yy)
			v.Mod(v.Add(v, big.NewInt(1)), p)
			xx := yy.Mul(yy.Sub(yy, big.NewInt(1)), v.ModInverse(v, p))
			want = new(big.Int).ModSqrt(xx.Mod(xx, p), p) != nil
		}
		s, err := jwks.Parse([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + b64(x) + `"}]}`))
		if err != nil || (len(s.Keys) == 1) != want {
			t.Fatalf("%x: %v, want %v", x, s, want)
		}
	})
	for seed := range 200 {
		s, err := jwks.Parse(set(t, okp(ed25519Of(byte(seed)))))
		require.NoError(t, err)
		require.Len(t, s.Keys, 1, seed)
	}
}
