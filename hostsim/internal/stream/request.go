package stream

import "gatehouse/hostsim/internal/fields"

// RequestHeaders lets the request's headers arrive at the filter. endStream
// says that nothing follows them.
func (s *Stream) RequestHeaders(endStream bool) {
	if s.over || s.request.started {
		return
	}
	s.request.show(func() {
		if s.filtering() {
			s.Filter.Create()
		}
		if !s.over { // the filter may close the stream as soon as it knows of it
			s.request.showHeaders(endStream)
		}
	})
}

// RequestBody lets a piece of the request's body arrive. endStream says that
// nothing follows it. data is not kept.
func (s *Stream) RequestBody(data []byte, endStream bool) {
	if s.request.expectsMore() {
		s.requestSize += len(data)
		s.request.bodyArrives(data, endStream)
	}
}

// RequestTrailers lets the request's trailers arrive; nothing follows them.
func (s *Stream) RequestTrailers(trailers []fields.Header) {
	if s.request.expectsMore() {
		s.request.trailersArrive(trailers)
	}
}

// requestSide is the side of requests, which go to the upstream.
type requestSide struct{ s *Stream }

func (r requestSide) filtered() bool { return r.s.filtering() }

func (r requestSide) closed() bool { return r.s.answered() }

func (requestSide) headersPart() Part { return RequestHeaders }

// show makes a local reply that is made meanwhile wait until f has returned, as
// in Envoy.
func (r requestSide) show(f func()) {
	s := r.s
	s.decoding = true
	f()
	s.decoding = false
	if reply := s.prepared; reply != nil {
		s.prepared = nil
		s.perform(*reply)
	}
}

func (requestSide) tooLarge() LocalReply {
	return LocalReply{Status: 413, Details: "request_payload_too_large",
		Body: []byte("Payload Too Large"), GRPCStatus: GRPCUnset}
}

func (r requestSide) forwardHeaders(endStream bool) {
	s := r.s
	if s.answered() {
		return
	}
	s.request.sent, s.request.ended = true, endStream
	for _, sink := range s.Sinks {
		sink.RequestHeaders(s.request.headers, endStream)
	}
}

func (r requestSide) forwardData(data []byte, endStream bool) {
	s := r.s
	if s.answered() {
		return
	}
	s.request.ended = endStream
	for _, sink := range s.Sinks {
		sink.RequestData(data, endStream)
	}
}

func (r requestSide) forwardTrailers() {
	s := r.s
	if s.answered() || s.request.ended {
		return
	}
	s.request.ended = true
	for _, sink := range s.Sinks {
		sink.RequestTrailers(s.request.trailers)
	}
}
