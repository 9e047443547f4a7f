package plugin

import (
	"strings"

	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/core/reason"
	"gatehouse/filter/internal/proxy"
)

// stream is one HTTP stream. Streams are reused: one is free again when its Done has run.
type stream struct {
	plugin     *plugin
	id         uint32
	at         int // in plugin.streams; -1 once it has ended
	decision   core.Decision
	custom     []string   // the values of the upstream's x-audit-event
	decided    bool       // the gate has seen the request
	replied    bool       // by us, in the upstream's place
	alone      bool       // the response is its headers alone
	gone       bool       // its context was, when sweep looked last
	ended      bool       // Done has run
	deadline   clock.Mono // while waiting for keys
	unverified bool       // while waiting: no key made its signature
}

const customHeader = "x-audit-event"

// maxFree bounds the ended streams that a plugin keeps for other requests, so that the memory of a
// burst is given back.
const maxFree = 1024

// reset forgets the request. Its memory serves another one, whose event must not tell of this one.
func (s *stream) reset() {
	s.decision.Reset()
	s.custom, s.decided, s.replied, s.alone, s.gone, s.deadline = nil, false, false, false, false, 0
}

// RequestHeaders implements proxy.Stream.
func (s *stream) RequestHeaders() (action proxy.Action) {
	defer s.survive("request headers", &action)
	p := s.plugin
	r, what, err := p.request()
	s.decided = true
	if err != nil {
		p.gate.Unseen(r, &s.decision)
		return s.fail(what, err)
	}
	p.gate.Decide(r, &s.decision)
	if s.decision.Verdict == core.Wait {
		if p.wait(s, r.Mono) {
			return proxy.Pause
		}
		p.gate.Resume(r, &s.decision)
	}
	return s.act()
}

// resume is the second half of RequestHeaders, when the keys are there or won't come.
func (s *stream) resume() {
	var action proxy.Action
	defer s.survive("a request that had waited", &action)
	r, what, err := s.plugin.request()
	if err != nil {
		s.fail(what, err)
		return
	}
	s.plugin.gate.Resume(r, &s.decision)
	if s.act() == proxy.Continue {
		if err := s.plugin.proxy.Resume(); err != nil {
			s.fail("going on with a held request", err)
		}
	}
}

// RequestBody implements proxy.Stream.
func (s *stream) RequestBody() proxy.Action {
	if s.decided && s.decision.Verdict == core.Admit {
		return proxy.Continue
	}
	return proxy.Pause
}

// RequestTrailers implements proxy.Stream: some servers read trailers as headers (RFC 9110 §6.5.1),
// so that they must neither name a caller nor bring a token.
func (s *stream) RequestTrailers() (action proxy.Action) {
	defer s.survive("request trailers", &action)
	p := s.plugin
	headers, err := p.headers(proxy.RequestTrailers)
	if err != nil {
		return s.fail("the request's trailers", err)
	}
	p.req.Headers = headers
	for i := range headers {
		if p.gate.BarsTrailer(headers[i].Name) {
			if err := p.proxy.RemoveHeader(proxy.RequestTrailers, headers[i].Name); err != nil {
				return s.fail("removing a trailer", err)
			}
		}
	}
	return s.RequestBody()
}

// act does what was decided.
func (s *stream) act() proxy.Action {
	d := &s.decision
	if d.Verdict != core.Admit {
		s.reply()
		return proxy.Pause
	}
	for _, name := range d.Remove {
		if err := s.plugin.proxy.RemoveHeader(proxy.RequestHeaders, name); err != nil {
			return s.fail("removing a request header", err)
		}
	}
	for i := range d.Set {
		if err := s.plugin.proxy.SetHeader(proxy.RequestHeaders, d.Set[i].Name, d.Set[i].Value); err != nil {
			return s.fail("setting a request header", err)
		}
	}
	s.plugin.gate.Opened(d, s.plugin.recordOpen)
	return proxy.Continue
}

// fail refuses the request, or replaces its response, because the proxy failed to do what the
// decision needs.
func (s *stream) fail(what string, err error) proxy.Action {
	p := s.plugin
	proxy.Log(p.proxy, proxy.Error, "a request is refused: "+what+": "+err.Error())
	p.gate.Fail(&s.decision)
	s.reply()
	return proxy.Pause
}

