package config

import (
	"slices"

	"gatehouse/core/metrics"
	"gatehouse/core/policy"
)

func (p *parser) routes(root *node) {
	names := newLabels()
	named := make([]bool, len(p.config.Limits))
	open := make([]*node, len(p.config.Limits)) // for each limit, the first of its routes that admits any method
	var all *node                               // the first route that matches every request
	for _, n := range root.list("routes") {
		r := p.route(n)
		if n := namedBy(n); n.usable() && p.config.Metrics.PerRoute {
			p.routeLabel(names, n)
		}
		if all != nil {
			p.warn(n, "never reached: "+all.path()+" takes every request")
		} else if r.Pattern.String() == "/**" && r.Methods == nil && r.Hosts == nil {
			all = n
		}
		p.limitsOf(n, root, &r)
		for _, i := range r.RateLimits {
			named[i] = true
			if r.Methods == nil && open[i] == nil {
				open[i] = n
			}
		}
		p.checkCost(n, root, &r)
		p.checkHeaderSize(n, &r)
		p.config.Routes = append(p.config.Routes, r)
	}
	for i, n := range root.list("rate_limits") {
		if !named[i] && n.usable() {
			p.warn(n, "applies to no route")
		}
		if open[i] != nil {
			p.warnOfMethods(n, open[i], p.config.Limits[i].Identifier)
		}
	}
}

// namedBy is the node that has a route's name: its name, else its path.
func namedBy(n *node) *node {
	if n.has("name") {
		return n.get("name")
	}
	return n.get("path")
}

// routeLabel makes sure that routes with different names have different labels in metrics. Routes
// with the same name share their metrics.
func (p *parser) routeLabel(names labels, n *node) {
	if metrics.LabelValue(n.text) == metrics.RouteNone {
		p.problem(n, quote(n.text)+" is how metrics label the requests of no route")
		return
	}
	if metrics.LabelValue(n.text) == metrics.RouteMetadata && len(p.config.Tokens.Resources) > 0 {
		p.problem(n, quote(n.text)+" is what metrics call requests for the metadata of tokens.resources")
		return
	}
	names.add(p, n, n.text, true)
}

func (p *parser) route(n *node) policy.Route {
	r := policy.Route{
		Name:     n.str("name"),
		Pattern:  p.pattern(n.get("path")),
		Methods:  n.strs("methods"),
		Cost:     uint64(n.num("cost")),
		Audit:    n.yes("audit") || n.str("audit") == "open",
		CORSPass: p.passesPreflights(n),
	}
	if r.Name == "" {
		r.Name = n.str("path")
	}
	for _, kid := range n.list("methods") {
		if kid.usable() && !policy.SafeMethod(kid.text) {
			p.warn(kid, "no request has it: "+kid.text+" is refused on every route (400 unsafe_method)")
		}
	}
	for _, kid := range n.list("hosts") {
		if kid.usable() {
			host, err := policy.ParseHost(kid.text)
			if err != nil {
				p.problem(kid, err.Error()+", got "+quote(kid.text))
			}
			r.Hosts = append(r.Hosts, host)
		}
	}
	r.AnyOf = p.requirements(n)
	switch n.str("auth") {
	case "optional":
		r.Auth = policy.Optional
	case "none":
		r.Auth = policy.None
		p.noRequirements(n)
	}
	return r
}

// passesPreflights reports whether CORS preflights pass a route unauthenticated.
func (p *parser) passesPreflights(n *node) bool {
	if n.has("cors_preflight") {
		return n.str("cors_preflight") == "pass"
	}
	return p.preflightsPass
}

// pattern reads a path pattern that passed the shape's check.
func (p *parser) pattern(n *node) policy.Pattern {
	if !n.usable() {
		return policy.Pattern{}
	}
	pattern, err := policy.ParsePattern(n.text)
	if err == nil && p.config.Paths.IgnoreCase {
		pattern, err = pattern.FoldCase()
	}
	if err != nil {
		p.problem(n, err.Error()+", got "+quote(n.text))
	}
	return pattern
}

// pathKinds are the words of unsafe_paths.
var pathKinds = []struct {
	word string
	kind policy.PathKinds
}{
	{"encoded_slash", policy.EncodedSlash},
	{"encoded_delimiter", policy.EncodedDelimiter},
	{"semicolon", policy.Semicolon},
	{"double_slash", policy.DoubleSlash},
	{"encoded_percent", policy.EncodedPercent},
}

// pathKindWords are the words of pathKinds.
func pathKindWords() (words []string) {
	for _, k := range pathKinds {
		words = append(words, k.word)
	}
	return words
}

// pathRules reads unsafe_paths and path_case.
func pathRules(root *node) policy.PathRules {
	rules := policy.PathRules{IgnoreCase: root.str("path_case") == "ignore"}
	if root.str("unsafe_paths") == "allow" {
		rules.Allow = policy.AllPathKinds
	}
	for _, word := range root.strs("unsafe_paths") {
		for _, k := range pathKinds {
			if k.word == word {
				rules.Allow |= k.kind
			}
		}
	}
	return rules
}

