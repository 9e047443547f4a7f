package core

import (
	"strings"

	"gatehouse/core/ascii"
)

// removeForged takes out of a request what could pass for an identity header of the Gate's, and what would make the next
// proxy remove the Gate's own: names that the header connection lists (RFC 9110 §7.6.1), which the proxy forwards on
// upgrades.
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
	return g.cfg.Identity.Prefix != "" && reserved(name, g.cfg.Identity.Prefix)
}

// reserved reports whether a server could take a header for one that begins with prefix. Servers that follow CGI (RFC 3875
// §4.1.18) ignore case, and several read every byte that is no letter or digit as the same one.
func reserved(name, prefix string) bool {
	if len(name) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		c := name[i]
		switch {
		case ascii.IsLetter(c):
			c |= 0x20 // lower case
		case !ascii.IsDigit(c):
			c = '-'
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}

// nominates reports whether a value of the header connection lists a name that only the Gate may send.
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
