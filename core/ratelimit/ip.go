package ratelimit

import "gatehouse/core/ascii"

// parseIP reads an IP address; an IPv4 address is in the last four bytes. net/netip would add 124
// kB to the module, because it needs the runtime's table of unique values.
func parseIP(s string) (addr [16]byte, four, ok bool) {
	if b, ok := parseIPv4(s); ok {
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
	addr, ok = parseIPv6(s)
	mapped := [12]byte{10: 0xff, 11: 0xff} // RFC 4291 §2.5.5.2
	return addr, ok && [12]byte(addr[:12]) == mapped, ok
}

func parseIPv4(s string) (b [4]byte, ok bool) {
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

func parseIPv6(s string) (addr [16]byte, ok bool) {
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
			if b, four := parseIPv4(s); four {
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
