package hostsim

import "slices"

// Message is what passed the filter in one direction so far.
type Message struct {
	// Headers is nil if they have not passed.
	Headers *Headers
	Body    []byte
	// Trailers is nil if there are none, or not yet.
	Trailers *Headers
	// Ended says that the message is complete.
	Ended bool
}

// Status returns the value of :status, "" if the headers have not passed.
func (m Message) Status() string { return m.Headers.Get(":status") }

// recorder is the Sink of a stream that keeps everything.
type recorder struct {
	request, response Message
	wasReset          bool
}

func (r *recorder) RequestHeaders(h *Headers, endStream bool) {
	r.request.Headers, r.request.Ended = h.Clone(), endStream
}

func (r *recorder) RequestData(data []byte, endStream bool) {
	r.request.Body, r.request.Ended = append(r.request.Body, data...), endStream
}

func (r *recorder) RequestTrailers(h *Headers) {
	r.request.Trailers, r.request.Ended = h.Clone(), true
}

func (r *recorder) ResponseHeaders(h *Headers, endStream bool) {
	r.response.Headers, r.response.Ended = h.Clone(), endStream
}

func (r *recorder) ResponseData(data []byte, endStream bool) {
	r.response.Body, r.response.Ended = append(r.response.Body, data...), endStream
}

func (r *recorder) ResponseTrailers(h *Headers) {
	r.response.Trailers, r.response.Ended = h.Clone(), true
}

func (r *recorder) Over(bool) {}

// Upstream returns what the filter let through to the upstream so far. It is
// empty with Request.NoRecord.
func (s *Stream) Upstream() Message { return s.recorded(func() Message { return s.record.request }) }

// Downstream returns what the client got so far. It is empty with
// Request.NoRecord.
func (s *Stream) Downstream() Message {
	return s.recorded(func() Message { return s.record.response })
}

func (s *Stream) recorded(get func() Message) Message {
	s.thread.mu.Lock()
	defer s.thread.mu.Unlock()
	m := get()
	m.Body = slices.Clone(m.Body)
	return m
}

// State is where a stream stands.
type State struct {
	// RequestPaused and ResponsePaused say that the filter holds that half.
	RequestPaused, ResponsePaused bool
	// RequestBuffered and ResponseBuffered are how many bytes of a body the host
	// keeps meanwhile.
	RequestBuffered, ResponseBuffered int
	// Replied says that the response is a local reply.
	Replied bool
	// Over says that the stream has ended; Reset that it did without a whole
	// response.
	Over, Reset bool
	// Code is the response code, 0 while there is none, and Details are the
	// response code details.
	Code    int
	Details string
}

// State returns where the stream stands.
func (s *Stream) State() State {
	s.thread.mu.Lock()
	defer s.thread.mu.Unlock()
	return State{
		RequestPaused:    s.request.state != flowing,
		ResponsePaused:   s.response.state != flowing,
		RequestBuffered:  len(s.request.buffered),
		ResponseBuffered: len(s.response.buffered),
		Replied:          s.replied,
		Over:             s.over,
		Reset:            s.record.wasReset,
		Code:             s.info.code,
		Details:          s.info.details,
	}
}

// FilterState returns a filter state object of the stream, such as
// "wasm.gatehouse_audit" for what a filter set as the property gatehouse_audit.
// It can be read after the stream's end too.
func (s *Stream) FilterState(name string) ([]byte, bool) {
	s.thread.mu.Lock()
	defer s.thread.mu.Unlock()
	v, ok := s.info.filterState[name]
	return slices.Clone(v), ok
}

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
