package plugin

import (
	"encoding/binary"

	"gatehouse/core"
	"gatehouse/core/reason"
	"gatehouse/filter/internal/proxy"
)

const (
	responseCode proxy.Path = "response\x00code"
	codeDetails  proxy.Path = "response\x00code_details"
	auditState   proxy.Path = "gatehouse_audit"
)

// Done implements proxy.Stream. What can't be read at this point is unknown in the event.
func (s *stream) Done() {
	var ignored proxy.Action
	p := s.plugin
	defer s.survive("stream done", &ignored)
	p.forget(s)
	if !s.decided { // another filter was faster
		r, _, _ := p.request()
		p.gate.Unseen(r, &s.decision)
	}
	out := core.Outcome{Mono: p.mono(), Custom: s.custom}
	if code, err := p.proxy.Property(responseCode); err == nil && len(code) == 8 {
		out.Status = int(binary.LittleEndian.Uint64(code))
	}
	// A code of 200 says nothing yet: another filter's refusal of a gRPC request has it too.
	if details, err := p.proxy.Property(codeDetails); err == nil {
		out.Details = string(details)
	}
	p.lines, p.events = p.lines[:0], 0
	p.refused = s.decision.Reason != reason.None || s.decision.WouldBe != reason.None
	p.gate.Finish(&s.decision, out, p.record)
	p.keepState()
	p.free = append(p.free, s)
}

// keepState leaves the stream's audit lines to the access log.
func (p *plugin) keepState() {
	if p.events > 0 && p.cfg.Audit.AccessLog {
		if err := p.proxy.SetProperty(auditState, p.lines); err != nil {
			p.dropped("the filter state", p.events, err)
		}
	}
}

// record takes an audit line: to the log, and with the stream's others to its filter state.
func (p *plugin) record(line []byte) {
	if p.refused {
		p.refused = false // what follows are the upstream's own events
		p.feed.Refused(line)
	}
	if p.log >= proxy.Trace {
		if err := p.proxy.Log(p.log, line); err != nil {
			p.dropped("the log", 1, err)
		}
	}
	if p.cfg.Audit.AccessLog {
		if p.events > 0 {
			p.lines = append(p.lines, '\n')
		}
		p.lines = append(p.lines, line...)
		p.events++
	}
}

// dropped counts events that one of their destinations didn't take.
func (p *plugin) dropped(where string, events int, err error) {
	p.gate.Count(p.gate.Metrics().AuditDropped(), uint64(events))
	proxy.Log(p.proxy, proxy.Error, "audit events are lost: "+where+": "+err.Error())
}
