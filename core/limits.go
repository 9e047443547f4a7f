package core

import (
	"math"
	"slices"
	"strings"

	"gatehouse/core/config"
	"gatehouse/core/policy"
	"gatehouse/core/ratelimit"
	"gatehouse/core/reason"
)

// charge is the result of one limit for a request, with what a refund needs.
type charge struct {
	rule   int
	id     ratelimit.ID
	result ratelimit.Result
}

// minCost is the lowest cost that a route charges to a limit; 0 if no route does.
func minCost(routes []policy.Route, rule int) (cost uint64) {
	for i := range routes {
		r := &routes[i]
		if slices.Contains(r.RateLimits, rule) && (cost == 0 || r.Cost < cost) {
			cost = r.Cost
		}
	}
	return cost
}

// limitsFor returns the limits that apply to a request.
func limitsFor(r *Request, route *policy.Route) []int {
	if passesAsPreflight(r, route) {
		return route.PreflightLimits
	}
	return route.RateLimits
}

// applies reports whether a limit is for this caller. Before authentication every limit is for any
// caller.
func (d *Decision) applies(l *config.Limit) bool {
	if l.BeforeAuth {
		return true
	}
	if !l.Caller.Admits(d.callerKind()) {
		return false
	}
	for i := range l.Claims {
		if c := &l.Claims[i]; d.Principal == nil || !d.Principal.Claims.HasAny(c.Name, c.Values) {
			return false
		}
	}
	return true
}

// chargeBeforeAuth charges the limits that apply before authentication. A later refusal doesn't
// refund them; observe mode, in which what would have been refused charges nothing, refunds all.
func (g *Gate) chargeBeforeAuth(r *Request, d *Decision) reason.Reason { return g.charge(r, d, true) }

// chargeAfterAuth charges the limits that apply to the caller.
func (g *Gate) chargeAfterAuth(r *Request, d *Decision) reason.Reason { return g.charge(r, d, false) }

// charge charges the route's limits of one phase in turn. On a refusal it refunds the earlier
// charges of this phase, and d.Rule is the limit that refused.
func (g *Gate) charge(r *Request, d *Decision, before bool) reason.Reason {
	route := g.table.Route(d.Route)
	first := len(d.charges)
	for _, rule := range limitsFor(r, route) {
		l := &g.cfg.Limits[rule]
		if l.BeforeAuth != before || !d.applies(l) {
			continue
		}
		c := d.nextCharge()
		c.rule, c.id = rule, g.limitKey(r, d, rule)
		g.limiter.Charge(rule, c.id, route.Cost, r.Mono, &c.result)
		if c.result.Evicted > 0 {
			g.Count(g.metrics.Evictions(rule), uint64(c.result.Evicted))
		}
		switch {
		case c.result.Failed:
			g.Count(g.metrics.LimitError(rule), 1)
			if l.Shadow {
				continue
			}
			g.refund(r, d, first)
			d.Rule = rule
			return reason.Internal
		case c.result.Contention:
			g.Count(g.metrics.LimitContention(rule), 1)
			if l.Shadow || l.AllowOnContention {
				continue
			}
			g.refund(r, d, first)
			d.Rule = rule
			return reason.Contention
		case c.result.Admitted:
			g.Count(g.metrics.LimitAdmitted(rule), 1)
		case l.Shadow:
			g.Count(g.metrics.LimitShadow(rule), 1)
		default:
			g.Count(g.metrics.LimitRefused(rule), 1)
			g.refund(r, d, first)
			d.Rule = rule
			g.peekAll(r, d, before)
			return reason.RateLimited
		}
	}
	return reason.None
}

// refund refunds the charges from the given one on.
func (g *Gate) refund(r *Request, d *Decision, from int) {
	for i := from; i < len(d.charges); i++ { // only a request with a route has any
		if c := &d.charges[i]; c.result.Admitted {
			g.limiter.Refund(c.rule, c.id, g.table.Route(d.Route).Cost, &c.result, r.Mono)
		}
	}
}

// peekAll reads the state of all limits of a refused request, for its headers: of those that were
// refunded as they are now, of those that weren't reached what they would decide. So a client that
// waits as long as Retry-After says is admitted. Limits that were charged before authentication
// stay charged, and need room for another request by then.
func (g *Gate) peekAll(r *Request, d *Decision, before bool) {
	route := g.table.Route(d.Route)
	for i := range d.charges {
		c := &d.charges[i]
		switch {
		case !c.result.Admitted:
		case g.cfg.Limits[c.rule].BeforeAuth == before:
			g.peek(r, d, c)
		default:
			next := charge{rule: c.rule, id: c.id}
			g.peek(r, d, &next)
			c.result.Retry = next.result.Retry
		}
	}
	for _, rule := range limitsFor(r, route) {
		l := &g.cfg.Limits[rule]
		if rule <= d.Rule || l.BeforeAuth != before || l.Shadow || !d.applies(l) {
			continue
		}
		c := d.nextCharge()
		c.rule, c.id = rule, g.limitKey(r, d, rule)
		g.peek(r, d, c)
	}
}

