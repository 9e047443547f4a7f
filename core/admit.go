package core

import "strings"

// admit says what the upstream is to see.
func (g *Gate) admit(r *Request, d *Decision) {
	g.limitHeaders(d)
	if id := &g.cfg.Identity; id.Prefix != "" {
		for i := range r.Headers {
			if g.Reserved(r.Headers[i].Name) {
				d.Remove = append(d.Remove, d.keep(r.Headers[i].Name))
			}
		}
		if d.Principal != nil {
			d.Set = append(d.Set, d.Principal.headers...)
		} else {
			d.Set = append(d.Set, g.anonymous...)
		}
	}
	if !g.cfg.Tokens.Forward {
		g.dropToken(r, d)
	}
}

// Reserved reports whether a header, or trailer, is one that only the Gate may send upstream.
func (g *Gate) Reserved(name string) bool {
	return g.cfg.Identity.Prefix != "" && reserved(name, g.cfg.Identity.Prefix)
}

// reserved reports whether a header of the client's could pass for one of ours: upstreams commonly read "_" and "-" as the
// same and ignore case.
func reserved(name, prefix string) bool {
	if len(name) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		c := name[i]
		switch {
		case c == '_':
			c = '-'
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}

// dropToken takes the token out of what the upstream sees.
func (g *Gate) dropToken(r *Request, d *Decision) {
	for i := range g.cfg.Tokens.From {
		s := &g.cfg.Tokens.From[i]
		if s.Cookie != "" {
			dropCookie(r, d, s.Cookie)
			continue
		}
		for j := range r.Headers {
			if h := &r.Headers[j]; h.Name == s.Header {
				if _, ok := cutScheme(h.Value, s.Scheme); ok {
					d.Remove = append(d.Remove, s.Header)
					break
				}
			}
		}
	}
}

// dropCookie takes a cookie out of the request's Cookie headers, of which HTTP/2 allows several (RFC 9113 §8.2.3).
func dropCookie(r *Request, d *Decision, name string) {
	var rest []string
	found := false
	for i := range r.Headers {
		if h := &r.Headers[i]; h.Name == "cookie" {
			_, has, _ := cookie(h.Value, name)
			found = found || has
			if kept := withoutCookie(h.Value, name); kept != "" {
				rest = append(rest, kept)
			}
		}
	}
	switch {
	case !found:
	case len(rest) == 0:
		d.Remove = append(d.Remove, "cookie")
	default:
		d.Set = append(d.Set, Header{"cookie", d.keep(strings.Join(rest, "; "))})
	}
}
