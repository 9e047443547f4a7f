package core

import "gatehouse/core/reason"

// steps are the steps of a decision, in their order. The first step that returns a reason refuses
// the request. A step that has to wait for keys sets the Verdict to Wait; Resume goes on with the
// same step.
var steps = [...]func(*Gate, *Request, *Decision) reason.Reason{
	(*Gate).checkTarget, // method, host and path
	(*Gate).matchRoute,
	(*Gate).chargeBeforeAuth,
	(*Gate).authenticate, // the token
	(*Gate).authorize,    // caller, scopes, groups and claims
	(*Gate).chargeAfterAuth,
}

// Decide decides about a request. If d.Verdict is Wait, hold the request until the keys of
// d.WaitFor have arrived or have failed to, and then call Resume.
func (g *Gate) Decide(r *Request, d *Decision) {
	d.Reset()
	d.mono, d.grpc, d.origin = r.Mono, r.isGRPC(), g.allowedOrigin(r)
	g.readTarget(r)
	g.remember(r, d)
	if !g.answerMetadata(r, d) {
		g.proceed(r, d)
	}
}

// Resume goes on with a request that had to wait. It never waits again. The Request's headers must
// be as they were; its clocks say when Resume is called.
func (g *Gate) Resume(r *Request, d *Decision) {
	g.readTarget(r)
	d.Verdict, d.resumed = Deny, true
	g.proceed(r, d)
}

// proceed takes the steps that are left.
func (g *Gate) proceed(r *Request, d *Decision) {
	why := reason.None
	for ; d.step < len(steps) && why == reason.None; d.step++ {
		if why = steps[d.step](g, r, d); d.Verdict == Wait {
			return
		}
	}
	g.conclude(r, d, why)
}

// conclude turns the outcome of the steps into the decision: why is the reason of a refusal, None
// to admit the request.
func (g *Gate) conclude(r *Request, d *Decision, why reason.Reason) {
	d.wall = r.Wall
	d.Reason = why
	if why != reason.None && g.cfg.Observe {
		g.refund(r, d, 0)
		d.WouldBe, d.Reason = why, reason.None
	}
	if d.Reason != reason.None {
		d.Verdict = Deny
		d.metadataParam = g.metadataParam(r, d, d.Reason)
		g.refuse(d)
	} else {
		d.Verdict = Admit
		g.admit(r, d)
	}
	g.countDecision(d)
}

// Fail makes d a refusal for a fault of Gatehouse's own or of the proxy, whatever it was before.
func (g *Gate) Fail(d *Decision) {
	d.Verdict, d.Reason, d.WouldBe = Deny, reason.Internal, reason.None
	d.Remove, d.Set, d.Response, d.charges = d.Remove[:0], d.Set[:0], d.Response[:0], d.charges[:0]
	g.refuse(d)
	g.countDecision(d)
}
