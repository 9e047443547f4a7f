package proxy

import (
	"io"
	"sync"

	"gatehouse/hostsim"
)

// bufferBytes is how much of a body may wait for its reader before its source
// is asked to wait.
const bufferBytes = 1 << 20

// part is a piece of a message that passed the filter: headers, data or
// trailers.
type part struct {
	headers, trailers *hostsim.Headers
	data              []byte
	end               bool
}

// flow is one direction's parts on their way from the filter to whoever sends
// them on. It is guarded by its exchange.
type flow struct {
	parts []part
	size  int
	// begun is set when the headers come, ended with the last part.
	begun, ended bool
}

// exchange is the hostsim.Sink of a stream: it keeps what passes the filter for
// the goroutines that send it on.
type exchange struct {
	mu       sync.Mutex
	changed  *sync.Cond
	request  flow
	response flow
	over     bool
	reset    bool
	// trailers are the names of the trailers that the client has announced.
	trailers []string
	// moved is called whenever a part comes or goes.
	moved func()
}

func newExchange() *exchange {
	e := &exchange{moved: func() {}}
	e.changed = sync.NewCond(&e.mu)
	return e
}

func (e *exchange) moves() {
	e.moved()
	e.changed.Broadcast()
}

func (e *exchange) put(f *flow, p part) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f.parts = append(f.parts, p)
	f.size += len(p.data)
	f.begun, f.ended = true, f.ended || p.end
	e.moves()
}

// RequestHeaders implements hostsim.Sink.
func (e *exchange) RequestHeaders(h *hostsim.Headers, endStream bool) {
	e.put(&e.request, part{headers: h.Clone(), end: endStream})
}

// RequestData implements hostsim.Sink.
func (e *exchange) RequestData(data []byte, endStream bool) {
	e.put(&e.request, part{data: append([]byte(nil), data...), end: endStream})
}

// RequestTrailers implements hostsim.Sink.
func (e *exchange) RequestTrailers(h *hostsim.Headers) {
	e.put(&e.request, part{trailers: h.Clone(), end: true})
}

// ResponseHeaders implements hostsim.Sink.
func (e *exchange) ResponseHeaders(h *hostsim.Headers, endStream bool) {
	e.put(&e.response, part{headers: h.Clone(), end: endStream})
}

// ResponseData implements hostsim.Sink.
func (e *exchange) ResponseData(data []byte, endStream bool) {
	e.put(&e.response, part{data: append([]byte(nil), data...), end: endStream})
}

// ResponseTrailers implements hostsim.Sink.
func (e *exchange) ResponseTrailers(h *hostsim.Headers) {
	e.put(&e.response, part{trailers: h.Clone(), end: true})
}

// Over implements hostsim.Sink.
func (e *exchange) Over(reset bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over, e.reset = true, reset
	e.changed.Broadcast()
}

// next waits for the next part of f. It reports false once there will be none:
// for a request also when the stream is over, which nobody answers any more.
func (e *exchange) next(f *flow) (part, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(f.parts) == 0 && !f.ended && !e.over {
		e.changed.Wait()
	}
	if len(f.parts) == 0 || f == &e.request && e.over {
		return part{}, false
	}
	p := f.parts[0]
	f.parts = f.parts[1:]
	f.size -= len(p.data)
	e.moves()
	return p, true
}

// waitForRoom waits until f has room for more, or the stream is over. arrived is
// how much of the body there has been: as long as the filter holds the headers
// back, all of it lies in the host.
func (e *exchange) waitForRoom(f *flow, arrived int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	heldBack := func() bool { return arrived > bufferBytes && !f.begun && !e.response.begun }
	for !e.over && (f.size > bufferBytes || heldBack()) {
		e.changed.Wait()
	}
}

// wasReset reports whether the stream ended without a whole response.
func (e *exchange) wasReset() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reset
}

// requestBody is the body of the request to the upstream.
type requestBody struct {
	exchange *exchange
	rest     []byte
	end      bool
	// onTrailers takes the trailers, which come last.
	onTrailers func(*hostsim.Headers)
	// onEnd is called once, at the end.
	onEnd func()
}

// Read implements io.Reader. A stream that is over before its request is ends
// in io.ErrUnexpectedEOF.
func (b *requestBody) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.end {
			if b.onEnd != nil {
				b.onEnd()
				b.onEnd = nil
			}
			return 0, io.EOF
		}
		next, ok := b.exchange.next(&b.exchange.request)
		if !ok {
			return 0, io.ErrUnexpectedEOF
		}
		if next.trailers != nil {
			b.onTrailers(next.trailers)
		}
		b.rest, b.end = next.data, next.end
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *requestBody) Close() error { return nil }
