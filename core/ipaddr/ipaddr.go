// Package ipaddr reads and writes IP addresses. net/netip would add 124 kB to the module, because
// it needs the runtime's table of unique values.
package ipaddr

import (
	"encoding/binary"
	"strconv"

	"gatehouse/core/ascii"
)

// Parse reads an IP address. An IPv4 address is in the last four bytes, and four is true. An
// IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) and one of NAT64's well-known prefix (RFC 6052 §2.1)
// are read as the IPv4 address; their other bytes stay. A zone (RFC 4007 §11) is ignored.
func Parse(s string) (addr [16]byte, four, ok bool) {
	if b, ok := Parse4(s); ok {
		copy(addr[12:], b[:])
		return addr, true, true
	}
	for i := range len(s) {
		if s[i] == '%' {
			if i+1 == len(s) {
				return addr, false, false
			}
			s = s[:i]
			break
		}
	}
	addr, ok = Parse6(s)
	return addr, ok && (isMapped(addr) || isNAT64(addr)), ok
}

func isMapped(addr [16]byte) bool { return [12]byte(addr[:12]) == [12]byte{10: 0xff, 11: 0xff} }

// isNAT64 reports whether an address has the well-known prefix 64:ff9b::/96, behind which a
// translator puts the IPv4 address of a client.
func isNAT64(addr [16]byte) bool { return [12]byte(addr[:12]) == [12]byte{0, 0x64, 0xff, 0x9b} }

// Parse4 reads an IPv4 address: dotted decimal without leading zeros (RFC 791, RFC 6943 §3.1.1).
func Parse4(s string) (b [4]byte, ok bool) {
	for i := range b {
		n, digits := 0, 0
		for digits < len(s) && digits < 3 && ascii.IsDigit(s[digits]) {
			n = n*10 + int(s[digits]-'0')
			digits++
		}
		if digits == 0 || n > 255 || digits > 1 && s[0] == '0' {
			return b, false
		}
		b[i] = byte(n)
		s = s[digits:]
		if i < 3 {
			if s == "" || s[0] != '.' {
				return b, false
			}
			s = s[1:]
		}
	}
	return b, s == ""
}

// Parse6 reads an IPv6 address without zone and brackets (RFC 4291 §2.2).
func Parse6(s string) (addr [16]byte, ok bool) {
	gap := -1 // position of "::"
	if len(s) >= 2 && s[0] == ':' && s[1] == ':' {
		gap = 0
		s = s[2:]
	}
	n := 0
	for s != "" {
		if n == 16 {
			return addr, false
		}
		if n <= 12 {
			if b, four := Parse4(s); four {
				copy(addr[n:], b[:])
				n += 4
				break
			}
		}
		group, digits := 0, 0
		for digits < len(s) && digits < 4 {
			if !ascii.IsHex(s[digits]) {
				break
			}
			group = group<<4 | int(ascii.Unhex(s[digits]))
			digits++
		}
		if digits == 0 {
			return addr, false
		}
		addr[n], addr[n+1] = byte(group>>8), byte(group)
		n += 2
		s = s[digits:]
		if s == "" {
			break
		}
		if s[0] != ':' || len(s) == 1 {
			return addr, false
		}
		s = s[1:]
		if s[0] == ':' {
			if gap >= 0 {
				return addr, false
			}
			gap = n
			s = s[1:]
		}
	}
	switch {
	case gap < 0:
		return addr, n == 16
	case n == 16:
		return addr, false // "::" stands for at least one group
	}
	moved := copy(addr[16-(n-gap):], addr[gap:n])
	clear(addr[gap : 16-moved])
	return addr, true
}

// Append6 appends an IPv6 address in its canonical form (RFC 5952): lower case, no leading zeros,
// "::" for the longest run of zeros, and dotted decimal in an IPv4-mapped address.
func Append6(dst []byte, addr [16]byte) []byte {
	if isMapped(addr) {
		dst = append(dst, "::ffff:"...)
		for i, b := range addr[12:] {
			if i > 0 {
				dst = append(dst, '.')
			}
			dst = strconv.AppendUint(dst, uint64(b), 10)
		}
		return dst
	}
	var groups [8]uint16
	for i := range groups {
		groups[i] = binary.BigEndian.Uint16(addr[2*i:])
	}
	gap, end := longestZeros(groups)
	for i, group := range groups {
		switch {
		case i == gap:
			dst = append(dst, "::"...)
		case gap < i && i < end: // within the run of zeros
		default:
			if i > 0 && i != end {
				dst = append(dst, ':')
			}
			dst = strconv.AppendUint(dst, uint64(group), 16)
		}
	}
	return dst
}

// longestZeros finds the longest run of two or more zero groups, the first of equal ones: from
// start up to end. Both are -1 if there is none.
func longestZeros(groups [8]uint16) (start, end int) {
	start, end = -1, -1
	run := 0
	for i, group := range groups {
		if group != 0 {
			run = 0
			continue
		}
		run++
		if run > 1 && run > end-start {
			start, end = i+1-run, i+1
		}
	}
	return start, end
}
