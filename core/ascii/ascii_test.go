package ascii

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEveryByteIsClassified(t *testing.T) {
	const letters, digits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	for i := range 256 {
		c := byte(i)
		letter, digit := strings.IndexByte(letters, c) >= 0, strings.IndexByte(digits, c) >= 0
		assert.Equal(t, letter, IsLetter(c), "%q", c)
		assert.Equal(t, digit, IsDigit(c), "%q", c)
		assert.Equal(t, letter || digit, IsAlnum(c), "%q", c)
		value, err := strconv.ParseUint(string(rune(c)), 16, 8)
		assert.Equal(t, err == nil, IsHex(c), "%q", c)
		if err == nil {
			assert.Equal(t, byte(value), Unhex(c), "%q", c)
		}
	}
}

func TestHexHasAlways16Digits(t *testing.T) {
	for _, v := range []uint64{0, 1, 0xabcdef, 1<<64 - 1} {
		assert.Equal(t, fmt.Sprintf("x%016x", v), string(AppendHex([]byte("x"), v)))
	}
}

func TestHasByteFindsWhatIndexByteFinds(t *testing.T) {
	for _, c := range []byte{0, ',', 0x7f} {
		for n := range 40 {
			for _, fill := range []byte{c ^ 1, c + 1, c ^ 0x80, 0xff, 'x'} {
				b := []byte(strings.Repeat(string([]byte{fill}), n))
				assert.Equal(t, strings.IndexByte(string(b), c) >= 0, HasByte(string(b), c), "%q in %q", c, b)
				for i := range b {
					b[i] = c
					assert.True(t, HasByte(string(b), c), "%q in %q", c, b)
					b[i] = fill
				}
			}
		}
	}
}

func TestNamesThatAServerCouldConfuseFoldToOne(t *testing.T) {
	assert.Equal(t, "x-token-1", Fold("X_Token.1", FoldHeader))
	assert.Equal(t, "my_session-1", Fold("My.Session-1", FoldCookie))
	assert.Equal(t, "a_b_c", Fold("a b[c", FoldCookie))
}
