package core

import (
	"strings"

	"gatehouse/core/config"
)

// findToken looks for the request's token in the configured places. No token is "" and None. Two tokens are one too many:
// another parser might take the other one.
func findToken(r *Request, sources []config.Source) (token string, bad Reason) {
	if fields(r, "authorization") > 1 {
		return "", MalformedToken // whatever their schemes
	}
	found := false
	for i := range sources {
		s := &sources[i]
		for j := range r.Headers {
			h := &r.Headers[j]
			var text string
			var ok bool
			switch {
			case s.Cookie != "":
				if h.Name != "cookie" {
					continue
				}
				var twice bool
				if text, ok, twice = cookie(h.Value, s.Cookie); twice {
					return "", MalformedToken
				}
				ok = ok && text != "" // what a logout leaves behind
			case h.Name == s.Header:
				if joined(h.Value, s.Scheme) {
					return "", MalformedToken
				}
				text, ok = schemed(h.Value, s.Scheme)
			}
			if !ok {
				continue
			}
			if found || text == "" {
				return "", MalformedToken
			}
			token, found = text, true
		}
	}
	return token, None
}

// fields is how many header fields have the name.
func fields(r *Request, name string) (n int) {
	for i := range r.Headers {
		if r.Headers[i].Name == name {
			n++
		}
	}
	return n
}

// joined reports whether a value is a list that has a token in it: Envoy makes one value of several authorization headers,
// with commas between them (RFC 9110 §5.3). A token has no comma (RFC 6750 §2.1, RFC 7515 §7.1).
func joined(value, scheme string) bool {
	if strings.IndexByte(value, ',') < 0 {
		return false
	}
	for part := range strings.SplitSeq(value, ",") {
		if _, ok := schemed(part, scheme); ok {
			return true
		}
	}
	return false
}

// schemed takes the token from behind its scheme, which is compared without case (RFC 9110 §11.1). A value of another scheme is
// no token of ours.
func schemed(value, scheme string) (string, bool) {
	value = strings.Trim(value, " \t")
	if scheme == "" {
		return value, true
	}
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", false
	}
	rest := value[len(scheme):]
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	return strings.TrimLeft(rest, " \t"), true
}

// cookie finds a cookie in a Cookie header (RFC 6265 §4.2.1).
func cookie(header, name string) (value string, found, twice bool) {
	for header != "" {
		pair := header
		if i := strings.IndexByte(header, ';'); i >= 0 {
			pair, header = header[:i], header[i+1:]
		} else {
			header = ""
		}
		pair = strings.Trim(pair, " \t")
		if len(pair) <= len(name) || pair[len(name)] != '=' || pair[:len(name)] != name {
			continue
		}
		if found {
			return "", true, true
		}
		value, found = strings.Trim(pair[len(name)+1:], `"`), true
	}
	return value, found, false
}

// withoutCookie is a Cookie header without one cookie; "" when nothing is left.
func withoutCookie(header, name string) string {
	var kept []string
	for _, pair := range strings.Split(header, ";") {
		pair = strings.Trim(pair, " \t")
		if own, _, ok := strings.Cut(pair, "="); pair != "" && (!ok || own != name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "; ")
}
