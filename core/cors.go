package core

import "slices"

// allowedOrigin is the origin of the page that sent a request, if the configuration lets its pages
// read refusals; else "".
func (g *Gate) allowedOrigin(r *Request) string {
	if len(g.cfg.CORS.Origins) == 0 {
		return ""
	}
	origin, _ := r.header("origin")
	if i := slices.Index(g.cfg.CORS.Origins, origin); i >= 0 {
		return g.cfg.CORS.Origins[i]
	}
	return ""
}

// corsHeaders lets a page read a refusal (Fetch §3.3.3). Without them its script learns only that
// the request failed.
func (g *Gate) corsHeaders(d *Decision) {
	if d.origin == "" {
		return
	}
	d.respond("access-control-allow-origin", d.origin)
	d.respond("vary", "origin")
	if g.cfg.CORS.Credentials {
		d.respond("access-control-allow-credentials", "true")
	}
	if g.cfg.CORS.Expose != "" {
		d.respond("access-control-expose-headers", g.cfg.CORS.Expose)
	}
}
