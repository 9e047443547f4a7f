package core

import (
	"strconv"

	"gatehouse/core/clock"
	"gatehouse/core/ratelimit"
	"gatehouse/core/reason"
)

// ceil converts nanoseconds to seconds, rounded up.
func ceil(ns int64) uint64 {
	if ns <= 0 {
		return 0
	}
	return uint64((ns-1)/clock.Second) + 1
}

// refuse fills in the reply: its headers and its body.
func (g *Gate) refuse(d *Decision) {
	g.limitHeaders(d)
	d.respond("content-type", "application/json")
	d.respond("cache-control", "no-store")
	switch d.Reason.Status() {
	case 401:
		d.respond("www-authenticate", d.join(challenge(d.Reason), d.metadataParam))
	case 403:
		if d.Reason == reason.InsufficientScope {
			d.respond("www-authenticate", g.scopeChallenge(d))
		}
	case 429, 503:
		seconds := max(ceil(g.retry(d)), 1)
		d.respondNumber("retry-after", seconds)
		if d.grpc { // gRPC's retry policy, "Server Pushback" (gRFC A6)
			d.respondNumber("grpc-retry-pushback-ms", seconds*1000)
		}
		if d.Reason == reason.RateLimited { // an Envoy in front doesn't retry it as a failure then
			d.respond("x-envoy-ratelimited", "true")
		}
	}
	if g.tellsEvent(d) {
		d.eventID = g.newEventID(d)
		d.respond(EventIDHeader, d.eventID)
	}
	g.corsHeaders(d)
	d.Body = d.Reason.Body()
	if d.grpc { // the proxy makes it the grpc-message
		d.Body = d.Reason.Detail()
	}
}

// EventIDHeader tells the client of a refusal the id of its audit event. Responses of the upstream
// must not have it.
const EventIDHeader = "x-gatehouse-event-id"

// tellsEvent reports whether a refusal has an event. audit.exclude_paths doesn't apply to refusals.
func (g *Gate) tellsEvent(d *Decision) bool {
	return logs(&g.cfg.Audit) && (d.Route < 0 || g.table.Route(d.Route).Audit)
}

// challenge is WWW-Authenticate of a 401 (RFC 6750 §3). It has no error code if there was no token
// (§3.1).
func challenge(why reason.Reason) string {
	if why == reason.MissingToken {
		return `Bearer realm="gatehouse"`
	}
	return `Bearer realm="gatehouse", error="invalid_token"`
}

// scopeChallenge names the scopes that the caller lacks (RFC 6750 §3). The configuration makes sure
// that scopes have no quotes or backslashes (RFC 6749 §3.3).
func (g *Gate) scopeChallenge(d *Decision) string {
	start := len(d.text)
	d.text = append(d.text, `Bearer realm="gatehouse", error="insufficient_scope", scope="`...)
	for i, s := range d.lack.values {
		if i > 0 {
			d.text = append(d.text, ' ')
		}
		d.text = append(d.text, s...)
	}
	d.text = append(append(d.text, '"'), d.metadataParam...)
	return d.textFrom(start)
}

// join is a followed by b.
func (d *Decision) join(a, b string) string {
	if b == "" {
		return a
	}
	start := len(d.text)
	d.text = append(append(d.text, a...), b...)
	return d.textFrom(start)
}

// retry is how long a client has to wait, in nanoseconds, until no limit refuses it. Limits that
// the limit headers leave out count too.
func (g *Gate) retry(d *Decision) (wait int64) {
	for i := range d.charges {
		c := &d.charges[i]
		if g.enforces(c) {
			wait = max(wait, c.result.Retry)
		}
	}
	return wait
}

// respond adds a header to the response. Inlined, it and respondNumber would cost the module 10 kB.
//
//go:noinline
func (d *Decision) respond(name, value string) { d.Response = append(d.Response, Header{name, value}) }

