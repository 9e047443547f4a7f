package lint

import (
	"slices"
	"strings"
)

// limits finds limits that apply to no request.
func (d *document) limits(hidden []bool) (out []Warning) {
	for i, l := range d.Limits {
		kinds := map[string]bool{}
		applies := false
		for j := range d.Routes {
			if r := &d.Routes[j]; !hidden[j] && r.has(l) {
				applies = true
				for _, kind := range r.kinds() {
					kinds[kind] = true
				}
			}
		}
		switch {
		case !applies && d.named(l, hidden):
			out = append(out, Warning{indexed("rate_limits", i), "applies only to routes that are never reached"})
		case applies && l.Caller != "" && l.Caller != "any" && !kinds[l.Caller]:
			out = append(out, Warning{indexed("rate_limits", i), "never counts: no route that it applies to admits the caller " + l.Caller})
		}
	}
	return out
}

// named reports whether some hidden route has the limit; a limit without any route is the parser's
// warning.
func (d *document) named(l limit, hidden []bool) bool {
	for j := range d.Routes {
		if hidden[j] && d.Routes[j].has(l) {
			return true
		}
	}
	return false
}

// has reports whether a limit applies to the route.
func (r *route) has(l limit) bool {
	if slices.Contains(r.RateLimits, l.Name) {
		return true
	}
	return l.Apply != "by_name" && r.Auth != "none" && !slices.Contains(r.SkipLimits, l.Name) && !slices.Contains(r.SkipLimits, "*")
}

// kinds are the kinds of callers that the route can admit.
func (r *route) kinds() (out []string) {
	if r.Auth == "none" || r.Auth == "optional" {
		out = append(out, "anonymous")
	}
	if r.Auth == "none" {
		return out
	}
	for _, way := range r.ways() {
		switch way.Caller {
		case "", "any":
			out = append(out, "human", "machine", "unknown")
		default:
			out = append(out, way.Caller)
		}
	}
	return out
}

// providers finds providers where no route looks at tokens.
func (d *document) providers() (out []Warning) {
	if slices.ContainsFunc(d.Routes, func(r route) bool { return r.Auth != "none" }) {
		return nil
	}
	for i := range d.Tokens.Providers {
		out = append(out, Warning{indexed("tokens.providers", i), "verifies nothing: every route has auth none"})
	}
	return out
}

// pathWarnings finds patterns that are valid but hardly meant.
func (d *document) pathWarnings(i int) (out []Warning) {
	path := d.Routes[i].Path
	if segments := strings.Split(path, "/"); slices.ContainsFunc(segments, isExpressParameter) {
		out = append(out, Warning{indexed("routes", i) + ".path", "matches these characters only: for any one segment write " + instead(path)})
	}
	base, ok := strings.CutSuffix(path, "/*")
	if !ok {
		return out
	}
	for j := range d.Routes {
		if rest, deeper := strings.CutPrefix(d.Routes[j].Path, base+"/"); deeper && j != i && (rest == "**" || strings.Contains(rest, "/")) {
			return out // its author knows the difference
		}
	}
	return append(out, Warning{indexed("routes", i) + ".path", "* is one segment, so this doesn't match " + base + "/a/b: for all below write " + base + "/**"})
}

// isExpressParameter reports whether a segment is a parameter as Express, Rails and others write
// it.
func isExpressParameter(s string) bool {
	return len(s) > 1 && s[0] == ':' && (s[1] >= 'a' && s[1] <= 'z' || s[1] >= 'A' && s[1] <= 'Z')
}
