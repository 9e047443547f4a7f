package hostsim

import (
	"slices"

	"gatehouse/hostsim/abi"
)

// RequestHeaders lets the request's headers arrive at the filter. endStream
// says that nothing follows them.
func (s *Stream) RequestHeaders(endStream bool) {
	s.thread.do(func() {
		if s.over || s.request.started {
			return
		}
		s.request.started, s.request.complete = true, endStream
		s.decode(func() { s.decodeHeaders(endStream) })
	})
}

// RequestBody lets a piece of the request's body arrive. endStream says that
// nothing follows it. data is not kept.
func (s *Stream) RequestBody(data []byte, endStream bool) {
	s.thread.do(func() {
		if s.answered() || !s.request.started || s.request.complete {
			return
		}
		s.request.complete = endStream
		s.info.requestSize += len(data)
		if s.request.state == pausedAtHeaders {
			s.request.buffered = append(s.request.buffered, data...)
			return
		}
		s.decode(func() { s.decodeData(data, endStream) })
	})
}

// RequestTrailers lets the request's trailers arrive; nothing follows them.
func (s *Stream) RequestTrailers(trailers []Header) {
	s.thread.do(func() {
		if s.answered() || !s.request.started || s.request.complete {
			return
		}
		s.request.complete = true
		s.request.trailers = headersOf(trailers, nil)
		if s.request.state != pausedAtHeaders {
			s.decode(s.decodeTrailers)
		}
	})
}

// decode runs f, which shows a part of the request to the filter. A local reply
// that is made meanwhile waits until f has returned, as in Envoy.
func (s *Stream) decode(f func()) {
	s.decoding = true
	f()
	s.decoding = false
	if reply := s.prepared; reply != nil {
		s.prepared = nil
		s.perform(*reply)
	}
}

// decodeHeaders shows the headers to the filter and passes them on if it
// continues.
func (s *Stream) decodeHeaders(endStream bool) {
	if s.filtering() {
		s.context.create(s.context.root.id)
	}
	if s.filtering() {
		s.visible.requestHeaders, s.visible.endOfStream = s.request.headers, endStream
		if g := s.context.vm.guest.request.headers; g.exported() {
			action, ok := s.guestAction(g,
				uint64(s.context.id), uint64(s.request.headers.Len()), flag(endStream))
			if pausesHeaders(action) {
				s.pause(&s.request, pausedAtHeaders)
				return
			}
			if !ok {
				return
			}
		}
		s.visible.requestHeaders = nil
	}
	s.forwardRequestHeaders(endStream)
}

// pausesHeaders reports whether a headers callback's result is a pause. Envoy
// reads 2 (continue and end the stream) as a plain continue.
func pausesHeaders(a abi.Action) bool { return a != abi.ActionContinue && a != 2 }

// pause notes that a filter paused a half. A request that is answered needs no
// pause, and a half that is paused at its headers stays so.
func (s *Stream) pause(h *half, state halfState) {
	if s.over || h == &s.request && s.answered() {
		return
	}
	if h.state == flowing {
		h.state = state
	}
}

func (s *Stream) forwardRequestHeaders(endStream bool) {
	if s.answered() {
		return
	}
	s.request.sent, s.request.ended = true, endStream
	for _, sink := range s.sinks {
		sink.RequestHeaders(s.request.headers, endStream)
	}
}

