package rsa

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestPowersAreThoseOfBigInt takes any odd modulus: random ones, sparse ones, and ones of all bits.
func TestPowersAreThoseOfBigInt(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := digits(rt, "modulus")
		n[0] |= byte(1 << rapid.IntRange(0, 7).Draw(rt, "top"))
		n[len(n)-1] |= 1
		m, ok := newModulus(n)
		if len(n) == 1 && n[0] == 1 {
			require.False(rt, ok)
			return
		}
		require.True(rt, ok)
		modulus := new(big.Int).SetBytes(n)
		a := new(big.Int).SetBytes(digits(rt, "base"))
		if rapid.IntRange(0, 4).Draw(rt, "high") == 0 {
			a.Sub(modulus, a)
		}
		a.Mod(a, modulus)
		e := rapid.IntRange(1, 1<<30-1).Draw(rt, "half")*2 + 1
		want := new(big.Int).Exp(a, big.NewInt(int64(e)), modulus)
		got := m.power(a.FillBytes(make([]byte, len(n))), e)
		require.Len(rt, got, len(n))
		assert.Equal(rt, want.Text(16), new(big.Int).SetBytes(got).Text(16), "%x^%d mod %x", a, e, n)
	})
}

// digits draws a number of 1 to 1024 bytes: random, or runs of equal bytes.
func digits(rt *rapid.T, name string) []byte {
	size := rapid.SampledFrom([]int{1, 2, 7, 8, 9, 16, 31, 255, 256, 257, 384, 512, 1024}).Draw(rt, name+" size")
	fill := rapid.SampledFrom([]int{-1, 0x00, 0xff, 0x80, 0x01}).Draw(rt, name+" fill")
	if fill < 0 {
		return rapid.SliceOfN(rapid.Byte(), size, size).Draw(rt, name)
	}
	return bytes.Repeat([]byte{byte(fill)}, size)
}
