package claims

import "math"

// nanoDigits is how many decimals of a second a nanosecond is.
const nanoDigits = 9

// Date reads a NumericDate (RFC 7519 §2: a number of seconds since 1970, fractions allowed) in Unix nanoseconds. present
// tells a claim that isn't there from one that isn't a number, null included; ok is true for every number. Fractions of
// a nanosecond are rounded up, which keeps "now < exp" and "nbf <= now" exact for a clock of whole nanoseconds; what an
// int64 can't hold (beyond the years 1677 and 2262) becomes its least or greatest value.
func (s Set) Date(name string) (unixNano int64, present, ok bool) {
	v := s.Get(name)
	if !v.Exists() {
		return 0, false, false
	}
	if v.Kind() != Number {
		return 0, true, false
	}
	return nanoseconds(v.raw), true, true
}

// nanoseconds gives a JSON number times 10⁹ as Date describes it, without going through floating point: its digits with
// the decimal point moved by the exponent and nine places more.
func nanoseconds(num []byte) int64 {
	negative := num[0] == '-'
	if negative {
		num = num[1:]
	}
	digits, exponent := split(num)
	// The point comes after that many digits, of which the number may have fewer.
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
			break // a zero stays one, whatever the exponent
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

// split gives a JSON number's digits and after how many of them the decimal point comes, with the exponent applied: it
// may be before the first or beyond the last.
func split(num []byte) (digits []byte, point int) {
	mantissa, exponent := num, 0
	for i, c := range num {
		if c == 'e' || c == 'E' {
			mantissa, exponent = num[:i], parseExponent(num[i+1:])
			break
		}
	}
	digits = make([]byte, 0, len(mantissa))
	point = len(mantissa)
	for i, c := range mantissa {
		if c == '.' {
			point = i
			continue
		}
		digits = append(digits, c)
	}
	return digits, point + exponent
}

// parseExponent stops counting where the value makes no difference any more: a token has fewer digits than that.
func parseExponent(b []byte) int {
	const enough = 1 << 24
	negative := b[0] == '-'
	n := 0
	for _, c := range b {
		if c >= '0' && c <= '9' && n < enough {
			n = n*10 + int(c-'0')
		}
	}
	if negative {
		return -n
	}
	return n
}
