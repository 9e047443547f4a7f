package plugin

import (
	"errors"
	"strconv"

	"gatehouse/core/clock"
	"gatehouse/filter/internal/proxy"
)

// maxSwept bounds the streams that one tick looks after, until one is found that has ended unseen.
const maxSwept = 64

const requestProtocol proxy.Path = "request\x00protocol"

// sweep finishes the streams that have ended without Done. So end all HTTP/3 streams in Envoy: it
// writes their access log when the client has acknowledged the answer, and has deleted the filters
// by then.
func (p *plugin) sweep(now clock.Mono) {
	n := len(p.streams)
	if !p.unlogged {
		n = min(n, maxSwept)
	}
	if n == 0 {
		return
	}
	for range n {
		if p.next >= len(p.streams) {
			p.next = 0
		}
		s := p.streams[p.next]
		gone := errors.Is(p.proxy.SetContext(s.id), proxy.BadArgument)
		if !gone || !s.gone { // a call may fail once, so that it is asked twice
			s.gone = gone
			p.next++
			continue
		}
		if !p.unlogged {
			p.unlogged = true
			proxy.Log(p.proxy, proxy.Error, "requests end without the proxy asking for their audit events, as with HTTP/3: "+
				"from now on those of HTTP/3 are written when the response begins")
		}
		s.finishUnseen(now)
	}
	if err := p.proxy.SetContext(p.id); err != nil {
		proxy.Log(p.proxy, proxy.Error, "a tick goes on in a stream's context: "+err.Error())
	}
}

// leave takes a stream that has ended out of those that are open, and of those that wait.
func (p *plugin) leave(s *stream) {
	last := len(p.streams) - 1
	p.streams[s.at] = p.streams[last]
	p.streams[s.at].at = s.at
	p.streams[last] = nil
	p.streams = p.streams[:last]
	s.at = -1
	p.forget(s)
}

// finishEarly records the events of an HTTP/3 stream when its response begins: later nobody asks
// for them.
func (s *stream) finishEarly() {
	p := s.plugin
	protocol, err := p.proxy.Property(requestProtocol)
	if err != nil || string(protocol) != "HTTP/3" || s.at < 0 || !s.decided {
		return
	}
	out := s.outcome(p.mono())
	if status, err := p.proxy.Header(proxy.ResponseHeaders, ":status"); err == nil {
		out.Status, _ = strconv.Atoi(status)
	}
	out.Details = p.details()
	p.leave(s)
	s.custom = nil
	s.write(&out)
}

// finishUnseen records the events of a stream whose context is gone. What the client got is
// unknown, but for a refusal. For the access log its lines wait for another stream.
func (s *stream) finishUnseen(now clock.Mono) {
	p := s.plugin
	p.leave(s)
	if !s.decided {
		return
	}
	out := s.outcome(now)
	if s.replied {
		out.Status = s.replyStatus()
		if s.decision.GRPC() {
			out.Status = 200
		}
	}
	p.lines, p.events = p.lines[:0], 0
	s.writeLines(&out)
	p.keepTold()
}
