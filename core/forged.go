package core

import (
	"strings"

	"gatehouse/core/ascii"
)

// removeForged takes out of a request what could pass for an identity header of the Gate's, and
// what would make the next proxy remove the Gate's own: names that the header connection lists (RFC
// 9110 §7.6.1), which the proxy forwards on upgrades.
func (g *Gate) removeForged(r *Request, d *Decision) {
	nominated := false
	for i := range r.Headers {
		h := &r.Headers[i]
		switch {
		case g.Reserved(h.Name):
			d.Remove = append(d.Remove, d.copyText(h.Name))
		case h.Name == "connection":
			nominated = nominated || g.nominates(h.Value)
		}
	}
	if nominated {
		g.cleanConnection(r, d)
	}
}

// Reserved reports whether a header, or trailer, is one that only the Gate may send upstream.
func (g *Gate) Reserved(name string) bool {
	prefix := g.cfg.Identity.Prefix
	return prefix != "" && len(name) >= len(prefix) && sameName(name[:len(prefix)], prefix)
}

// BarsTrailer reports whether a trailer must not reach the upstream. Some servers read trailers as
// headers, so that a trailer may neither name a caller nor bring a credential that the Gate hasn't
// judged (RFC 9110 §6.5.1).
func (g *Gate) BarsTrailer(name string) bool {
	if g.Reserved(name) {
		return true
	}
	if len(g.cfg.Tokens.Providers) == 0 {
		return false
	}
	for i := range g.cfg.Tokens.From {
		s := &g.cfg.Tokens.From[i]
		if s.Cookie != "" && name == "cookie" || s.Cookie == "" && sameName(name, s.Header) {
			return true
		}
	}
	return name == "authorization"
}

// sameName reports whether a server could take one header name for another. Servers that follow CGI
// (RFC 3875 §4.1.18) ignore case, and several read every byte that is no letter or digit as the
// same one.
func sameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if ascii.FoldHeader(a[i]) != ascii.FoldHeader(b[i]) {
			return false
		}
	}
	return true
}

// nominates reports whether a value of the header connection lists a name that only the Gate may
// send.
func (g *Gate) nominates(value string) bool {
	for name := range strings.SplitSeq(value, ",") {
		if g.Reserved(strings.Trim(name, " \t")) {
			return true
		}
	}
	return false
}

// cleanConnection sends the header connection without such names.
func (g *Gate) cleanConnection(r *Request, d *Decision) {
	start := len(d.text)
	for i := range r.Headers {
		if r.Headers[i].Name != "connection" {
			continue
		}
		for name := range strings.SplitSeq(r.Headers[i].Value, ",") {
			name = strings.Trim(name, " \t")
			if name == "" || g.Reserved(name) {
				continue
			}
			if len(d.text) > start {
				d.text = append(d.text, ", "...)
			}
			d.text = append(d.text, name...)
		}
	}
	if len(d.text) == start {
		d.Remove = append(d.Remove, "connection")
		return
	}
	d.Set = append(d.Set, Header{"connection", d.textFrom(start)})
}
