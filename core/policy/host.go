package policy

import (
	"errors"
	"strings"

	"gatehouse/core/ascii"
	"gatehouse/core/ipaddr"
)

// MaxHostBytes is the longest host name (RFC 1035 §2.3.4).
const MaxHostBytes = 253

// HostPattern is one host, or all hosts below a domain. The zero value matches nothing.
type HostPattern struct {
	text   string // in canonical form; *.DOMAIN for all below the domain
	suffix bool   // text begins with "*."
}

var (
	errHostPort = errors.New("want a host without port and trailing dot: they are ignored when hosts are compared")
	errHostForm = errors.New("want a host name in ASCII (xn--… for others), an IPv4 address, an IPv6 address in brackets, " +
		"or *. and a domain")
)

// ParseHost reads a route's host: exact, or *.example.com for every name below example.com, at any
// depth, but not example.com itself (like the domains of Envoy's virtual hosts). An IPv6 address is
// in brackets.
func ParseHost(s string) (HostPattern, error) {
	name, suffix := strings.CutPrefix(s, "*.")
	host, safe := NormalizeHost(name)
	switch {
	case !safe, suffix && isAddress(host):
		return HostPattern{}, errHostForm
	case host[0] == '[' && name[len(name)-1] != ']', host[0] != '[' && len(host) != len(name):
		return HostPattern{}, errHostPort
	case suffix:
		return HostPattern{text: "*." + host, suffix: true}, nil
	}
	return HostPattern{text: host}, nil
}

// String returns the pattern in canonical form; ParseHost reads it again.
func (h HostPattern) String() string { return h.text }

// Match reports whether the pattern matches a host from NormalizeHost.
func (h HostPattern) Match(host string) bool {
	if !h.suffix {
		return h.text != "" && h.text == host
	}
	tail := h.text[1:] // ".example.com"
	return len(host) > len(tail) && host[len(host)-len(tail):] == tail
}

// NormalizeHost returns the host of an :authority or Host header in canonical form: a name or an
// IPv4 address in lower case without its trailing dot, or an IPv6 address in brackets as RFC 5952
// writes it; always without port.
//
// safe is false if a server could read another host than this one: the authority is empty; it has
// several hosts (Envoy joins two Host headers with a comma), user information, an escape, an empty
// label, a zone (RFC 6874) or a byte that no host has; its port isn't a number from 0 to 65535; or
// all its labels are numbers but it is no IPv4 address in dotted decimal (127.1, 0x7f.0.0.1 and
// 0177.0.0.1 are loopback addresses to inet_aton and to browsers).
//
// It allocates only for a host that isn't in canonical form.
func NormalizeHost(authority string) (host string, safe bool) {
	if strings.HasPrefix(authority, "[") {
		return normalizeIPv6(authority)
	}
	host, port, found := strings.Cut(authority, ":")
	if found && !isPort(port) {
		return "", false
	}
	host = strings.TrimSuffix(host, ".")
	if !isHostName(host) {
		return "", false
	}
	return lower(host), true
}

func normalizeIPv6(authority string) (host string, safe bool) {
	end := strings.IndexByte(authority, ']')
	if end < 0 {
		return "", false
	}
	host = authority[:end+1]
	if port, found := strings.CutPrefix(authority[end+1:], ":"); found && !isPort(port) || !found && port != "" {
		return "", false
	}
	addr, ok := ipaddr.Parse6(host[1:end])
	if !ok {
		return "", false
	}
	var buffer [len("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]")]byte
	canonical := append(ipaddr.Append6(append(buffer[:0], '['), addr), ']')
	if string(canonical) == host {
		return host, true
	}
	return string(canonical), true
}

// isPort reports whether s is a number from 0 to 65535.
func isPort(s string) bool {
	if s == "" || len(s) > 5 {
		return false
	}
	n := 0
	for i := range len(s) {
		if !ascii.IsDigit(s[i]) {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}

// isHostName reports whether s is a host name without trailing dot, or an IPv4 address in dotted
// decimal.
func isHostName(s string) bool {
	if len(s) > MaxHostBytes {
		return false
	}
	numeric := true
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !ascii.IsAlnum(c) && c != '-' && c != '_' {
				return false
			}
		}
		numeric = numeric && isNumber(label)
	}
	if numeric {
		_, ok := ipaddr.Parse4(s)
		return ok
	}
	return true
}

// isNumber reports whether inet_aton could read a label as a number: decimal, octal or hexadecimal.
func isNumber(label string) bool {
	isDigit := ascii.IsDigit
	if len(label) >= 2 && label[0] == '0' && label[1]|0x20 == 'x' {
		label, isDigit = label[2:], ascii.IsHex
	}
	for i := range len(label) {
		if !isDigit(label[i]) {
			return false
		}
	}
	return true
}

// isAddress reports whether a canonical host is an IP address.
func isAddress(host string) bool {
	_, four := ipaddr.Parse4(host)
	return four || host[0] == '['
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
