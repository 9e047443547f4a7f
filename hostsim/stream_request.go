package hostsim

// RequestHeaders lets the request's headers arrive at the filter. endStream
// says that nothing follows them.
func (s *Stream) RequestHeaders(endStream bool) {
	s.thread.do(func() {
		if s.over || s.request.started {
			return
		}
		s.request.show(func() {
			if s.filtering() {
				s.context.create(s.context.root.id)
			}
			if !s.over { // the guest may close the stream as soon as it knows of it
				s.request.showHeaders(endStream)
			}
		})
	})
}

// RequestBody lets a piece of the request's body arrive. endStream says that
// nothing follows it. data is not kept.
func (s *Stream) RequestBody(data []byte, endStream bool) {
	s.thread.do(func() {
		if s.request.expectsMore() {
			s.info.requestSize += len(data)
			s.request.bodyArrives(data, endStream)
		}
	})
}

// RequestTrailers lets the request's trailers arrive; nothing follows them.
func (s *Stream) RequestTrailers(trailers []Header) {
	s.thread.do(func() {
		if s.request.expectsMore() {
			s.request.trailersArrive(trailers)
		}
	})
}

// requestWay is a request's way to the upstream.
type requestWay struct{ s *Stream }

func (w requestWay) filtered() bool { return w.s.filtering() }

func (w requestWay) closed() bool { return w.s.answered() }

func (w requestWay) callbacks() *messageFunctions { return &w.s.context.vm.guest.request }

// show makes a local reply that is made meanwhile wait until f has returned, as
// in Envoy.
func (w requestWay) show(f func()) {
	s := w.s
	s.decoding = true
	f()
	s.decoding = false
	if reply := s.prepared; reply != nil {
		s.prepared = nil
		s.perform(*reply)
	}
}

func (requestWay) tooLarge() LocalReply {
	return LocalReply{Status: 413, Details: "request_payload_too_large",
		Body: []byte("Payload Too Large"), GRPCStatus: GRPCUnset}
}

func (w requestWay) forwardHeaders(endStream bool) {
	s := w.s
	if s.answered() {
		return
	}
	s.request.sent, s.request.ended = true, endStream
	for _, sink := range s.sinks {
		sink.RequestHeaders(s.request.headers, endStream)
	}
}

func (w requestWay) forwardData(data []byte, endStream bool) {
	s := w.s
	if s.answered() {
		return
	}
	s.request.ended = endStream
	for _, sink := range s.sinks {
		sink.RequestData(data, endStream)
	}
}

func (w requestWay) forwardTrailers() {
	s := w.s
	if s.answered() || s.request.ended {
		return
	}
	s.request.ended = true
	for _, sink := range s.sinks {
		sink.RequestTrailers(s.request.trailers)
	}
}
