package claims_test

import (
	"math"
	"math/big"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDateReadsNumericDates(t *testing.T) {
	const s = 1_000_000_000
	for number, want := range map[string]int64{
		"0": 0, "-0": 0, "0.0e9": 0, "0e99999999999999999999": 0, "1": s, "-1": -s,
		"1300819380":                     1300819380 * s,
		"1300819380.5":                   1300819380*s + s/2,
		"1.3008193805e9":                 1300819380*s + s/2,
		"13008193805E-1":                 1300819380*s + s/2,
		"1.3008193805e+9":                1300819380*s + s/2,
		"1700000000.123456789":           1700000000_123456789,
		"1700000000.1234567890":          1700000000_123456789,
		"1700000000.1234567891":          1700000000_123456790,
		"1e-9":                           1,
		"1e-10":                          1,
		"1e-99999999999":                 1,
		"-1e-10":                         0,
		"-1.0000000009":                  -s,
		"9223372036.854775807":           math.MaxInt64,
		"9223372036.8547758069":          math.MaxInt64,
		"9223372036.8547758071":          math.MaxInt64,
		"9223372037":                     math.MaxInt64,
		"1e400":                          math.MaxInt64,
		"1e99999999999999999999":         math.MaxInt64,
		"-1e400":                         math.MinInt64,
		"-9223372037":                    math.MinInt64,
		"1700000000000":                  math.MaxInt64,
		"0.000000001700000000000000e+18": 1700000000 * s,
	} {
		got, ok := parse(t, `{"exp":`+number+`}`).Date("exp")
		assert.True(t, ok, number)
		assert.EqualValues(t, want, got, number)
	}
}

func TestDateRefusesWhatIsNotANumber(t *testing.T) {
	for _, v := range []string{`"1300819380"`, `null`, `true`, `[1]`, `{"a":1}`, `""`} {
		_, ok := parse(t, `{"exp":`+v+`}`).Date("exp")
		assert.False(t, ok, v)
	}
	_, ok := parse(t, `{}`).Date("exp")
	assert.False(t, ok)
}

func TestDateIsTheExactNumberRoundedUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		number := strconv.FormatInt(rapid.Int64Range(-1e12, 1e12).Draw(rt, "integer"), 10)
		if rapid.Bool().Draw(rt, "fraction") {
			number += "." + rapid.StringMatching(`[0-9]{1,25}`).Draw(rt, "decimals")
		}
		if rapid.Bool().Draw(rt, "exponent") {
			number += "e" + strconv.Itoa(rapid.IntRange(-30, 30).Draw(rt, "power"))
		}
		exact, ok := new(big.Rat).SetString(number)
		require.True(rt, ok)
		exact.Mul(exact, big.NewRat(1e9, 1))
		ceil, rest := new(big.Int).DivMod(exact.Num(), exact.Denom(), new(big.Int)) // Euclidean: the floor
		if rest.Sign() != 0 {
			ceil.Add(ceil, big.NewInt(1))
		}
		want := int64(math.MaxInt64)
		if ceil.IsInt64() {
			want = ceil.Int64()
		} else if ceil.Sign() < 0 {
			want = math.MinInt64
		}
		got, ok := parse(rt, `{"exp":`+number+`}`).Date("exp")
		require.True(rt, ok)
		require.EqualValues(rt, want, got, number)
	})
}
