//go:build wasip1

package plugin

import (
	"strings"

	"gatehouse/core"
	"gatehouse/filter/internal/host"
)

// stream is one HTTP stream. Streams are reused: one is free again when its Done has run.
type stream struct {
	plugin   *plugin
	id       uint32
	decision core.Decision
	custom   []string // the values of the upstream's x-audit-event
	decided  bool     // the gate has seen the request
	replied  bool     // by us, in the upstream's stead
	deadline int64    // while waiting for keys, monotonic
}

var (
	sourceAddress = host.NewPath("source", "address")
	responseCode  = host.NewPath("response", "code")
	codeDetails   = host.NewPath("response", "code_details")
	auditState    = host.NewPath("gatehouse_audit")
)

const customHeader = "x-audit-event"

func (s *stream) reset(id uint32) {
	s.decision.Reset() // should this stream fail before it is decided, its event must not tell of the one before
	s.id, s.custom, s.decided, s.replied, s.deadline = id, nil, false, false, 0
}

// request reads the stream's request. It is valid until the next one is read.
func (s *stream) request() *core.Request {
	r := &s.plugin.req
	*r = core.Request{Headers: host.Headers(host.RequestHeaders, r.Headers[:0]), Wall: host.Now(), Mono: host.Monotonic()}
	for i := range r.Headers {
		switch h := &r.Headers[i]; h.Name {
		case ":method":
			r.Method = h.Value
		case ":path":
			r.Path = h.Value
		case ":authority":
			r.Host = h.Value
		}
	}
	if source, status := host.Property(sourceAddress); status == host.OK {
		r.Source = string(source)
	}
	if len(s.plugin.foreign) > 0 {
		r.Foreign = s.plugin.foreignFor
	}
	return r
}

// RequestHeaders implements host.Stream.
func (s *stream) RequestHeaders() bool {
	s.decided = true
	r := s.request()
	s.plugin.gate.Decide(r, &s.decision)
	if s.decision.Verdict == core.Wait {
		if s.plugin.hold(s, r.Mono) {
			return false
		}
		s.plugin.gate.Resume(r, &s.decision)
	}
	return s.act()
}

// Goes implements host.Stream.
func (s *stream) Goes() bool { return s.decided && s.decision.Verdict == core.Admit }

// RequestTrailers implements host.Stream: some servers read trailers as headers (RFC 9110 §6.5.1), so that they must not name a
// caller either.
func (s *stream) RequestTrailers() {
	r := &s.plugin.req
	r.Headers = host.Headers(host.RequestTrailers, r.Headers[:0])
	for i := range r.Headers {
		if s.plugin.gate.Reserved(r.Headers[i].Name) {
			host.RemoveHeader(host.RequestTrailers, r.Headers[i].Name)
		}
	}
}

// act does what was decided; true lets the request go on.
func (s *stream) act() bool {
	d := &s.decision
	if d.Verdict != core.Admit {
		s.reply()
		return false
	}
	for _, name := range d.Remove {
		host.RemoveHeader(host.RequestHeaders, name)
	}
	for i := range d.Set {
		host.SetHeader(host.RequestHeaders, d.Set[i].Name, d.Set[i].Value)
	}
	return true
}

func (s *stream) reply() {
	why := s.decision.Reason
	s.replied = true
	host.LocalReply(why.Status(), "gatehouse_"+why.String(), s.decision.Response, why.Body(), int32(why.GRPCStatus()))
}

// ResponseHeaders implements host.Stream.
func (s *stream) ResponseHeaders() {
	if s.replied {
		return
	}
	if _, ok := host.Header(host.ResponseHeaders, customHeader); ok {
		s.takeCustom()
	}
	if !s.decided {
		return
	}
	for i := range s.decision.Response {
		h := &s.decision.Response[i]
		host.SetHeader(host.ResponseHeaders, h.Name, h.Value)
	}
}

// takeCustom takes the upstream's own events out of the response. There may be several; reading one header gives the first only.
func (s *stream) takeCustom() {
	r := &s.plugin.req
	r.Headers = host.Headers(host.ResponseHeaders, r.Headers[:0])
	for i := range r.Headers {
		if h := &r.Headers[i]; h.Name == customHeader {
			s.custom = append(s.custom, strings.Clone(h.Value))
		}
	}
	host.RemoveHeader(host.ResponseHeaders, customHeader)
}

// Done implements host.Stream.
func (s *stream) Done() {
	p := s.plugin
	p.forget(s)
	if !s.decided { // another filter was faster
		p.gate.Unseen(s.request(), &s.decision)
	}
	out := core.Outcome{Mono: host.Monotonic(), Custom: s.custom}
	if code, ok := host.PropertyUint(responseCode); ok {
		out.Status = int(code)
	}
	// A code of 200 says nothing yet: another filter's refusal of a gRPC request has it too.
	if details, status := host.Property(codeDetails); status == host.OK {
		out.Details = string(details)
	}
	p.lines = p.lines[:0]
	p.gate.Finish(&s.decision, out, p.record)
	if p.cfg.Audit.AccessLog && len(p.lines) > 0 {
		host.SetProperty(auditState, p.lines)
	}
	p.free = append(p.free, s)
}

// record takes an audit line: to the log, and with the stream's others to its filter state.
func (p *plugin) record(line []byte) {
	if p.log >= 0 {
		host.LogBytes(p.log, line)
	}
	if p.cfg.Audit.AccessLog {
		if len(p.lines) > 0 {
			p.lines = append(p.lines, '\n')
		}
		p.lines = append(p.lines, line...)
	}
}

// Panicked implements host.Stream. The request is refused; one that has been answered already stays so.
func (s *stream) Panicked() {
	s.decided = true
	s.plugin.gate.Fail(&s.decision)
	s.reply()
}
