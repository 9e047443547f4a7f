package hostsim

// RoundTrip drives a whole request through a new stream, and the answer of
// upstream back. upstream is not called if the filter answers, pauses the
// request for good, or the stream ends otherwise; a nil result is an upstream
// that can't be reached, for which the host answers 503. The returned stream
// tells what became of it; it may still be paused.
func (h *Host) RoundTrip(worker int, req Request, upstream func(Message) *Message) *Stream {
	s := h.Stream(worker, req)
	s.RequestHeaders(len(req.Body) == 0 && req.Trailers == nil)
	if len(req.Body) > 0 {
		s.RequestBody(req.Body, req.Trailers == nil)
	}
	if req.Trailers != nil {
		s.RequestTrailers(req.Trailers)
	}
	if sent := s.Upstream(); sent.Ended && !s.State().Over {
		s.Respond(upstream(sent))
	}
	return s
}

// Respond lets a whole response arrive; nil is an upstream that can't be
// reached.
func (s *Stream) Respond(m *Message) {
	if m == nil {
		s.LocalReply(LocalReply{
			Status:     503,
			Details:    "upstream_reset_before_response_started{connection_termination}",
			Body:       []byte("upstream connect error or disconnect/reset before headers. reset reason: connection termination"),
			GRPCStatus: GRPCUnset,
		})
		return
	}
	s.ResponseHeaders(m.Headers.All(), len(m.Body) == 0 && m.Trailers == nil)
	if len(m.Body) > 0 {
		s.ResponseBody(m.Body, m.Trailers == nil)
	}
	if m.Trailers != nil {
		s.ResponseTrailers(m.Trailers.All())
	}
}
