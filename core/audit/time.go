package audit

import "gatehouse/core/clock"

const (
	perMicro  = 1_000
	perDay    = 24 * 3600 * 1_000_000 // microseconds
	perHour   = 3600 * 1_000_000
	perMinute = 60 * 1_000_000
	perSecond = 1_000_000
)

// AppendTime appends a moment in the form of RFC 3339: UTC, cut to microseconds,
// "2006-01-02T15:04:05.000000Z".
func AppendTime(dst []byte, t clock.Wall) []byte {
	micros := floorDiv(int64(t), perMicro)
	days := floorDiv(micros, perDay)
	inDay := micros - days*perDay
	year, month, day := civil(days)
	dst = appendDigits(dst, year, 4)
	dst = append(dst, '-')
	dst = appendDigits(dst, month, 2)
	dst = append(dst, '-')
	dst = appendDigits(dst, day, 2)
	dst = append(dst, 'T')
	dst = appendDigits(dst, inDay/perHour, 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, inDay%perHour/perMinute, 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, inDay%perMinute/perSecond, 2)
	dst = append(dst, '.')
	dst = appendDigits(dst, inDay%perSecond, 6)
	return append(dst, 'Z')
}

// civil converts days since 1970-01-01 to a date in the Gregorian calendar. It counts in eras of
// 400 years that begin on 1 March, so that the leap day is a year's last. An int64 of nanoseconds
// reaches from 1677 to 2262.
func civil(days int64) (year, month, day int64) {
	const (
		perEra   = 146_097 // days in 400 years
		toMarch0 = 719_468 // days from 0000-03-01 to 1970-01-01
	)
	days += toMarch0
	era := floorDiv(days, perEra)
	inEra := days - era*perEra
	yearInEra := (inEra - inEra/1_460 + inEra/36_524 - inEra/146_096) / 365
	inYear := inEra - (365*yearInEra + yearInEra/4 - yearInEra/100)
	m := (5*inYear + 2) / 153 // 0 is March; from there, every five months have 153 days
	day = inYear - (153*m+2)/5 + 1
	year = era*400 + yearInEra
	if m < 10 {
		return year, m + 3, day
	}
	return year + 1, m - 9, day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// appendDigits appends a number of at most width digits, with leading zeros. Inlined, it would cost
// the module 4 kB.
//
//go:noinline
func appendDigits(dst []byte, n int64, width int) []byte {
	for range width {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; n > 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}
