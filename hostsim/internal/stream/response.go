package stream

import "gatehouse/hostsim/internal/fields"

// ResponseHeaders lets the upstream's response headers, :status among them,
// arrive at the filter. endStream says that nothing follows them.
func (s *Stream) ResponseHeaders(headers []fields.Header, endStream bool) {
	if s.over || s.response.started {
		return
	}
	s.response.headers = fields.New(headers, fields.ResponseInline)
	s.setStatus(s.response.headers)
	s.upstreamSeen = true
	s.setDetails("via_upstream")
	s.response.showHeaders(endStream)
}

// ResponseBody lets a piece of the response's body arrive. endStream says that
// nothing follows it. data is not kept.
func (s *Stream) ResponseBody(data []byte, endStream bool) {
	if s.response.expectsMore() {
		s.response.bodyArrives(data, endStream)
	}
}

// ResponseTrailers lets the response's trailers arrive; nothing follows them.
func (s *Stream) ResponseTrailers(trailers []fields.Header) {
	if s.response.expectsMore() {
		s.response.trailersArrive(trailers)
	}
}

// responseSide is the side of responses, which go to the client.
type responseSide struct{ s *Stream }

// filtered is true only for a filter that has seen the request.
func (r responseSide) filtered() bool {
	f := r.s.Filter
	return f != nil && f.Created() && r.s.filtering()
}

func (r responseSide) closed() bool { return r.s.over }

func (responseSide) headersPart() Part { return ResponseHeaders }

func (responseSide) show(f func()) { f() }

func (responseSide) tooLarge() LocalReply {
	return LocalReply{Status: 500, Details: "response_payload_too_large",
		Body: []byte("Internal Server Error"), GRPCStatus: GRPCUnset}
}

func (r responseSide) forwardHeaders(endStream bool) {
	s := r.s
	if s.over || s.response.sent {
		return
	}
	s.setStatus(s.response.headers)
	s.response.sent, s.response.ended = true, endStream
	for _, sink := range s.Sinks {
		sink.ResponseHeaders(s.response.headers, endStream)
	}
	if endStream {
		s.end(false)
	}
}

func (r responseSide) forwardData(data []byte, endStream bool) {
	s := r.s
	if s.over {
		return
	}
	s.responseSize += len(data)
	s.response.ended = endStream
	for _, sink := range s.Sinks {
		sink.ResponseData(data, endStream)
	}
	if endStream {
		s.end(false)
	}
}

func (r responseSide) forwardTrailers() {
	s := r.s
	if s.over || s.response.ended {
		return
	}
	s.response.ended = true
	for _, sink := range s.Sinks {
		sink.ResponseTrailers(s.response.trailers)
	}
	s.end(false)
}
