package claims

import (
	"math"

	"gatehouse/core/clock"
)

// nanoDigits is how many decimals a second has in nanoseconds.
const nanoDigits = 9

// Date reads a NumericDate (RFC 7519 §2: seconds since 1970, fractions allowed). ok is false if the
// claim is not a number.
//
// A fraction of a nanosecond is rounded up: so "now < exp" and "nbf <= now" are exact for a clock
// of whole nanoseconds. A date before 1677 or after 2262, which an int64 can't hold, becomes the
// least or greatest Wall.
func (s Set) Date(name string) (t clock.Wall, ok bool) {
	v := s.Get(name)
	if v.Kind() != Number {
		return 0, false
	}
	return clock.Wall(nanoseconds(v.raw)), true
}

// nanoseconds is a JSON number times 10⁹, rounded and bounded as Date says. It doesn't use floating
// point: it takes the number's digits and moves the decimal point by the exponent and nine more
// places.
func nanoseconds(num string) int64 {
	if seconds, ok := wholeSeconds(num); ok {
		return seconds * 1_000_000_000
	}
	negative := num[0] == '-'
	if negative {
		num = num[1:]
	}
	digits, exponent := split(num)
	// The decimal point comes after this many digits. The number may have fewer.
	integer, fraction := uint64(0), false
	point := exponent + nanoDigits
	for i := 0; i < len(digits) || i < point; i++ {
		d := uint64(0)
		if i < len(digits) {
			d = uint64(digits[i] - '0')
		}
		if i >= point {
			fraction = fraction || d != 0
			if fraction {
				break
			}
			continue
		}
		if integer > (math.MaxInt64-d)/10 {
			if negative {
				return math.MinInt64
			}
			return math.MaxInt64
		}
		integer = integer*10 + d
		if integer == 0 && i >= len(digits) {
			break // zero times any power of ten
		}
	}
	switch {
	case negative:
		return -int64(integer)
	case fraction && integer < math.MaxInt64:
		return int64(integer) + 1
	}
	return int64(integer)
}

// wholeSeconds reads the number that nearly every date is: whole seconds after 1970, which in
// nanoseconds an int64 can hold.
func wholeSeconds(num string) (seconds int64, ok bool) {
	if len(num) > len("9223372036") {
		return 0, false
	}
	for i := range len(num) {
		c := num[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		seconds = seconds*10 + int64(c-'0')
	}
	return seconds, seconds <= math.MaxInt64/1_000_000_000
}

// split takes a JSON number apart: its digits, and after how many of them the decimal point comes
// once the exponent is applied. The point may be before the first digit or after the last.
func split(num string) (digits []byte, point int) {
	mantissa, exponent := num, 0
	for i, c := range []byte(num) {
		if c == 'e' || c == 'E' {
			mantissa, exponent = num[:i], parseExponent(num[i+1:])
			break
		}
	}
	digits = make([]byte, 0, len(mantissa))
	point = len(mantissa)
	for i, c := range []byte(mantissa) {
		if c == '.' {
			point = i
			continue
		}
		digits = append(digits, c)
	}
	return digits, point + exponent
}

// parseExponent reads an exponent. Above enough it stops counting: a token has fewer digits than
// that.
func parseExponent(b string) int {
	const enough = 1 << 24
	negative := b[0] == '-'
	n := 0
	for _, c := range []byte(b) {
		if c >= '0' && c <= '9' && n < enough {
			n = n*10 + int(c-'0')
		}
	}
	if negative {
		return -n
	}
	return n
}
