package ratelimit

import (
	"encoding/binary"

	"gatehouse/core/ipaddr"
)

// AppendElement appends one element of an identifier to dst. kind is a number for the kind of
// element, 1..255, which the program chooses. name tells elements of one kind apart: it is a
// claim's or a header's name. provider names the token's provider if the element comes from a
// token. Both are empty where they have no meaning. Every part is written with its length, so two
// different sequences of elements never have the same bytes.
func AppendElement[T ~string | ~[]byte](dst []byte, kind byte, name, provider string, value T) []byte {
	dst = append(dst, kind)
	dst = appendText(dst, name)
	dst = appendText(dst, provider)
	return appendText(dst, value)
}

// AppendAbsent appends an element that the request does not have. It differs from every value, the
// empty one included.
func AppendAbsent(dst []byte) []byte {
	return append(dst, 0) // no element has kind 0
}

func appendText[T ~string | ~[]byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// AppendIPPrefix appends the network of an IP address: the family, then the first v4 bits (IPv4) or
// v6 bits (IPv6), and zeros after them, so that equal networks have equal bytes. An IPv4-mapped
// IPv6 address is read as the IPv4 address. A zone (RFC 4007 §11) is ignored. ip has neither
// brackets nor port. A prefix length outside 0..32 or 0..128 becomes the nearest in that range. If
// ip is not an address (RFC 791 dotted decimal without leading zeros, RFC 4291 §2.2),
// AppendIPPrefix returns dst unchanged, and false.
func AppendIPPrefix(dst []byte, ip string, v4, v6 int) ([]byte, bool) {
	addr, four, ok := ipaddr.Parse(ip)
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
