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

// copy returns the message with a body of its own.
func (m Message) copy() Message {
	m.Body = slices.Clone(m.Body)
	return m
}
