// Package native runs scenarios against core alone: no proxy, no module, a clock that jumps. It
// does the little that a proxy does around the filter. It is the only part of the end-to-end tests
// that may import core.
package native

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"gatehouse/cmd/testbed/toy"
	"gatehouse/core"
	"gatehouse/core/claims"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/ratelimit"
	"gatehouse/core/reason"
	"gatehouse/e2e/scenario"
)

// runner runs one scenario.
type runner struct {
	s      *scenario.Scenario
	minted *scenario.Minted
	cfg    *config.Config
	gate   *core.Gate
	start  time.Time
	now    time.Duration // since start
}

// Run executes a scenario.
func Run(s *scenario.Scenario, issuer *toy.Issuer) (*scenario.Observation, error) {
	r := &runner{s: s, start: time.Now().Truncate(time.Second)}
	var err error
	if r.minted, err = s.Mint(issuer, r.start); err != nil {
		return nil, err
	}
	doc, err := s.PluginConfig(issuer.JWKS())
	if err != nil {
		return nil, err
	}
	r.cfg, err = config.Parse(doc, func(name string) (string, bool) {
		value, ok := s.Env[name]
		return value, ok
	})
	if err != nil {
		return nil, err
	}
	if r.gate, err = core.New(r.cfg, r.host(issuer)); err != nil {
		return nil, err
	}
	o := &scenario.Observation{Exchanges: make([][]scenario.Exchange, len(s.Steps))}
	secrets := s.Secrets(r.minted)
	for _, warning := range r.cfg.Warnings {
		o.Leaks = append(o.Leaks, secrets.Find("a warning", warning)...)
	}
	whole := true
	for i := range s.Steps {
		step := &s.Steps[i]
		r.now = time.Duration(step.At * float64(time.Second))
		if !step.RunsIn(scenario.Core) {
			whole = false
			continue
		}
		for range step.Times {
			e := r.exchange(step)
			o.Leaks = append(o.Leaks, secrets.FindExchange(e)...)
			e.Conceal(r.minted)
			o.Exchanges[i] = append(o.Exchanges[i], *e)
		}
	}
	if whole {
		o.Metrics = r.metrics()
		for name := range o.Metrics {
			o.Leaks = append(o.Leaks, secrets.Find("a metric", name)...)
		}
	}
	return o, nil
}

func (r *runner) wall() clock.Wall { return clock.Wall(r.start.Add(r.now).UnixNano()) }

// mono begins at an hour, so that code which takes zero for "never" can't pass by luck.
func (r *runner) mono() clock.Mono { return clock.Mono(time.Hour + r.now) }

func (r *runner) host(issuer *toy.Issuer) core.Host {
	h := core.Host{Store: ratelimit.NewMemoryStore(), Mono: r.mono, HashKey: [16]byte{1}, InstanceID: 1}
	switch r.s.Fault {
	case scenario.FaultContention:
		h.Store = contended{h.Store}
	case scenario.FaultStore:
		h.Store = failing{h.Store}
	case scenario.FaultPanic:
		h.Store = panicking{h.Store}
	case scenario.FaultNoKeys:
		h.Remote = remote{}
	default:
		set, err := jwks.Parse(issuer.JWKS())
		if err == nil {
			h.Remote = remote{set}
		}
	}
	return h
}

// contended is a store in which every compare-and-set is lost to another worker.
type contended struct{ ratelimit.Store }

func (contended) CompareAndSet(string, []byte, ratelimit.Version) (bool, error) { return false, nil }

// failing is a store that can't be written.
type failing struct{ ratelimit.Store }

func (failing) CompareAndSet(string, []byte, ratelimit.Version) (bool, error) {
	return false, errors.New("a fault, injected")
}

// panicking is a store with a bug.
type panicking struct{ ratelimit.Store }

func (panicking) Get(string) ([]byte, ratelimit.Version, error) { panic("a fault, injected") }

// remote has fetched the issuer's keys, or has failed to.
type remote struct{ set *jwks.Set }

func (r remote) Keys(int) *jwks.Set                               { return r.set }
func (r remote) RequestFetch(int, reason.Reason, clock.Mono) bool { return false }

// exchange takes a request through the gate and back.
func (r *runner) exchange(step *scenario.Step) *scenario.Exchange {
	req := r.request(step)
	e := &scenario.Exchange{}
	d := &core.Decision{}
	out := core.Outcome{Mono: r.mono()}
	switch {
	case step.By != nil && step.By.Before:
		r.gate.Unseen(req, d)
		e.Status, e.Details, e.Body = step.By.Status, step.By.Details, step.By.Body
		e.Header = scenario.Headers(addAll(step.By.Headers))
	default:
		r.decide(req, d)
		if d.Verdict == core.Wait {
			r.gate.Resume(req, d)
		}
		r.gate.Opened(d, func([]byte) {}) // it goes to the log, which core has not
		switch d.Verdict {
		case core.Admit:
			out.Custom = r.admitted(step, req, d, e)
		case core.Answer:
			answered(step, d, e)
		default:
			refused(step, d, e)
		}
	}
	out.Status, out.Details = e.Status, e.Details
	if e.Status != 0 {
		status := scenario.GRPCStatus(e)
		out.GRPC = &status
	}
	r.gate.Finish(d, out, func(line []byte) { e.Audit = append(e.Audit, string(line)) })
	return e
}

// decide recovers from a panic as the filter does.
func (r *runner) decide(req *core.Request, d *core.Decision) {
	defer func() {
		if recover() != nil {
			r.gate.Fail(d)
		}
	}()
	r.gate.Decide(req, d)
}

