package hostsim

import (
	"slices"
	"strconv"

	"gatehouse/hostsim/abi"
)

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
		s.encodeHeaders(endStream)
	})
}

// ResponseBody lets a piece of the response's body arrive. endStream says that
// nothing follows it. data is not kept.
func (s *Stream) ResponseBody(data []byte, endStream bool) {
	s.thread.do(func() {
		if s.over || s.replied || !s.response.started || s.response.complete {
			return
		}
		s.response.complete = endStream
		if s.response.state == pausedAtHeaders {
			s.response.buffered = append(s.response.buffered, data...)
			return
		}
		s.encodeData(data, endStream)
	})
}

// ResponseTrailers lets the response's trailers arrive; nothing follows them.
func (s *Stream) ResponseTrailers(trailers []Header) {
	s.thread.do(func() {
		if s.over || s.replied || !s.response.started || s.response.complete {
			return
		}
		s.response.complete = true
		s.response.trailers = headersOf(trailers, nil)
		if s.response.state != pausedAtHeaders {
			s.encodeTrailers()
		}
	})
}

// seesResponse reports whether the filter takes part in the response: it must
// have seen the request.
func (s *Stream) seesResponse() bool {
	return s.context != nil && s.context.created && s.filtering()
}

func (s *Stream) encodeHeaders(endStream bool) {
	s.response.started, s.response.complete = true, endStream
	if s.seesResponse() {
		s.visible.responseHeaders, s.visible.endOfStream = s.response.headers, endStream
		if g := s.context.vm.guest.response.headers; g.exported() {
			action, ok := s.guestAction(g,
				uint64(s.context.id), uint64(s.response.headers.Len()), flag(endStream))
			if !ok {
				return
			}
			if pausesHeaders(action) {
				s.pause(&s.response, pausedAtHeaders)
				return
			}
		}
		s.visible.responseHeaders = nil
	}
	s.forwardResponseHeaders(endStream)
}

func (s *Stream) forwardResponseHeaders(endStream bool) {
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

func (s *Stream) encodeData(data []byte, endStream bool) {
	if !s.seesResponse() || !s.context.vm.guest.response.body.exported() {
		s.passResponseData(data, endStream)
		return
	}
	h := &s.response
	piece := data // the filter may look at it later: a pause makes it a copy
	s.visible.responseBody, s.visible.endOfStream = &piece, endStream
	if h.buffering {
		if s.overflows(h, data) {
			s.sendLocalReply(responseTooLarge)
			return
		}
		h.buffered = append(h.buffered, data...)
		piece = nil
		s.visible.responseBody = &h.buffered
	}
	action, ok := s.guestAction(s.context.vm.guest.response.body,
		uint64(s.context.id), uint64(len(*s.visible.responseBody)), flag(endStream))
	if !ok {
		return
	}
	h.buffering = false
	switch action {
	case abi.ActionContinue:
		s.visible.responseBody = nil
		s.passResponseData(piece, endStream)
	case abi.ActionPause, abi.ActionPauseWatermark:
		if s.overflows(h, piece) {
			s.sendLocalReply(responseTooLarge)
			return
		}
		h.buffering = action == abi.ActionPause
		h.buffered = append(h.buffered, piece...)
		if h.buffering {
			s.visible.responseBody = &h.buffered
		}
		piece = slices.Clone(piece)
		s.pause(h, pausedAtBody)
	default: // the filter keeps the piece to itself
		piece = slices.Clone(piece)
		s.pause(h, pausedAtBody)
	}
}

var responseTooLarge = LocalReply{Status: 500, Details: "response_payload_too_large",
	Body: []byte("Internal Server Error"), GRPCStatus: GRPCUnset}

func (s *Stream) passResponseData(data []byte, endStream bool) {
	h := &s.response
	if h.state == pausedAtBody {
		h.state = flowing
	}
	if len(h.buffered) > 0 {
		data = append(h.buffered, data...)
		h.buffered = nil
	}
	added := endStream && h.trailers != nil
	s.forwardResponseData(data, endStream && !added)
	if added {
		s.forwardResponseTrailers()
	}
}

func (s *Stream) forwardResponseData(data []byte, endStream bool) {
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

func (s *Stream) encodeTrailers() {
	if s.seesResponse() && s.context.vm.guest.response.trailers.exported() {
		s.visible.responseTrailers = s.response.trailers
		action, ok := s.guestAction(s.context.vm.guest.response.trailers,
			uint64(s.context.id), uint64(s.response.trailers.Len()))
		if !ok {
			return
		}
		if action != abi.ActionContinue {
			s.pause(&s.response, pausedAtBody)
			return
		}
		s.visible.responseTrailers = nil
	}
	h := &s.response
	h.state = flowing
	if len(h.buffered) > 0 {
		data := h.buffered
		h.buffered = nil
		s.forwardResponseData(data, false)
	}
	s.forwardResponseTrailers()
}

func (s *Stream) forwardResponseTrailers() {
	if s.over || s.response.ended {
		return
	}
	s.response.ended = true
	for _, sink := range s.sinks {
		sink.ResponseTrailers(s.response.trailers)
	}
	s.end(false)
}

// continueResponse resumes a paused response, as continueRequest does a
// request.
func (s *Stream) continueResponse() {
	h := &s.response
	if s.over || h.state == flowing {
		return
	}
	paused := h.state
	h.state = flowing
	endAtData := h.complete && h.trailers == nil
	data := h.buffered
	h.buffered = nil
	if paused == pausedAtHeaders {
		s.forwardResponseHeaders(endAtData && len(data) == 0)
		if len(data) > 0 {
			s.encodeData(data, endAtData)
		}
		if h.complete && h.trailers != nil {
			s.encodeTrailers()
		}
		return
	}
	h.buffering = false
	if len(data) > 0 || endAtData && !h.ended {
		s.forwardResponseData(data, endAtData)
	}
	if h.complete && h.trailers != nil {
		s.forwardResponseTrailers()
	}
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
