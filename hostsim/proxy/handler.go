package proxy

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"gatehouse/hostsim"
)

// chunk is how much of a body is read at a time.
const chunk = 32 << 10

// chunks are buffers of that size: made anew for each body, they would be more
// than half of what a small request allocates.
var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// ServeHTTP implements http.Handler: it plays the downstream and the upstream of
// one stream.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, reason := p.refusal(r); status != 0 {
		refuse(w, r, status, reason)
		return
	}
	at, ok := r.Context().Value(connKey{}).(place)
	if !ok {
		at = p.newPlace()
	}
	e := newExchange()
	e.trailers = slices.Collect(maps.Keys(r.Trailer))
	req := p.request(r, at)
	req.Sink = e
	s := p.host.Stream(at.worker, req)

	control := http.NewResponseController(w)
	// Only HTTP/1 knows the question; the answer for others is an error.
	_ = control.EnableFullDuplex()
	hasBody := r.Body != http.NoBody && (r.ContentLength != 0 || len(r.Trailer) > 0)
	read := make(chan struct{}) // closed when the request has been read
	idle := time.AfterFunc(p.opts.IdleTimeout, func() { endIdle(s, e, control, read) })
	e.moved = func() { idle.Reset(p.opts.IdleTimeout) }

	ctx, cancel := context.WithCancel(r.Context())
	stopWatch := context.AfterFunc(r.Context(), func() { s.Reset("downstream_remote_disconnect") })
	var running sync.WaitGroup
	defer func() {
		stopWatch()
		cancel()
		running.Wait()
		idle.Stop()
		p.logStream(s)
	}()

	if wantsTunnel(r) {
		s.RefuseBefore(hostsim.LocalReply{Status: http.StatusForbidden, Details: "upgrade_failed", GRPCStatus: hostsim.GRPCUnset})
	} else {
		s.RequestHeaders(!hasBody)
	}
	if hasBody {
		running.Go(func() {
			defer close(read)
			readRequest(s, e, r)
		})
	} else {
		close(read)
	}
	running.Go(func() { p.forward(ctx, s, e) })

	whole := writeResponse(w, control, r, s, e, read)
	cancel()
	if !isClosed(read) {
		// The reader may be waiting for a client that has had its answer.
		_ = control.SetReadDeadline(past)
	}
	if !whole {
		panic(http.ErrAbortHandler)
	}
}

// past is a deadline that ends a read or write under way.
var past = time.Unix(1, 0)

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// endIdle ends a stream that stands still, with the answer that Envoy gives if
// nothing of a response has left.
func endIdle(s *hostsim.Stream, e *exchange, control *http.ResponseController, read <-chan struct{}) {
	status := http.StatusRequestTimeout
	if isClosed(read) {
		status = http.StatusGatewayTimeout
	}
	s.LocalReply(hostsim.LocalReply{
		Status: status, Details: "stream_idle_timeout", Body: []byte("stream timeout"), GRPCStatus: hostsim.GRPCUnset,
	})
	if e.wasReset() {
		_ = control.SetWriteDeadline(past) // the client may be what stands still
	}
}

// readRequest reads the request's body and lets it arrive.
func readRequest(s *hostsim.Stream, e *exchange, r *http.Request) {
	buf := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buf)
	arrived := 0
	for {
		n, err := r.Body.Read(buf[:])
		arrived += n
		end := errors.Is(err, io.EOF)
		trailers := fields(r.Trailer)
		if n > 0 || end && len(trailers) == 0 {
			s.RequestBody(buf[:n], end && len(trailers) == 0)
		}
		switch {
		case end && len(trailers) > 0:
			s.RequestTrailers(trailers)
			return
		case end:
			return
		case err != nil:
			s.Reset("downstream_remote_disconnect")
			return
		}
		e.waitForRoom(&e.request, arrived)
	}
}

// writeResponse sends to the client what comes through the filter. It reports
// whether that was a whole response.
func writeResponse(w http.ResponseWriter, control *http.ResponseController, r *http.Request, s *hostsim.Stream, e *exchange, read chan struct{}) bool {
	for {
		part, ok := e.next(&e.response)
		if !ok {
			return !e.wasReset()
		}
		switch {
		case part.headers != nil:
			copyFields(w.Header(), part.headers)
			if len(w.Header()["Content-Type"]) == 0 {
				w.Header()["Content-Type"] = nil // or net/http would guess one
			}
			if r.ProtoMajor == 1 && !isClosed(read) {
				// What is left of the request would be taken for the next one.
				w.Header().Set("Connection", "close")
			}
			status, err := strconv.Atoi(part.headers.Get(":status"))
			if err != nil || status < 200 || status > 999 {
				status = http.StatusBadGateway
			}
			w.WriteHeader(status)
		case part.trailers != nil:
			for _, f := range part.trailers.All() {
				w.Header().Add(http.TrailerPrefix+f.Name, f.Value)
			}
		default:
			if _, err := w.Write(part.data); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
				s.Reset("downstream_remote_disconnect")
				return false
			}
		}
		if !part.end {
			if err := control.Flush(); err != nil {
				s.Reset("downstream_remote_disconnect")
				return false
			}
		}
	}
}
