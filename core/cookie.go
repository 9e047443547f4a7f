package core

import (
	"strings"

	"gatehouse/core/ascii"
)

// cookie finds a cookie in a Cookie header (RFC 6265 §4.2.1). found is true for an empty cookie,
// too. several is true if a server could read two cookies of that name, or another one than
// Gatehouse: servers trim white space around names, and old ones split at commas as well (RFC 2965
// §3.2).
func cookie(header, name string) (value string, found, several bool) {
	for header != "" {
		var pair string
		pair, header, _ = strings.Cut(header, ";")
		own, text, _ := strings.Cut(pair, "=") // without "=", some servers read a name and an empty value
		switch own = trimCookieName(own); {
		case own == name && !found:
			value, found = strings.Trim(trimBlanks(text), `"`), true
		case likeCookie(own, name):
			return "", true, true
		}
		for _, rest, ok := strings.Cut(pair, ","); ok; {
			var part string
			part, rest, ok = strings.Cut(rest, ",")
			if own, _, is := strings.Cut(part, "="); is && likeCookie(trimCookieName(own), name) {
				return "", true, true
			}
		}
	}
	return value, found, false
}

// likeCookie reports whether a server could take the cookie sent for the one named name: ASP.NET
// ignores case, PHP reads a dot, a space and a bracket as "_" (CVE-2022-31629), and PHP before
// 7.4.11 and Rack before 2.2.3 decode percent-encoding in names (CVE-2020-7070, CVE-2020-8184).
func likeCookie(sent, name string) bool {
	for i := range len(name) {
		if sent == "" {
			return false
		}
		c, size := sent[0], 1
		if len(sent) > 2 && c == '%' && ascii.IsHex(sent[1]) && ascii.IsHex(sent[2]) {
			c, size = ascii.Unhex(sent[1])<<4|ascii.Unhex(sent[2]), 3
		}
		if c != name[i] && ascii.FoldCookie(c) != ascii.FoldCookie(name[i]) {
			return false
		}
		sent = sent[size:]
	}
	return sent == ""
}

// trimCookieName takes away what a server could skip around a name: white space of any kind,
// control characters and bytes beyond ASCII, which no name has (RFC 6265 §4.1.1).
func trimCookieName(s string) string {
	for s != "" && !isVisible(s[0]) {
		s = s[1:]
	}
	for s != "" && !isVisible(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isVisible(c byte) bool { return c > ' ' && c < 0x7f }

func trimBlanks(s string) string { return strings.Trim(s, " \t") }

// withoutCookie is a Cookie header without one of its cookies; "" if no cookie is left.
func withoutCookie(header, name string) string {
	var kept []string
	for pair := range strings.SplitSeq(header, ";") {
		pair = trimBlanks(pair)
		if own, _, _ := strings.Cut(pair, "="); pair != "" && !likeCookie(trimCookieName(own), name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "; ")
}
