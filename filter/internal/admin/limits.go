package admin

import (
	"strings"

	"gatehouse/core/clock"
	"gatehouse/core/ratelimit"
)

// lookUp tells what a caller has left. It consumes and creates nothing.
func (a *API) lookUp(r *Request, rest string) Response {
	rule, id, failed := a.caller(rest)
	if failed != nil {
		return *failed
	}
	var out ratelimit.Result
	if a.gate.Limiter().Peek(rule, id, 1, r.Mono, &out) != nil {
		return Unavailable()
	}
	body := text{'['}
	for i, w := range out.Windows[:out.N] {
		body.next(i)
		body.number(`{"limit":`, w.Limit)
		body.number(`,"remaining":`, w.Remaining)
		body.number(`,"reset_seconds":`, uint64(w.Reset+clock.Second-1)/clock.Second)
		body.add("}")
	}
	return ofJSON(200, body, "]")
}

// resetLimit forgets a caller's charges.
func (a *API) resetLimit(r *Request, rest string) Response {
	rule, id, failed := a.caller(rest)
	if failed != nil {
		return *failed
	}
	if a.gate.Limiter().Reset(rule, id, r.Mono) != nil {
		return Unavailable()
	}
	return done()
}

// clearLimits forgets the charges of all callers, by a new generation: shared data can't be
// deleted.
func (a *API) clearLimits(*Request, string) Response {
	if a.gate.Limiter().ClearAll() != nil {
		return Unavailable()
	}
	return done()
}

// caller reads RULE/IDENTIFIER. The identifier may have slashes of its own, or be percent-encoded
// as a whole.
func (a *API) caller(rest string) (rule int, id ratelimit.ID, failed *Response) {
	fail := func(status int, detail string) (int, ratelimit.ID, *Response) {
		out := failure(status, detail)
		return 0, ratelimit.ID{}, &out
	}
	name, identifier, ok := strings.Cut(rest, "/")
	if !ok || name == "" || identifier == "" {
		return fail(404, "no such resource")
	}
	for rule < len(a.cfg.Limits) && a.cfg.Limits[rule].Name != name {
		rule++
	}
	if rule == len(a.cfg.Limits) {
		return fail(404, "no rate limit has this name")
	}
	id, err := a.gate.ParseIdentifier(rule, identifier)
	if err != nil {
		return fail(400, err.Error())
	}
	return rule, id, nil
}
