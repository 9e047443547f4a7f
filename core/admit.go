package core

import (
	"slices"
	"strings"
)

// admit fills in what the upstream gets: limit headers for its response, identity headers, and the
// token only if it is forwarded.
func (g *Gate) admit(r *Request, d *Decision) {
	g.limitHeaders(d)
	if id := &g.cfg.Identity; id.Prefix != "" {
		g.removeForged(r, d)
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

// dropToken takes the token out of what the upstream sees.
func (g *Gate) dropToken(r *Request, d *Decision) {
	for i := range g.cfg.Tokens.From {
		s := &g.cfg.Tokens.From[i]
		if s.Cookie != "" {
			dropCookie(r, d, s.Cookie)
			continue
		}
		for j := range r.Headers {
			h := &r.Headers[j]
			if !sameName(h.Name, s.Header) || slices.Contains(d.Remove, h.Name) {
				continue
			}
			if _, ok := cutScheme(h.Value, s.Scheme); ok {
				d.Remove = append(d.Remove, d.copyText(h.Name))
			}
		}
	}
}

// dropCookie takes a cookie out of the request's Cookie headers. HTTP/2 allows several (RFC 9113
// §8.2.3).
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
		d.Set = append(d.Set, Header{"cookie", d.copyText(strings.Join(rest, "; "))})
	}
}
