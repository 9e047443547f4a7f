package lint

import (
	"maps"
	"slices"
	"strings"
)

// hiding says how earlier routes hide a route; "" if they don't. It notes in hidden which routes
// can never match.
func (d *document) hiding(i int, hidden []bool) string {
	later := &d.Routes[i]
	for j := range i {
		earlier := &d.Routes[j]
		if hidden[j] || !d.covers(earlier, later) {
			continue
		}
		hidden[i] = true
		if takesAll(earlier) {
			return "" // the parser's own warning
		}
		return "never reached: " + indexed("routes", j) + " takes all of its requests; put the narrower route first"
	}
	for j := range i {
		earlier := &d.Routes[j]
		if hidden[j] || d.covers(later, earlier) || !d.overlaps(earlier, later) || !later.stricterThan(earlier) {
			continue // an exception from the later route, or none of its requests
		}
		return indexed("routes", j) + " comes first and takes some of its requests, for which it requires less; put the stricter route first"
	}
	return ""
}

func takesAll(r *route) bool { return r.Path == "/**" && len(r.Methods) == 0 && len(r.Hosts) == 0 }

// covers reports whether route a matches every request that b matches.
func (d *document) covers(a, b *route) bool {
	return subset(b.Methods, a.Methods, func(m, n string) bool { return m == n }) &&
		subset(b.Hosts, a.Hosts, hostBelow) && d.pathCovers(a.Path, b.Path)
}

// overlaps reports whether some request matches both routes.
func (d *document) overlaps(a, b *route) bool {
	return share(a.Methods, b.Methods, func(m, n string) bool { return m == n }) &&
		share(a.Hosts, b.Hosts, func(m, n string) bool { return hostBelow(m, n) || hostBelow(n, m) }) && d.pathsOverlap(a.Path, b.Path)
}

// subset reports whether each of the small list is within one of the large list. An empty list is
// everything.
func subset(small, large []string, within func(s, l string) bool) bool {
	if len(large) == 0 {
		return true
	}
	return len(small) > 0 && !slices.ContainsFunc(small, func(s string) bool {
		return !slices.ContainsFunc(large, func(l string) bool { return within(s, l) })
	})
}

func share(a, b []string, common func(x, y string) bool) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return common(x, y) })
	})
}

// hostBelow reports whether all that host a matches is matched by host b.
func hostBelow(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	domain, wild := strings.CutPrefix(b, "*")
	return a == b || wild && strings.HasSuffix(strings.TrimPrefix(a, "*"), domain)
}

// pattern takes a route's path apart; tree says that it matches all below, too.
func (d *document) pattern(path string) (segments []string, tree bool) {
	if d.PathCase == "ignore" {
		path = strings.ToLower(path)
	}
	path = strings.Trim(path, "/")
	if rest, ok := strings.CutSuffix("/"+path, "/**"); ok {
		path, tree = strings.TrimPrefix(rest, "/"), true
	}
	if path == "" {
		return nil, tree
	}
	return strings.Split(path, "/"), tree
}

func (d *document) pathCovers(a, b string) bool {
	as, aTree := d.pattern(a)
	bs, bTree := d.pattern(b)
	if len(as) > len(bs) || !aTree && (bTree || len(as) != len(bs)) {
		return false
	}
	for i, s := range as {
		if s != "*" && s != bs[i] {
			return false
		}
	}
	return true
}

func (d *document) pathsOverlap(a, b string) bool {
	as, aTree := d.pattern(a)
	bs, bTree := d.pattern(b)
	if len(as) > len(bs) && !bTree || len(bs) > len(as) && !aTree {
		return false
	}
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] && as[i] != "*" && bs[i] != "*" {
			return false
		}
	}
	return true
}

// stricterThan reports whether the route requires something of a caller that the other doesn't.
func (r *route) stricterThan(other *route) bool {
	order := []string{"none", "optional", "", "required"}
	strict := func(auth string) int { return min(slices.Index(order, auth), 2) }
	if strict(r.Auth) != strict(other.Auth) {
		return strict(r.Auth) > strict(other.Auth)
	}
	if r.Auth == "none" {
		return false
	}
	return !slices.ContainsFunc(r.ways(), func(mine requirements) bool {
		return !slices.ContainsFunc(other.ways(), func(theirs requirements) bool { return !theirs.implies(mine) })
	})
}

// ways are the alternatives of a route, or the one that it is without any_of.
func (r *route) ways() []requirements {
	if len(r.AnyOf) > 0 {
		return r.AnyOf
	}
	return []requirements{r.requirements}
}

// implies reports whether all that q requires is required by r as well.
func (r requirements) implies(q requirements) bool {
	if q.Caller != "" && q.Caller != "any" && q.Caller != r.Caller {
		return false
	}
	for _, s := range q.ScopesAll {
		if !slices.Contains(r.ScopesAll, s) {
			return false
		}
	}
	if !narrows(r.ScopesAny, q.ScopesAny) && !slices.ContainsFunc(r.ScopesAll, func(s string) bool { return slices.Contains(q.ScopesAny, s) }) {
		return false
	}
	if !narrows(r.GroupsAny, q.GroupsAny) {
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(q.Claims)) {
		if !narrows(r.Claims[name], q.Claims[name]) {
			return false
		}
	}
	return true
}

// narrows reports whether one of the first list implies one of the second. An empty list requires
// nothing.
func narrows(r, q []string) bool {
	if len(q) == 0 {
		return true
	}
	return len(r) > 0 && !slices.ContainsFunc(r, func(s string) bool { return !slices.Contains(q, s) })
}

// alternatives finds those of any_of that admit nobody whom another doesn't.
func (r *route) alternatives(path string) (out []Warning) {
	for i, a := range r.AnyOf {
		for j, b := range r.AnyOf {
			if i == j || !a.implies(b) || b.implies(a) && i < j {
				continue
			}
			out = append(out, Warning{path + "." + indexed("any_of", i), "admits nobody whom " + indexed("any_of", j) + " doesn't"})
			break
		}
	}
	return out
}
