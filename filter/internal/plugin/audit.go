package plugin

import (
	"encoding/binary"

	"gatehouse/core"
	"gatehouse/core/audit"
	"gatehouse/core/clock"
	"gatehouse/core/reason"
	"gatehouse/filter/internal/proxy"
)

const (
	responseCode proxy.Path = "response\x00code"
	codeDetails  proxy.Path = "response\x00code_details"
	grpcStatus   proxy.Path = "response\x00grpc_status"
)

// Done implements proxy.Stream. What can't be read at this point is unknown in the event.
func (s *stream) Done() {
	var ignored proxy.Action
	p := s.plugin
	defer s.survive("stream done", &ignored)
	if s.ended {
		return
	}
	s.ended = true
	if s.at >= 0 { // else sweep was faster
		p.leave(s)
		if p.needs.Outcome {
			s.record()
		}
	}
	if len(p.free) < maxFree {
		s.reset()
		p.free = append(p.free, s)
	}
}

// record records the stream's events, if the gate judged it or has to tell of it.
func (s *stream) record() {
	p := s.plugin
	out := s.outcome(p.mono())
	out.Details = p.details() // a code of 200 says nothing yet: another filter's refusal of a gRPC request has it too
	if s.decided || s.refusedBefore(out.Details) {
		s.finish(&out)
	}
}

// outcome is the end of the stream, as far as the stream itself knows it.
func (s *stream) outcome(now clock.Mono) core.Outcome {
	return core.Outcome{Mono: now, HeadersAlone: s.alone, Custom: s.custom}
}

// details are the proxy's response code details; "" if they can't be read.
func (p *plugin) details() string {
	details, err := p.proxy.Property(codeDetails)
	if err != nil {
		return ""
	}
	return proxy.Text(details)
}

// refusedBefore reports whether jwt_authn refused the request before this gate saw it. What any
// other filter answered is not the gate's to tell: behind another gate its event would take the
// place of that one's.
func (s *stream) refusedBefore(details string) bool {
	if !audit.RefusedByJWT(details) {
		return false
	}
	r, _, _ := s.plugin.request()
	s.plugin.gate.Unseen(r, &s.decision)
	return true
}

// finish records the stream's events.
func (s *stream) finish(out *core.Outcome) {
	p := s.plugin
	if code, err := p.proxy.Property(responseCode); err == nil && len(code) == 8 {
		out.Status = int(binary.LittleEndian.Uint64(code))
	}
	if s.decision.GRPC() {
		if status, err := p.proxy.Property(grpcStatus); err == nil && len(status) == 8 {
			code := int(binary.LittleEndian.Uint64(status))
			out.GRPC = &code
		}
	}
	s.write(out)
}

// write writes the stream's events, to its filter state among others.
func (s *stream) write(out *core.Outcome) {
	p := s.plugin
	p.beginLines()
	s.writeLines(out)
	p.keepState()
}

func (s *stream) writeLines(out *core.Outcome) {
	p := s.plugin
	p.refused = s.decision.Reason != reason.None || s.decision.WouldBe != reason.None
	p.gate.Finish(&s.decision, *out, p.record)
}

// keepState leaves the stream's audit lines to the access log.
func (p *plugin) keepState() {
	if p.events > 0 && p.state != "" {
		if err := p.proxy.SetProperty(p.state, p.lines); err != nil {
			p.dropped("the filter state", p.events, err)
		}
	}
}

// record takes an audit line: to the log, to the receiver's queue, and with the stream's others to
// its filter state.
func (p *plugin) record(line []byte) {
	if p.refused {
		p.refused = false // what follows are the upstream's own events
		p.feed.Refused(line)
	}
	p.recordOpen(line)
	if p.state != "" {
		if p.events > 0 {
			p.lines = append(p.lines, '\n')
		}
		p.lines = append(p.lines, line...)
		p.events++
	}
}

// recordOpen takes an audit line of a request that has not ended: to the log and to the receiver's
// queue.
func (p *plugin) recordOpen(line []byte) {
	if p.log >= proxy.Trace {
		if err := p.proxy.Log(p.log, line); err != nil {
			p.dropped("the log", 1, err)
		}
	}
	if p.sink != nil {
		p.sink.Append(line)
	}
}

// dropped counts events that one of their destinations didn't take.
func (p *plugin) dropped(where string, events int, err error) {
	p.gate.Count(p.gate.Metrics().AuditDropped(), uint64(events))
	proxy.Log(p.proxy, proxy.Error, "audit events are lost: "+where+": "+err.Error())
}
