package core

import (
	"gatehouse/core/policy"
	"gatehouse/core/reason"
)

// target is where a request goes, in the form in which routes are matched. It is safe if every
// server reads the request's method, host and path in this form.
type target struct {
	method, host, path string
	otherPaths         []string      // what other servers read in a path that unsafe_paths allows
	unsafe             reason.Reason // None if the target is safe
}

// readTarget reads a request's method, host and path.
func (g *Gate) readTarget(r *Request) {
	t := &r.target
	t.method, t.unsafe = r.Method, reason.None
	var safeHost, safePath bool
	t.host, safeHost = policy.NormalizeHost(r.Host)
	t.path, t.otherPaths, safePath = g.cfg.Paths.Read(r.Path)
	switch {
	case !policy.SafeMethod(r.Method):
		t.unsafe = reason.UnsafeMethod
	case !safeHost:
		t.unsafe = reason.UnsafeHost
	case !safePath:
		t.unsafe = reason.UnsafePath
	}
}

// checkTarget refuses a method, host or path that a server could read differently.
func (g *Gate) checkTarget(r *Request, _ *Decision) reason.Reason { return r.target.unsafe }

// matchRoute finds the route of a request.
func (g *Gate) matchRoute(r *Request, d *Decision) (why reason.Reason) {
	d.Route, why = g.findRoute(r)
	return why
}

// findRoute returns the route of a request. If the path has several readings, they must lead to the
// same route.
func (g *Gate) findRoute(r *Request) (route int, why reason.Reason) {
	t := &r.target
	if t.unsafe != reason.None {
		return -1, t.unsafe
	}
	preflight := r.preflightMethod()
	route = g.match(t, t.path, preflight)
	for _, other := range t.otherPaths {
		if g.match(t, other, preflight) != route {
			return -1, reason.UnsafePath
		}
	}
	if route < 0 {
		return -1, reason.NoRoute
	}
	return route, reason.None
}

// match returns the first route that matches a path, -1 for none. A CORS preflight is about the
// request that will follow it. So the first route of that request, if it comes before the
// preflight's own and passes preflights, is the preflight's route too.
func (g *Gate) match(t *target, path, preflight string) int {
	own := g.table.Match(t.host, t.method, path)
	if preflight != "" {
		next := g.table.Match(t.host, preflight, path)
		if next >= 0 && (own < 0 || next < own) && g.table.Route(next).CORSPass {
			return next
		}
	}
	return own
}

// passesAsPreflight reports whether a request is a CORS preflight that its route lets pass.
func passesAsPreflight(r *Request, route *policy.Route) bool {
	return route.CORSPass && r.preflightMethod() != ""
}

// excluded reports whether audit.exclude_paths has a path, in all its readings. An unsafe path is
// never excluded.
func (g *Gate) excluded(t *target) bool {
	for _, other := range t.otherPaths {
		if !g.excludes(other) {
			return false
		}
	}
	return g.excludes(t.path)
}

func (g *Gate) excludes(path string) bool {
	for i := range g.cfg.Audit.Exclude {
		if g.cfg.Audit.Exclude[i].Match(path) {
			return true
		}
	}
	return false
}