func (g *Gate) peek(r *Request, d *Decision, c *charge) {
	if g.limiter.Peek(c.rule, c.id, g.table.Route(d.Route).Cost, r.Mono, &c.result) != nil {
		c.result = ratelimit.Result{Failed: true} // its state is unknown: headers leave it out
	}
}

// The kinds of an identifier's elements as they go into the hash. Their numbers are part of what
// shared state means.
const (
	keyUser byte = iota + 1
	keyClient
	keyIP
	keyClaim
	keyHeader
	keyRoute
	keyMethod
	keyHost
	keyGlobal
	keyAddress   // an address that isn't an IP address (a Unix socket's)
	keyClaimJSON // a claim that isn't a text, as JSON
)

// limitKey returns the key under which a limit counts this request. If it follows from the token
// alone, it is computed once for each principal.
func (g *Gate) limitKey(r *Request, d *Decision, rule int) ratelimit.ID {
	p := d.Principal
	if p == nil {
		id, _ := g.newLimitKey(r, d, rule)
		return id
	}
	if p.limitKeys == nil {
		p.limitKeys = make([]limitKey, len(g.cfg.Limits))
	}
	k := &p.limitKeys[rule]
	if !k.known {
		k.id, k.known = g.newLimitKey(r, d, rule)
	}
	return k.id
}

// newLimitKey computes a key. ofToken is true if nothing but the token decided it.
func (g *Gate) newLimitKey(r *Request, d *Decision, rule int) (id ratelimit.ID, ofToken bool) {
	l := &g.cfg.Limits[rule]
	key := g.key[:0]
	ofToken = true
	for _, alternatives := range l.Identifier {
		before := len(key)
		for i := range alternatives {
			ofToken = ofToken && alternatives[i].OfToken()
			if key = g.appendElement(key, l, &alternatives[i], r, d); len(key) > before {
				break
			}
		}
		if len(key) == before {
			key = ratelimit.AppendAbsent(key)
		}
	}
	g.key = key
	return g.hasher.Sum(key), ofToken
}

// appendElement appends an element, or nothing if the request lacks it.
func (g *Gate) appendElement(key []byte, l *config.Limit, e *config.Element, r *Request, d *Decision) []byte {
	p := d.Principal
	namespace := ""
	if p != nil {
		namespace = p.namespace
	}
	switch e.Kind {
	case config.UserID:
		if p != nil && p.UserID != "" {
			kind := keyUser
			if p.userIsClient { // a subject of the same text is another caller
				kind = keyClient
			}
			return ratelimit.AppendElement(key, kind, "", namespace, p.UserID)
		}
	case config.ClientID:
		if p != nil && p.ClientID != "" {
			return ratelimit.AppendElement(key, keyClient, "", namespace, p.ClientID)
		}
	case config.Claim:
		if p != nil && p.Claims.Has(e.Name) {
			v := p.Claims.Get(e.Name)
			if text, ok := v.Text(); ok {
				return ratelimit.AppendElement(key, keyClaim, e.Name, namespace, text)
			}
			return ratelimit.AppendElement(key, keyClaimJSON, e.Name, namespace, v.Raw())
		}
	case config.IP:
		if host := sourceHost(r.Source); host != "" {
			return g.appendIP(key, l, host)
		}
	case config.Header:
		var ok bool
		if g.value, ok = r.appendHeader(g.value[:0], e.Name, math.MaxInt32); ok {
			return ratelimit.AppendElement(key, keyHeader, e.Name, "", g.value)
		}
	case config.Route:
		return ratelimit.AppendElement(key, keyRoute, "", "", g.table.Route(d.Route).Name)
	case config.Method:
		return ratelimit.AppendElement(key, keyMethod, "", "", r.Method)
	case config.Host:
		host, _ := policy.NormalizeHost(r.Host)
		return ratelimit.AppendElement(key, keyHost, "", "", host)
	case config.Global:
		return ratelimit.AppendElement(key, keyGlobal, "", "", "")
	}
	return key
}

func (g *Gate) appendIP(key []byte, l *config.Limit, host string) []byte {
	var ok bool
	if g.ip, ok = ratelimit.AppendIPPrefix(g.ip[:0], host, l.PrefixV4, l.PrefixV6); ok {
		return ratelimit.AppendElement(key, keyIP, "", "", g.ip)
	}
	return ratelimit.AppendElement(key, keyAddress, "", "", host)
}

// sourceHost is an address without its port and brackets.
func sourceHost(source string) string {
	if strings.HasPrefix(source, "[") {
		if i := strings.IndexByte(source, ']'); i > 0 {
			return source[1:i]
		}
	}
	if i := strings.LastIndexByte(source, ':'); i >= 0 && strings.IndexByte(source, ':') == i {
		return source[:i]
	}
	return source
}