// reply answers in the upstream's place. A reply that fails is tried again as a bare 503; after
// that the request stays held until the proxy or the client gives it up.
func (s *stream) reply() {
	err := s.sendReply()
	if err != nil && s.decision.Reason != reason.Internal {
		s.plugin.gate.Fail(&s.decision)
		err = s.sendReply()
	}
	if err != nil {
		proxy.Log(s.plugin.proxy, proxy.Error, "a refused request gets no answer: "+err.Error())
	}
}

func (s *stream) sendReply() error {
	p, why := s.plugin, s.decision.Reason
	p.pairs = proxy.AppendPairs(p.pairs[:0], s.decision.Response)
	p.reply = proxy.Reply{
		Status: s.replyStatus(), Details: "gatehouse_" + why.String(), Headers: p.pairs, Body: s.decision.Body,
		GRPC: int32(why.GRPCStatus()),
	}
	if s.decision.Verdict == core.Answer {
		p.reply.Details = core.AnswerDetails
		p.reply.GRPC = proxy.NoGRPC
	}
	err := p.proxy.Reply(&p.reply)
	s.replied = err == nil
	return err
}

// replyStatus is the status of a reply. To a gRPC request the proxy says 200 instead.
func (s *stream) replyStatus() int {
	if s.decision.Verdict == core.Answer {
		return s.decision.Status
	}
	return s.decision.Reason.Status()
}

// ResponseHeaders implements proxy.Stream.
func (s *stream) ResponseHeaders(alone bool) (action proxy.Action) {
	defer s.survive("response headers", &action)
	s.alone = alone
	action = proxy.Continue
	if !s.replied {
		action = s.prepareResponse()
	}
	if s.plugin.unlogged && s.plugin.needs.Outcome {
		s.finishEarly()
	}
	return action
}

// prepareResponse takes the upstream's own events out of its response, and sets the gate's headers.
func (s *stream) prepareResponse() proxy.Action {
	px := s.plugin.proxy
	if err := s.takeCustom(proxy.ResponseHeaders); err != nil {
		return s.fail("taking x-audit-event out of the response", err)
	}
	if err := px.RemoveHeader(proxy.ResponseHeaders, core.EventIDHeader); err != nil {
		return s.fail("taking "+core.EventIDHeader+" out of the response", err)
	}
	if !s.decided {
		return proxy.Continue
	}
	for i := range s.decision.Response {
		h := &s.decision.Response[i]
		if err := px.SetHeader(proxy.ResponseHeaders, h.Name, h.Value); err != nil {
			proxy.Log(px, proxy.Error, "a response lacks "+h.Name+": "+err.Error())
		}
	}
	return proxy.Continue
}

// ResponseTrailers implements proxy.Stream: the upstream's own events may stand there too.
func (s *stream) ResponseTrailers() (action proxy.Action) {
	action = proxy.Pause
	defer s.survive("response trailers", &action)
	if s.replied {
		return proxy.Continue
	}
	if err := s.takeCustom(proxy.ResponseTrailers); err != nil {
		return s.fail("taking x-audit-event out of the trailers", err)
	}
	if s.at < 0 { // the event is written
		s.plugin.gate.Count(s.plugin.gate.Metrics().AuditDropped(), uint64(len(s.custom)))
	}
	return proxy.Continue
}

// takeCustom takes the upstream's own events out of a header map.
func (s *stream) takeCustom(from proxy.Map) error {
	p := s.plugin
	if p.needs.Outcome {
		switch _, err := p.proxy.Header(from, customHeader); {
		case proxy.Absent(err):
			return nil
		case err != nil:
			return err
		}
		if err := s.readCustom(from); err != nil {
			return err
		}
	}
	return p.proxy.RemoveHeader(from, customHeader)
}

// readCustom reads the upstream's own events. There may be several; to read one header gives the
// first only.
func (s *stream) readCustom(from proxy.Map) error {
	p := s.plugin
	headers, err := p.headers(from)
	if err != nil {
		return err
	}
	p.req.Headers = headers
	for i := range headers {
		if headers[i].Name == customHeader {
			s.custom = append(s.custom, strings.Clone(headers[i].Value))
		}
	}
	return nil
}

// survive recovers from a panic in the callback that defers it, and refuses the request; one that
// has been answered already stays so.
func (s *stream) survive(where string, action *proxy.Action) {
	r := recover()
	if r == nil {
		return
	}
	*action = proxy.Pause
	px := s.plugin.proxy
	defer proxy.Survive(px, "answering a panic")
	proxy.LogPanic(px, where, r)
	s.decided = true
	s.plugin.gate.Fail(&s.decision)
	s.reply()
}
