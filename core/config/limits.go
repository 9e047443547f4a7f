package config

import (
	"slices"
	"strconv"
	"strings"

	"gatehouse/core/caller"
	"gatehouse/core/ratelimit"
)

// second is a second in nanoseconds.
const second = 1_000_000_000

func (p *parser) limits(root *node) {
	names := newLabels()
	for _, n := range root.list("rate_limits") {
		if name := n.get("name"); name.usable() {
			names.add(p, name, name.text, false)
		}
		l := Limit{
			Rule: ratelimit.Rule{
				Name:           n.str("name"),
				Windows:        p.windows(n),
				MaxIdentifiers: int(n.num("max_identifiers")),
			},
			PrefixV4:          int(n.num("ip_prefix_v4")),
			PrefixV6:          int(n.num("ip_prefix_v6")),
			Caller:            callerKind(n),
			ByName:            n.str("apply") == "by_name",
			BeforeAuth:        n.str("when") == "before_auth",
			Shadow:            n.yes("shadow"),
			Hidden:            !n.yes("headers"),
			AllowOnContention: n.str("on_contention") == "allow",
		}
		l.Identifier = p.identifier(n, l.BeforeAuth)
		l.KeyedBy = keyedBy(&l)
		l.Claims = p.requiredClaims(n.get("claims"))
		if l.BeforeAuth && l.Caller != caller.Any {
			p.problem(n.get("caller"), `want "any": before_auth nobody knows the caller`)
		}
		if l.BeforeAuth && l.Claims != nil {
			p.problem(n.get("claims"), "not together with before_auth: the token's claims aren't known then")
		}
		if l.Caller == caller.Anonymous && l.Claims != nil {
			p.problem(n.get("claims"), `not together with "caller": "anonymous": such a caller has no claims`)
		}
		p.config.Limits = append(p.config.Limits, l)
	}
	p.policyNames(root.list("rate_limits"))
	p.limitHeaders(root)
}

// policyNames makes sure that the fields RateLimit and RateLimit-Policy have a different name for
// each window. A limit with several windows calls them NAME-SECONDS.
func (p *parser) policyNames(limits []*node) {
	byName := map[string]*node{}
	for i, l := range p.config.Limits {
		if len(l.Windows) == 1 {
			byName[l.Name] = limits[i]
		}
	}
	for i, l := range p.config.Limits {
		for _, w := range l.Windows {
			name := l.Name + "-" + itoa(w.Length/second)
			if other := byName[name]; len(l.Windows) > 1 && l.Name != "" && other != nil {
				p.problem(limits[i].get("name"), "the response headers call one of its windows "+quote(name)+", which is "+other.path())
			}
		}
	}
}

// callerKind reads the kind of caller that a route or a limit is for. It takes Any for a bad word,
// which has had its error.
func callerKind(n *node) caller.Kind {
	if kind, ok := caller.ParseKind(n.str("caller")); ok {
		return kind
	}
	return caller.Any
}

func (p *parser) windows(limit *node) []ratelimit.Window {
	nodes := limit.list("windows")
	if nodes == nil {
		nodes = []*node{limit}
	}
	var out []ratelimit.Window
	for _, n := range nodes {
		w := ratelimit.Window{Max: uint64(n.num("max_requests")), Length: n.num("window_seconds") * second}
		if slices.ContainsFunc(out, func(o ratelimit.Window) bool { return o.Length == w.Length && w.Length != 0 }) {
			p.problem(n.get("window_seconds"), "want a length that no other window of the limit has")
		}
		out = append(out, w)
	}
	return out
}

// elementKinds are the elements of an identifier that have no name.
var elementKinds = []struct {
	word string
	kind ElementKind
}{
	{"user_id", UserID}, {"client_id", ClientID}, {"ip", IP}, {"route", Route}, {"method", Method}, {"host", Host}, {"global", Global},
}

// String is the element as rate_limits[].identifier has it.
func (e Element) String() string {
	switch e.Kind {
	case Claim:
		return "claim:" + e.Name
	case Header:
		return "header:" + e.Name
	}
	for _, known := range elementKinds {
		if known.kind == e.Kind {
			return known.word
		}
	}
	return ""
}

const wantElement = `want user_id, client_id, ip, claim:NAME, header:NAME, route, method, host or global, got `

func parseElement(s string) (Element, bool) {
	for _, e := range elementKinds {
		if s == e.word {
			return Element{Kind: e.kind}, true
		}
	}
	if name, ok := strings.CutPrefix(s, "claim:"); ok {
		return Element{Claim, name}, name != ""
	}
	if name, ok := strings.CutPrefix(s, "header:"); ok {
		return Element{Header, strings.ToLower(name)}, tokenFormat.ok(name)
	}
	return Element{}, false
}

// OfToken reports whether an element comes from the token.
func (e Element) OfToken() bool { return e.Kind == UserID || e.Kind == ClientID || e.Kind == Claim }

// always reports whether every request has such an element.
func (e Element) always() bool { return !e.OfToken() && e.Kind != Header }

func (p *parser) identifier(limit *node, beforeAuth bool) [][]Element {
	if beforeAuth && !limit.has("identifier") {
		p.missing(limit, "identifier", `required with before_auth: want ip, route, method, host or global, such as ["ip"]`)
		return nil
	}
	var out [][]Element
	for _, n := range limit.list("identifier") {
		if n.usable() {
			out = append(out, p.alternatives(n, beforeAuth))
		}
	}
	return out
}

// alternatives reads one element of an identifier: its alternatives, separated by |.
func (p *parser) alternatives(n *node, beforeAuth bool) []Element {
	var out []Element
	for word := range strings.SplitSeq(n.text, "|") {
		e, ok := parseElement(word)
		switch {
		case !ok:
			p.problem(n, wantElement+quote(word))
			return nil
		case beforeAuth && !e.always():
			p.problem(n, "want ip, route, method, host or global with before_auth, got "+quote(word))
			return nil
		case len(out) > 0 && out[len(out)-1].always():
			p.problem(n, "every request has what stands before |"+word+": it can never count")
			return nil
		case e.Kind == Header || e.Kind == Host:
			p.warn(n, "a caller who chooses its "+word+" chooses its own key, and so its own limit")
		}
		out = append(out, e)
	}
	return out
}

// warnOfMethods warns of a limit keyed by method on a route that admits any method. HTTP/2 allows
// made-up methods (RFC 9113 §8.3.1), and Envoy passes them on.
func (p *parser) warnOfMethods(limit, route *node, identifier [][]Element) {
	isMethod := func(e Element) bool { return e.Kind == Method }
	for i, alternatives := range identifier {
		if slices.ContainsFunc(alternatives, isMethod) {
			p.warn(limit.list("identifier")[i], "over HTTP/2 a caller can make methods up, and so its own key and limit, on routes without methods such as "+route.path())
		}
	}
}

// keyedBy describes how a limit makes its keys. If the description changes, the limit starts empty.
func keyedBy(l *Limit) string {
	var b []byte
	for _, element := range l.Identifier {
		for _, e := range element {
			b = strconv.AppendInt(b, int64(e.Kind), 10)
			b = strconv.AppendQuote(b, e.Name)
			if e.Kind == IP {
				b = append(b, '/')
				b = strconv.AppendInt(b, int64(l.PrefixV4), 10)
				b = append(b, '/')
				b = strconv.AppendInt(b, int64(l.PrefixV6), 10)
			}
			b = append(b, '|')
		}
		b = append(b, ',')
	}
	return string(b)
}

func itoa(v int64) string { return strconv.FormatInt(v, 10) }
