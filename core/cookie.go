package core

import "strings"

// cookie finds a cookie in a Cookie header (RFC 6265 §4.2.1). found is true for an empty cookie,
// too. several is true if a server could read two cookies of that name, or another one than
// Gatehouse: servers trim white space around names, and old ones split at commas as well (RFC 2965
// §3.2).
func cookie(header, name string) (value string, found, several bool) {
	for header != "" {
		var pair string
		pair, header, _ = strings.Cut(header, ";")
		own, text, _ := strings.Cut(pair, "=") // without "=", some servers read a name and an empty value
		if trimCookieName(own) == name {
			if found {
				return "", true, true
			}
			value, found = strings.Trim(trimBlanks(text), `"`), true
		}
		for _, rest, ok := strings.Cut(pair, ","); ok; {
			var part string
			part, rest, ok = strings.Cut(rest, ",")
			if own, _, is := strings.Cut(part, "="); is && trimCookieName(own) == name {
				return "", true, true
			}
		}
	}
	return value, found, false
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
		if own, _, _ := strings.Cut(pair, "="); pair != "" && trimCookieName(own) != name {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "; ")
}
