package core

import (
	"strings"

	"gatehouse/core/ascii"
	"gatehouse/core/config"
	"gatehouse/core/reason"
)

// findToken finds the request's token in the configured places. Without a token it returns "" and
// None. It refuses two tokens, and two cookies that carry one, because the server behind could read
// the other one.
func findToken(r *Request, sources []config.Source) (token string, bad reason.Reason) {
	found := false
	for i := range sources {
		source := &sources[i]
		cookies := 0
		for j := range r.Headers {
			text, ok, several := tokenIn(&r.Headers[j], source)
			if ok && source.Cookie != "" {
				cookies++
			}
			switch {
			case several, cookies > 1:
				return "", reason.MalformedToken
			case ok && text == "" && cookies == 1: // a logout leaves an empty cookie
			case ok && (found || text == ""):
				return "", reason.MalformedToken
			case ok:
				token, found = text, true
			}
		}
	}
	return token, reason.None
}

// tokenIn takes the token out of a header field, if the source is that header or a cookie in it.
// several is true if a server could read another token there, or read a token where Gatehouse reads
// none: in a header whose name it takes for the source's (x_token for x-token).
func tokenIn(h *Header, s *config.Source) (token string, found, several bool) {
	switch {
	case s.Cookie != "" && h.Name == "cookie":
		return cookie(h.Value, s.Cookie)
	case s.Cookie == "" && h.Name == s.Header:
		token, found = cutScheme(h.Value, s.Scheme)
		return token, found, listsTokens(h.Value, s.Scheme)
	case s.Cookie == "" && sameName(h.Name, s.Header):
		return "", false, true
	}
	return "", false, false
}

// severalCredentials reports whether a request has more than one authorization header, of any
// scheme: the server behind could read another one than Gatehouse. Envoy joins several headers with
// commas.
func severalCredentials(r *Request) bool {
	found := false
	for i := range r.Headers {
		if h := &r.Headers[i]; h.Name == "authorization" {
			if found || listsCredentials(h.Value) {
				return true
			}
			found = true
		}
	}
	return false
}

// listsCredentials reports whether an authorization value has a second scheme with credentials
// behind a comma: a word, a space, and no "=" (RFC 9110 §11.4). Other commas separate the
// parameters of one scheme, or stand in a quoted parameter.
func listsCredentials(value string) bool {
	if !ascii.HasByte(value, ',') {
		return false
	}
	quoted := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted && startsCredentials(value[i+1:]):
			return true
		}
	}
	return false
}

// startsCredentials reports whether s begins with a scheme and its credentials. It reads no further
// than to the next comma, so that a list of them costs linear work.
func startsCredentials(s string) bool {
	i := skipBlanks(s, 0)
	word := i
	for i < len(s) && strings.IndexByte(" =\",\t", s[i]) < 0 {
		i++
	}
	if i == word || i == len(s) || s[i] != ' ' {
		return false
	}
	i = skipBlanks(s, i)
	return i < len(s) && s[i] != '=' && s[i] != ','
}

// skipBlanks is the index of the next byte that is neither space nor tab.
func skipBlanks(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	return i
}

// listsTokens reports whether a value is a comma-separated list with a token in it. Envoy joins
// several authorization headers with commas (RFC 9110 §5.3); a token has no comma (RFC 6750 §2.1,
// RFC 7515 §7.1).
func listsTokens(value, scheme string) bool {
	if !ascii.HasByte(value, ',') {
		return false
	}
	for part := range strings.SplitSeq(value, ",") {
		if _, ok := cutScheme(part, scheme); ok {
			return true
		}
	}
	return false
}

// cutScheme is the token behind its scheme, which is compared without case (RFC 9110 §11.1). ok is
// false if the value has another scheme.
func cutScheme(value, scheme string) (token string, ok bool) {
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
