package ratelimit

import "encoding/binary"

// AppendElement appends one element of an identifier to dst. kind is the caller's number for the kind of element, 1..255.
// name tells elements of one kind apart (a claim's or a header's name), provider names the token's provider for what comes
// from a token; both are empty where they mean nothing. Every part goes in with its length, so that no two
// sequences of elements have the same bytes, whatever their values.
func AppendElement[T ~string | ~[]byte](dst []byte, kind byte, name, provider string, value T) []byte {
	dst = append(dst, kind)
	dst = appendText(dst, name)
	dst = appendText(dst, provider)
	return appendText(dst, value)
}

// AppendAbsent appends an element none of whose alternatives is there. It differs from every value, the empty one included.
func AppendAbsent(dst []byte) []byte {
	return append(dst, 0) // no element has kind 0
}

func appendText[T ~string | ~[]byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// AppendIPPrefix appends the network that ip belongs to: its family, then its first v4 bits (IPv4) or v6 bits (IPv6), the
// rest zeroed, so that equal networks have equal bytes. An IPv4-mapped IPv6 address is the IPv4 address; a zone
// (RFC 4007 §11) is ignored. ip has neither brackets nor port. Prefix lengths beyond 0..32 and 0..128 are
// taken as the nearer end. If ip isn't an address (RFC 791 dotted decimal without leading zeros, RFC 4291 §2.2), dst is
// returned as it was, with false.
func AppendIPPrefix(dst []byte, ip string, v4, v6 int) ([]byte, bool) {
	addr, four, ok := parseIP(ip)
	switch {
	case !ok:
		return dst, false
	case four:
		mask(addr[12:], v4)
		return append(append(dst, 4), addr[12:]...), true
	}
	mask(addr[:], v6)
	return append(append(dst, 6), addr[:]...), true
}

// mask zeroes all but the first n bits of b.
func mask(b []byte, n int) {
	n = max(n, 0)
	for i := range b {
		switch {
		case n >= 8:
			n -= 8
		default:
			b[i] &= 0xff << (8 - n)
			n = 0
		}
	}
}
