// Package stream takes a request and its response past a filter, as Envoy's filter chain does. It
// knows the filter only as an interface. What enters a stream must hold its thread's lock.
package stream

import (
	"time"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/clock"
	"gatehouse/hostsim/internal/fields"
)

// Headers are fields.Headers.
type Headers = fields.Headers

// Config describes a stream.
type Config struct {
	// Filter is nil if nothing filters the stream.
	Filter Filter
	// Refuse says that the stream has no filter although it must have one.
	Refuse bool
	Info   Info
	// Headers are the request's.
	Headers *Headers
	// BufferLimit is how many bytes of a body a filter may have buffered.
	BufferLimit int
	Clock       clock.Clock
	Sinks       []Sink
}

// Stream is one request and its response on their way past a filter. Calls that make no sense any
// more, such as more body of a stream that was reset, do nothing.
type Stream struct {
	Config
	progress
	request  direction
	response direction

	// endOfStream says that the part that the filter saw last ends its message.
	endOfStream bool
	// logging is true during the filter's Log.
	logging bool
	// failureReplied is set once the host has answered for a failed VM. From then on the filter
	// sees nothing of the stream.
	failureReplied bool
	// replied is set once a local reply was made.
	replied bool
	// decoding is true while the filter is shown a part of the request. prepared is the reply that
	// was made then.
	decoding bool
	prepared *LocalReply
	// over is set at the end, reset if that comes without a whole response.
	over, reset bool
}

// New returns a stream whose request has not arrived yet.
func New(c Config) *Stream {
	s := &Stream{Config: c}
	s.request.stream, s.request.side = s, requestSide{s}
	s.response.stream, s.response.side = s, responseSide{s}
	s.request.headers = c.Headers
	s.filterState = map[string][]byte{}
	s.start = c.Clock.Monotonic()
	return s
}

// State is where a stream stands.
type State struct {
	RequestPaused, ResponsePaused     bool
	RequestBuffered, ResponseBuffered int // bytes
	Replied                           bool
	Over, Reset                       bool
	Code                              int
	Details                           string
	// Duration is 0 before the end.
	Duration time.Duration
}

// State returns where the stream stands.
func (s *Stream) State() State {
	return State{
		RequestPaused:    s.request.state != flowing,
		ResponsePaused:   s.response.state != flowing,
		RequestBuffered:  len(s.request.buffered),
		ResponseBuffered: len(s.response.buffered),
		Replied:          s.replied,
		Over:             s.over,
		Reset:            s.reset,
		Code:             s.code,
		Details:          s.details,
		Duration:         s.duration,
	}
}

// FilterState returns a filter state object.
func (s *Stream) FilterState(name string) ([]byte, bool) {
	v, ok := s.filterState[name]
	return v, ok
}

// SetFilterState stores a copy of value as a filter state object.
func (s *Stream) SetFilterState(name string, value []byte) {
	s.filterState[name] = append([]byte(nil), value...)
}

// answered reports whether nothing of the request may go on to the upstream.
func (s *Stream) answered() bool { return s.over || s.replied || s.prepared != nil }

// filtering reports whether the filter still sees the stream. If it should but can't, the stream is
// answered with 503.
func (s *Stream) filtering() bool {
	if s.Filter == nil && !s.Refuse || s.failureReplied {
		return false
	}
	if s.Refuse || s.Filter.Failed() {
		s.failStream()
		return false
	}
	return true
}

// failStream answers 503 for a VM that has failed.
func (s *Stream) failStream() {
	s.failureReplied = true
	s.LocalReply(LocalReply{Status: 503, Details: "wasm_fail_stream", GRPCStatus: GRPCUnavailable})
}

// show shows a part to the filter. ok is false if nothing more is to be done with that part.
func (s *Stream) show(p Part, size int, endStream bool) (action abi.Action, ok bool) {
	action, ok = s.Filter.Show(p, size, endStream)
	if !ok && !s.failureReplied {
		s.failStream()
	}
	s.Filter.Finish()
	return action, ok && s.wanted()
}

// wanted reports whether the part that a callback was about is still wanted.
func (s *Stream) wanted() bool { return !s.over && s.prepared == nil }

// Reset ends the stream without a response, or with a part of one.
func (s *Stream) Reset(details string) {
	if s.over {
		return
	}
	s.setDetails(details)
	s.end(true)
}

// Close is the filter's own Reset; details that were set before stay.
func (s *Stream) Close() { s.Reset(s.details) }

// PrepareClose sets the details of a stream that is about to be closed by its filter.
func (s *Stream) PrepareClose() {
	if !s.hasDetails {
		s.setDetails("wasm_close_stream")
	}
}

// end finishes the stream: the filter logs it and forgets it.
func (s *Stream) end(reset bool) {
	if s.over {
		return
	}
	s.over, s.reset = true, reset
	s.prepared = nil // the client has no use for it any more
	s.finish(s.Clock.Monotonic())
	if f := s.Filter; f != nil {
		if !f.Failed() {
			f.Create()
			s.logging = true
			f.Log()
			s.logging = false
			f.Done()
		}
		f.Delete()
	}
	for _, sink := range s.Sinks {
		sink.Over(reset)
	}
}
