package policy

import (
	"errors"

	"gatehouse/core/ascii"
)

// MaxHostBytes is the longest host name (RFC 1035 §2.3.4).
const MaxHostBytes = 253

// HostPattern is one host, or all below a domain. The zero value matches nothing.
type HostPattern struct {
	text   string // in lower case
	suffix bool   // text begins with "*."
}

var (
	errHostPort = errors.New("want a host without port and trailing dot: they are ignored when hosts are compared")
	errHostForm = errors.New("want a host name in ASCII (xn--… for others), an IPv4 address, an IPv6 address in brackets, " +
		"or *. and a domain")
)

// ParseHost reads a route's host: exact, or *.example.com for every name below example.com, at any depth, but not
// example.com itself (as Envoy's virtual hosts do). IPv6 addresses are in brackets and compared as they are written.
func ParseHost(s string) (HostPattern, error) {
	text := lower(s)
	if NormalizeHost(s) != text {
		return HostPattern{}, errHostPort
	}
	name, suffix := text, false
	if len(text) > 2 && text[:2] == "*." {
		name, suffix = text[2:], true
	}
	if !isHostName(name) && (suffix || !isIPv6Literal(name)) {
		return HostPattern{}, errHostForm
	}
	return HostPattern{text: text, suffix: suffix}, nil
}

// String is the pattern in lower case; ParseHost reads it again.
func (h HostPattern) String() string { return h.text }

// Match reports whether the pattern covers a host from NormalizeHost.
func (h HostPattern) Match(host string) bool {
	if !h.suffix {
		return h.text != "" && h.text == host
	}
	tail := h.text[1:] // ".example.com"
	return len(host) > len(tail) && host[len(host)-len(tail):] == tail
}

// NormalizeHost takes the host out of an :authority or Host header: in lower case, without port and without one
// trailing dot (the DNS root). IPv6 addresses keep their brackets. What isn't of that form stays as it is, and
// matches no HostPattern. It allocates only for upper-case letters.
func NormalizeHost(authority string) string {
	host := authority
	if colon := portColon(host); colon >= 0 {
		host = host[:colon]
	}
	if n := len(host); n > 1 && host[n-1] == '.' {
		host = host[:n-1]
	}
	return lower(host)
}

// portColon is the index of the colon before a port, -1 without one. An address with several colons and no brackets
// has no port.
func portColon(s string) int {
	i := len(s) - 1
	for i >= 0 && ascii.IsDigit(s[i]) {
		i--
	}
	if i < 0 || s[i] != ':' {
		return -1
	}
	for j := range i {
		if s[j] == ':' && s[0] != '[' {
			return -1
		}
	}
	if s[0] == '[' && s[i-1] != ']' {
		return -1
	}
	return i
}

func isHostName(s string) bool {
	if s == "" || len(s) > MaxHostBytes {
		return false
	}
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case 'a' <= c && c <= 'z', ascii.IsDigit(c), c == '-', c == '_':
		default:
			return false
		}
		if label++; label > 63 {
			return false
		}
	}
	return label > 0
}

func isIPv6Literal(s string) bool {
	if len(s) < 4 || len(s) > 47 || s[0] != '[' || s[len(s)-1] != ']' {
		return false
	}
	colons := 0
	for _, c := range []byte(s[1 : len(s)-1]) {
		switch {
		case c == ':':
			colons++
		case c == '.', ascii.IsHex(c):
		default:
			return false
		}
	}
	return colons >= 2
}

func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			out := []byte(s)
			for j := i; j < len(out); j++ {
				if 'A' <= out[j] && out[j] <= 'Z' {
					out[j] |= 0x20
				}
			}
			return string(out)
		}
	}
	return s
}