// decodeData shows a piece of the body to the filter and passes on what it lets
// go.
func (s *Stream) decodeData(data []byte, endStream bool) {
	if !s.filtering() || !s.context.vm.guest.request.body.exported() {
		s.passRequestData(data, endStream)
		return
	}
	h := &s.request
	piece := data // the filter may look at it later: a pause makes it a copy
	s.visible.requestBody, s.visible.endOfStream = &piece, endStream
	if h.buffering {
		if s.overflows(h, data) {
			s.sendLocalReply(requestTooLarge)
			return
		}
		h.buffered = append(h.buffered, data...)
		piece = nil
		s.visible.requestBody = &h.buffered
	}
	action, ok := s.guestAction(s.context.vm.guest.request.body,
		uint64(s.context.id), uint64(len(*s.visible.requestBody)), flag(endStream))
	if !ok {
		return
	}
	h.buffering = false
	switch action {
	case abi.ActionContinue:
		s.visible.requestBody = nil
		s.passRequestData(piece, endStream)
	case abi.ActionPause, abi.ActionPauseWatermark:
		if s.overflows(h, piece) {
			s.sendLocalReply(requestTooLarge)
			return
		}
		h.buffering = action == abi.ActionPause
		h.buffered = append(h.buffered, piece...)
		if h.buffering {
			s.visible.requestBody = &h.buffered
		}
		piece = slices.Clone(piece)
		s.pause(h, pausedAtBody)
	default: // the filter keeps the piece to itself
		piece = slices.Clone(piece)
		s.pause(h, pausedAtBody)
	}
}

var requestTooLarge = LocalReply{Status: 413, Details: "request_payload_too_large",
	Body: []byte("Payload Too Large"), GRPCStatus: GRPCUnset}

// overflows reports whether more bytes would go over the buffer limit.
func (s *Stream) overflows(h *half, more []byte) bool {
	return len(h.buffered)+len(more) > s.host.opts.BufferLimit
}

// passRequestData passes on what was kept and then data. The trailers that a
// filter added with the last piece follow.
func (s *Stream) passRequestData(data []byte, endStream bool) {
	h := &s.request
	if h.state == pausedAtBody {
		h.state = flowing
	}
	if len(h.buffered) > 0 {
		data = append(h.buffered, data...)
		h.buffered = nil
	}
	added := endStream && h.trailers != nil
	s.forwardRequestData(data, endStream && !added)
	if added {
		s.forwardRequestTrailers()
	}
}

func (s *Stream) forwardRequestData(data []byte, endStream bool) {
	if s.answered() {
		return
	}
	s.request.ended = endStream
	for _, sink := range s.sinks {
		sink.RequestData(data, endStream)
	}
}

// decodeTrailers shows the trailers to the filter; when it continues, all that
// was paused goes with them.
func (s *Stream) decodeTrailers() {
	if s.filtering() && s.context.vm.guest.request.trailers.exported() {
		s.visible.requestTrailers = s.request.trailers
		action, ok := s.guestAction(s.context.vm.guest.request.trailers,
			uint64(s.context.id), uint64(s.request.trailers.Len()))
		if !ok {
			return
		}
		if action != abi.ActionContinue {
			s.pause(&s.request, pausedAtBody)
			return
		}
		s.visible.requestTrailers = nil
	}
	h := &s.request
	h.state = flowing
	if len(h.buffered) > 0 {
		data := h.buffered
		h.buffered = nil
		s.forwardRequestData(data, false)
	}
	s.forwardRequestTrailers()
}

func (s *Stream) forwardRequestTrailers() {
	if s.answered() || s.request.ended {
		return
	}
	s.request.ended = true
	for _, sink := range s.sinks {
		sink.RequestTrailers(s.request.trailers)
	}
}

// continueRequest resumes a paused request. After a pause on the headers the
// filter gets to see what arrived since; after one on the body it does not.
func (s *Stream) continueRequest() {
	h := &s.request
	if s.answered() || h.state == flowing {
		return
	}
	paused := h.state
	h.state = flowing
	endAtData := h.complete && h.trailers == nil
	if paused == pausedAtHeaders {
		data := h.buffered
		h.buffered = nil
		s.forwardRequestHeaders(endAtData && len(data) == 0)
		s.decode(func() {
			if len(data) > 0 {
				s.decodeData(data, endAtData)
			}
			if h.complete && h.trailers != nil && s.prepared == nil {
				s.decodeTrailers()
			}
		})
		return
	}
	data := h.buffered
	h.buffered, h.buffering = nil, false
	if len(data) > 0 || endAtData && !h.ended {
		s.forwardRequestData(data, endAtData)
	}
	if h.complete && h.trailers != nil {
		s.forwardRequestTrailers()
	}
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