func (r *runner) request(step *scenario.Step) *core.Request {
	q := &step.Request
	req := &core.Request{
		Method: q.Verb(), Path: q.Target(r.minted), Host: q.Authority(), Source: net.JoinHostPort(q.IP(), "40000"),
		Wall: r.wall(), Mono: r.mono(),
		Headers: []core.Header{{Name: "x-request-id", Value: "5f0c1f5e-0000-4000-8000-000000000000"}},
	}
	for _, f := range q.Delivered(r.minted) {
		req.Headers = append(req.Headers, core.Header(f))
	}
	if r.s.Around.JWTAuthn != "" {
		req.External = func(provider int) core.ExternalClaims { return r.foreign(step, provider) }
	}
	return req
}

// foreign is what jwt_authn leaves.
func (r *runner) foreign(step *scenario.Step, provider int) core.ExternalClaims {
	from := r.cfg.Tokens.Providers[provider].ClaimsFrom
	switch {
	case from == nil:
	case step.Foreign.Token != "":
		payload, err := r.minted.Payload(step.Foreign.Token)
		if err != nil {
			return core.ExternalClaims{Failure: reason.Internal}
		}
		set, err := claims.Parse(payload)
		if err != nil {
			return core.ExternalClaims{Failure: reason.MalformedToken}
		}
		return core.ExternalClaims{Present: true, Claims: set}
	case from.FailedStatusKey != "":
		return core.ExternalClaims{Failure: core.JWTStatus(step.Foreign.Fail)}
	}
	return core.ExternalClaims{}
}

// admitted plays the upstream and the filters in front of it. It returns the upstream's
// x-audit-event.
func (r *runner) admitted(step *scenario.Step, req *core.Request, d *core.Decision, e *scenario.Exchange) (custom []string) {
	var fields []scenario.Field
	if step.By == nil {
		e.Upstream = upstream(req, d)
	}
	switch {
	case step.By != nil:
		e.Status, e.Details, e.Body = step.By.Status, step.By.Details, step.By.Body
		fields = scenario.Fields(step.By.Headers)
	case step.Request.Leaves:
		e.Details = scenario.LeftDetails
		return nil
	case step.Answer.Reset:
		e.Status, e.Details, e.Body = 503, scenario.ResetDetails, scenario.ResetBody
		fields = []scenario.Field{{Name: "content-type", Value: "text/plain"}}
	default:
		e.Status, e.Details, e.Body = step.Answer.Code(), "via_upstream", scenario.AnswerBody
		fields = step.Answer.Fields()
	}
	e.Header = scenario.Headers(func(add func(name, value string)) {
		for _, f := range fields {
			if f.Name == "x-gatehouse-event-id" {
				continue
			}
			if f.Name == "x-audit-event" {
				custom = append(custom, f.Value)
			} else {
				add(f.Name, f.Value)
			}
		}
	})
	for _, h := range d.Response {
		e.Header[h.Name] = []string{h.Value}
	}
	return custom
}

// upstream is the request as it arrives there.
func upstream(req *core.Request, d *core.Decision) *scenario.Seen {
	seen := &scenario.Seen{Method: req.Method, Path: req.Path, Host: req.Host}
	seen.Header = scenario.Headers(func(add func(name, value string)) {
		for _, h := range req.Headers {
			add(h.Name, h.Value)
		}
	})
	for _, name := range d.Remove {
		delete(seen.Header, name)
	}
	for _, h := range d.Set {
		seen.Header[h.Name] = []string{h.Value}
	}
	return seen
}

// answered is what the Gate answers itself.
func answered(step *scenario.Step, d *core.Decision, e *scenario.Exchange) {
	e.Status, e.Details, e.Body = d.Status, core.AnswerDetails, d.Body
	if step.Request.Verb() == http.MethodHead {
		e.Body = ""
	}
	e.Header = scenario.Headers(func(add func(name, value string)) {
		for _, h := range d.Response {
			add(h.Name, h.Value)
		}
	})
}

func refused(step *scenario.Step, d *core.Decision, e *scenario.Exchange) {
	e.Status, e.Details, e.Body = d.Reason.Status(), "gatehouse_"+d.Reason.String(), d.Body
	e.Header = scenario.Headers(func(add func(name, value string)) {
		for _, h := range d.Response {
			add(h.Name, h.Value)
		}
	})
	if step.Request.IsGRPC() { // what a proxy makes of a local reply then
		e.Header["content-type"] = []string{"application/grpc"}
		e.Header["grpc-status"] = []string{fmt.Sprint(d.Reason.GRPCStatus())}
		e.Header["grpc-message"] = []string{e.Body}
		e.Status, e.Body = 200, ""
	}
}

func addAll(lines []string) func(func(name, value string)) {
	return func(add func(name, value string)) {
		for _, f := range scenario.Fields(lines) {
			add(f.Name, f.Value)
		}
	}
}

func (r *runner) metrics() map[string]uint64 {
	out := map[string]uint64{}
	table := r.gate.Metrics()
	r.gate.Flush(func(metric int, n uint64) {
		def := table.Def(metric)
		labels := map[string]string{}
		for _, l := range def.Labels {
			labels[l.Name] = l.Value
		}
		if name := scenario.MetricName(def.Name, labels); scenario.Compared(name) {
			out[name] += n
		}
	}, func(int64) { out[table.Def(table.ValidationDuration()).Name+"_count"]++ })
	return out
}
