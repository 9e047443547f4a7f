package hostsim

import "strconv"

// ResponseHeaders lets the upstream's response headers, :status among them,
// arrive at the filter. endStream says that nothing follows them.
func (s *Stream) ResponseHeaders(headers []Header, endStream bool) {
	s.thread.do(func() {
		if s.over || s.response.started {
			return
		}
		s.response.headers = headersOf(headers, responseInline)
		s.info.setStatus(s.response.headers)
		s.info.upstreamSeen = true
		s.info.setDetails("via_upstream")
		s.response.showHeaders(endStream)
	})
}

// ResponseBody lets a piece of the response's body arrive. endStream says that
// nothing follows it. data is not kept.
func (s *Stream) ResponseBody(data []byte, endStream bool) {
	s.thread.do(func() {
		if s.response.expectsMore() {
			s.response.bodyArrives(data, endStream)
		}
	})
}

// ResponseTrailers lets the response's trailers arrive; nothing follows them.
func (s *Stream) ResponseTrailers(trailers []Header) {
	s.thread.do(func() {
		if s.response.expectsMore() {
			s.response.trailersArrive(trailers)
		}
	})
}

// responseWay is a response's way to the client.
type responseWay struct{ s *Stream }

// filtered is true only for a filter that has seen the request.
func (w responseWay) filtered() bool {
	c := w.s.context
	return c != nil && c.created && w.s.filtering()
}

func (w responseWay) closed() bool { return w.s.over }

func (w responseWay) callbacks() *messageFunctions { return &w.s.context.vm.guest.response }

func (responseWay) show(f func()) { f() }

func (responseWay) tooLarge() LocalReply {
	return LocalReply{Status: 500, Details: "response_payload_too_large",
		Body: []byte("Internal Server Error"), GRPCStatus: GRPCUnset}
}

func (w responseWay) forwardHeaders(endStream bool) {
	s := w.s
	if s.over || s.response.sent {
		return
	}
	s.info.setStatus(s.response.headers)
	s.response.sent, s.response.ended = true, endStream
	for _, sink := range s.sinks {
		sink.ResponseHeaders(s.response.headers, endStream)
	}
	if endStream {
		s.end(false)
	}
}

func (w responseWay) forwardData(data []byte, endStream bool) {
	s := w.s
	if s.over {
		return
	}
	s.info.responseSize += len(data)
	s.response.ended = endStream
	for _, sink := range s.sinks {
		sink.ResponseData(data, endStream)
	}
	if endStream {
		s.end(false)
	}
}

func (w responseWay) forwardTrailers() {
	s := w.s
	if s.over || s.response.ended {
		return
	}
	s.response.ended = true
	for _, sink := range s.sinks {
		sink.ResponseTrailers(s.response.trailers)
	}
	s.end(false)
}

// Reset ends the stream without a response, or with a part of one: the client
// went away, or the upstream did in mid-response. details becomes the response
// code details, for example "downstream_remote_disconnect".
func (s *Stream) Reset(details string) {
	s.thread.do(func() { s.reset(details) })
}

func (s *Stream) reset(details string) {
	if s.over {
		return
	}
	s.info.setDetails(details)
	s.end(true)
}

// end finishes the stream: the filter logs it and forgets it.
func (s *Stream) end(reset bool) {
	if s.over {
		return
	}
	s.over = true
	s.prepared = nil // there is nobody left to answer
	s.info.finish(s.host.clock.Monotonic())
	s.record.wasReset = reset
	if c := s.context; c != nil {
		if !c.vm.failed {
			c.create(c.root.id)
			s.logging = true
			c.onLog()
			s.logging = false
			c.onDone()
		}
		c.onDelete()
	}
	for _, sink := range s.sinks {
		sink.Over(reset)
	}
}

// setDetails notes the response code details, which may be empty.
func (i *streamInfo) setDetails(details string) { i.details, i.hasDetails = details, true }

// setStatus takes the response code from :status.
func (i *streamInfo) setStatus(h *Headers) {
	if code, err := strconv.Atoi(h.Get(":status")); err == nil {
		i.code = code
	}
}