//go:noinline
func (d *Decision) respondNumber(name string, n uint64) {
	start := len(d.text)
	d.text = strconv.AppendUint(d.text, n, 10)
	d.respond(name, d.textFrom(start))
}

// prepareHeaders builds the parts of the limit headers that depend on the configuration alone: the
// items of RateLimit-Policy and the names of windows. They are Structured Fields strings (RFC 9651
// §3.3.3). The names of limits have no characters that need escapes.
func (g *Gate) prepareHeaders() {
	for i := range g.cfg.Limits {
		l := &g.cfg.Limits[i]
		var names []string
		policy := ""
		for _, w := range l.Windows {
			seconds := strconv.FormatInt(w.Length/clock.Second, 10)
			name := `"` + l.Name + `"`
			if len(l.Windows) > 1 {
				name = `"` + l.Name + "-" + seconds + `"`
			}
			names = append(names, name)
			if policy != "" {
				policy += ", "
			}
			policy += name + ";q=" + strconv.FormatUint(w.Max, 10) + ";w=" + seconds
		}
		g.policies = append(g.policies, policy)
		g.windowNames = append(g.windowNames, names)
	}
}

// limitHeaders tells the client the state of its limits. X-RateLimit-* are about the window with
// the least remaining (of equal windows, the one with the longest reset). RateLimit and
// RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers) name all windows.
func (g *Gate) limitHeaders(d *Decision) {
	var tightest *ratelimit.WindowState
	shown := 0
	for i := range d.charges {
		c := &d.charges[i]
		if !g.shows(c) {
			continue
		}
		shown++
		for j := range c.result.N {
			w := &c.result.Windows[j]
			if tightest == nil || w.Remaining < tightest.Remaining || w.Remaining == tightest.Remaining && w.Reset > tightest.Reset {
				tightest = w
			}
		}
	}
	if tightest == nil {
		return
	}
	if which := &g.cfg.LimitHeaders; which.XRateLimit {
		d.respondNumber("x-ratelimit-limit", tightest.Limit)
		d.respondNumber("x-ratelimit-remaining", tightest.Remaining)
		reset := tightest.Reset
		if which.Epoch {
			reset += int64(d.wall)
		}
		d.respondNumber("x-ratelimit-reset", ceil(reset))
	}
	if g.cfg.LimitHeaders.RateLimit {
		d.respond("ratelimit-policy", g.policyItems(d, shown))
		d.respond("ratelimit", g.stateItems(d))
	}
}

// enforces reports whether a limit can refuse requests, and its state is known.
func (g *Gate) enforces(c *charge) bool {
	return !g.cfg.Limits[c.rule].Shadow && !c.result.Contention && !c.result.Failed
}

// shows reports whether a limit appears in the limit headers.
func (g *Gate) shows(c *charge) bool { return !g.cfg.Limits[c.rule].Hidden && g.enforces(c) }

func (g *Gate) policyItems(d *Decision, shown int) string {
	start := len(d.text)
	for i := range d.charges {
		c := &d.charges[i]
		if !g.shows(c) {
			continue
		}
		if shown == 1 {
			return g.policies[c.rule]
		}
		if len(d.text) > start {
			d.text = append(d.text, ", "...)
		}
		d.text = append(d.text, g.policies[c.rule]...)
	}
	return d.textFrom(start)
}

func (g *Gate) stateItems(d *Decision) string {
	start := len(d.text)
	for i := range d.charges {
		c := &d.charges[i]
		if !g.shows(c) {
			continue
		}
		for j := range c.result.N {
			w := &c.result.Windows[j]
			if len(d.text) > start {
				d.text = append(d.text, ", "...)
			}
			d.text = append(d.text, g.windowNames[c.rule][j]...)
			d.text = append(d.text, ";r="...)
			d.text = strconv.AppendUint(d.text, w.Remaining, 10)
			d.text = append(d.text, ";t="...)
			d.text = strconv.AppendUint(d.text, ceil(w.Reset), 10)
		}
	}
	return d.textFrom(start)
}