// requirements reads what a route requires of a caller: the alternatives in any_of, or its own
// fields.
func (p *parser) requirements(n *node) (anyOf []policy.Requirement) {
	alternatives := n.list("any_of")
	if alternatives == nil {
		return []policy.Requirement{p.requirement(n)}
	}
	for _, name := range requirementFields {
		if requires(n, name) {
			p.problem(n.get(name), "not together with any_of: put it into each alternative")
		}
	}
	for _, kid := range alternatives {
		anyOf = append(anyOf, p.requirement(kid))
	}
	return anyOf
}

// requires reports whether the document has a field that requires something of a caller. "caller":
// "any" doesn't.
func requires(n *node, name string) bool {
	return n.has(name) && (name != "caller" || n.str("caller") != "any")
}

// requirement reads the fields of a route, or of one of its alternatives.
func (p *parser) requirement(n *node) policy.Requirement {
	r := policy.Requirement{
		Caller:    callerKind(n),
		ScopesAll: n.strs("scopes_all"),
		ScopesAny: n.strs("scopes_any"),
		GroupsAny: n.strs("groups_any"),
	}
	r.Claims = p.requiredClaims(n.get("claims"))
	return r
}

// requiredClaims reads an object of claims and the values that they may have.
func (p *parser) requiredClaims(n *node) (rules []policy.ClaimRule) {
	if !n.usable() {
		return nil
	}
	for _, kid := range n.kids {
		p.noAnyValue(kid)
		rules = append(rules, policy.ClaimRule{Name: kid.name, Values: n.strs(kid.name)})
	}
	return rules
}

// noRequirements refuses requirements on a route that ignores tokens: they would only look like
// protection.
func (p *parser) noRequirements(n *node) {
	for _, name := range append([]string{"any_of"}, requirementFields...) {
		if requires(n, name) {
			p.problem(n.get(name), `not together with "auth": "none"`)
		}
	}
}

// limitsOf finds the limits that apply to a route, in the order of rate_limits: those that the
// route names, and unless its auth is none, those that apply everywhere and that it doesn't skip. A
// preflight that passes has no token, so that all callers behind one address would share a key: it
// charges only limits that the route names or that are charged before authentication.
func (p *parser) limitsOf(n, root *node, r *policy.Route) {
	named := p.namedLimits(n, root)
	skipped := p.skippedLimits(n, root, named)
	for i := range p.config.Limits {
		l := &p.config.Limits[i]
		everywhere := !l.ByName && r.Auth != policy.None
		if named[i] == nil && (!everywhere || skipped[i]) {
			continue
		}
		r.RateLimits = append(r.RateLimits, i)
		if r.CORSPass && (named[i] != nil || l.BeforeAuth) {
			r.PreflightLimits = append(r.PreflightLimits, i)
		}
	}
	if skip := n.get("skip_rate_limits"); skip.usable() && r.Auth == policy.None {
		p.warn(skip, `skips nothing: with "auth": "none" only the limits in rate_limits apply`)
	}
}

// namedLimits returns, for each limit that a route names, where.
func (p *parser) namedLimits(n, root *node) map[int]*node {
	named := map[int]*node{}
	for _, kid := range n.list("rate_limits") {
		if i := p.limitNamed(kid, root); i >= 0 {
			named[i] = kid
		}
	}
	return named
}

// skippedLimits returns the limits that a route skips.
func (p *parser) skippedLimits(n, root *node, named map[int]*node) map[int]bool {
	skipped := map[int]bool{}
	kids := n.list("skip_rate_limits")
	for _, kid := range kids {
		switch {
		case !kid.usable():
		case kid.text == "*" && len(kids) > 1:
			p.problem(kid, `want "*" alone: it is all limits that apply everywhere`)
		case kid.text == "*":
			for i := range p.config.Limits {
				skipped[i] = true
			}
		default:
			i := p.limitNamed(kid, root)
			switch {
			case i < 0:
			case p.config.Limits[i].ByName:
				p.problem(kid, quote(kid.text)+" applies by name only: there is nothing to skip")
			case named[i] != nil:
				p.problem(kid, "not together with "+named[i].path())
			default:
				skipped[i] = true
			}
		}
	}
	return skipped
}

// limitNamed finds a limit by the name at a node. It returns -1 after it has reported that there is
// none.
func (p *parser) limitNamed(kid, root *node) int {
	if !kid.usable() {
		return -1
	}
	i := slices.IndexFunc(p.config.Limits, func(l Limit) bool { return l.Name == kid.text })
	if i < 0 && root.get("rate_limits").usable() {
		p.problem(kid, "no limit is named "+quote(kid.text))
	}
	return i
}

func (p *parser) checkCost(n, root *node, r *policy.Route) {
	cost := n.get("cost")
	for _, i := range r.RateLimits {
		for _, w := range p.config.Limits[i].Windows {
			if w.Max != 0 && r.Cost > w.Max && cost.usable() {
				p.problem(cost, "want at most "+itoa(int64(w.Max))+", the max_requests of "+root.list("rate_limits")[i].path()+
					", got "+itoa(int64(r.Cost)))
			}
		}
	}
}
