package plugin

import (
	"errors"

	"gatehouse/core"
	coremetrics "gatehouse/core/metrics"
	"gatehouse/filter/internal/admin"
	"gatehouse/filter/internal/proxy"
)

const destinationAddress proxy.Path = "destination\x00address"

// Value implements admin.Proxy.
func (p *plugin) Value(kind coremetrics.Kind, name string) (value uint64, ok bool) {
	value, err := p.metrics.value(kind, name)
	return value, err == nil
}

// Ready implements admin.Proxy.
func (p *plugin) Ready(provider int) bool { return p.keys.Keys(provider) != nil }

// adminStream is one request to the admin API. None ever goes on to an upstream.
type adminStream struct {
	plugin   *plugin
	response admin.Response
	replied  bool
}

// RequestHeaders implements proxy.Stream.
func (s *adminStream) RequestHeaders() proxy.Action {
	defer s.survive("an admin request")
	p := s.plugin
	r, what, err := p.request()
	destination, destErr := p.proxy.Property(destinationAddress)
	if err == nil && destErr != nil && !errors.Is(destErr, proxy.NotFound) {
		what, err = "the address that the client connected to", destErr
	}
	if err != nil {
		proxy.Log(p.proxy, proxy.Error, "an admin request fails: "+what+": "+err.Error())
		s.response = admin.Unavailable()
	} else {
		s.response = p.admin.Serve(&admin.Request{
			Method: r.Method, Path: r.Path, Destination: string(destination), Headers: r.Headers, Mono: r.Mono,
		})
	}
	s.reply()
	return proxy.Pause
}

func (s *adminStream) reply() {
	p := s.plugin
	p.pairs = proxy.AppendPairs(p.pairs[:0], s.response.Headers)
	p.reply = proxy.Reply{
		Status: s.response.Status, Details: "gatehouse_admin", Headers: p.pairs, Body: string(s.response.Body), GRPC: proxy.NoGRPC,
	}
	if err := p.proxy.Reply(&p.reply); err != nil {
		proxy.Log(p.proxy, proxy.Error, "an admin request gets no answer: "+err.Error())
		return
	}
	s.replied = true
}

// RequestBody implements proxy.Stream.
func (*adminStream) RequestBody() proxy.Action { return proxy.Pause }

// RequestTrailers implements proxy.Stream.
func (*adminStream) RequestTrailers() proxy.Action { return proxy.Pause }

// ResponseHeaders implements proxy.Stream.
func (*adminStream) ResponseHeaders(bool) proxy.Action { return proxy.Continue }

// ResponseTrailers implements proxy.Stream.
func (*adminStream) ResponseTrailers() proxy.Action { return proxy.Continue }

// Done implements proxy.Stream: changes are audited.
func (s *adminStream) Done() {
	p := s.plugin
	defer proxy.Survive(p.proxy, "the end of an admin request")
	if !s.response.Write {
		return
	}
	r, _, _ := p.request() // what can't be read is unknown in the event
	var d core.Decision
	p.lines, p.events, p.refused = p.lines[:0], 0, false
	p.gate.AdminAction(r, &d, s.response.Status, p.record)
	p.keepState()
}

// survive recovers from a panic, and answers if nothing has been answered yet.
func (s *adminStream) survive(where string) {
	r := recover()
	if r == nil {
		return
	}
	px := s.plugin.proxy
	defer proxy.Survive(px, "answering a panic")
	proxy.LogPanic(px, where, r)
	if !s.replied {
		s.response = admin.Unavailable()
		s.reply()
	}
}
