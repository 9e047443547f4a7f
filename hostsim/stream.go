package hostsim

import (
	"fmt"
	"slices"
	"time"

	"gatehouse/hostsim/internal/stream"
	"gatehouse/hostsim/internal/thread"
)

// Stream is one request and its response on their way through a filter. The caller plays what is
// around the filter: first the downstream, which sends the request, then the upstream, which sends
// the response.
//
// Calls that make no sense any more, such as more body of a stream that was reset, do nothing: it
// is in the nature of a proxy that they come. A Stream is safe for concurrent use.
type Stream struct {
	thread *thread.Thread
	stream *stream.Stream
	plugin string
	record *recorder
}

// Stream brings a request to a worker. No callback runs before RequestHeaders. It panics if there
// is no such worker or plugin.
func (h *Host) Stream(worker int, req Request) *Stream {
	if worker < 0 || worker >= len(h.workers) {
		panic(fmt.Sprintf("hostsim: no worker %d", worker))
	}
	s := &Stream{thread: h.workers[worker], plugin: h.pluginName(req.Plugin), record: &recorder{}}
	config := stream.Config{
		Info: h.info(&req), Headers: h.headers(&req), BufferLimit: h.opts.BufferLimit, Clock: h.opts.Clock,
	}
	if !req.NoRecord {
		config.Sinks = append(config.Sinks, s.record)
	}
	if req.Sink != nil {
		config.Sinks = append(config.Sinks, req.Sink)
	}
	s.thread.Do(func() {
		p := s.thread.Plugin(s.plugin)
		s.thread.Reload(p)
		if p.Failed() {
			config.Refuse = h.failurePolicy(s.plugin) != FailOpen
			s.stream = stream.New(config)
			return
		}
		c := p.Root.NewStreamContext()
		config.Filter = c
		s.stream = stream.New(config)
		c.Stream = s.stream
	})
	return s
}

func (h *Host) failurePolicy(plugin string) FailurePolicy {
	i := slices.IndexFunc(h.opts.Plugins, func(p Plugin) bool { return p.Name == plugin })
	return h.opts.Plugins[i].Failure
}

// Plugin returns the name of the plugin that filters the stream.
func (s *Stream) Plugin() string { return s.plugin }

// Worker returns the number of the stream's worker.
func (s *Stream) Worker() int { return s.thread.Number() }

// RequestHeaders lets the request's headers arrive at the filter. endStream says that nothing
// follows them.
func (s *Stream) RequestHeaders(endStream bool) {
	s.thread.Do(func() { s.stream.RequestHeaders(endStream) })
}

// RequestBody lets a piece of the request's body arrive. endStream says that nothing follows it.
// data is not kept.
func (s *Stream) RequestBody(data []byte, endStream bool) {
	s.thread.Do(func() { s.stream.RequestBody(data, endStream) })
}

// RequestTrailers lets the request's trailers arrive; nothing follows them.
func (s *Stream) RequestTrailers(trailers []Header) {
	s.thread.Do(func() { s.stream.RequestTrailers(trailers) })
}

// ResponseHeaders lets the upstream's response headers, :status among them, arrive at the filter.
// endStream says that nothing follows them.
func (s *Stream) ResponseHeaders(headers []Header, endStream bool) {
	s.thread.Do(func() { s.stream.ResponseHeaders(headers, endStream) })
}

// ResponseBody lets a piece of the response's body arrive. endStream says that nothing follows it.
// data is not kept.
func (s *Stream) ResponseBody(data []byte, endStream bool) {
	s.thread.Do(func() { s.stream.ResponseBody(data, endStream) })
}

// ResponseTrailers lets the response's trailers arrive; nothing follows them.
func (s *Stream) ResponseTrailers(trailers []Header) {
	s.thread.Do(func() { s.stream.ResponseTrailers(trailers) })
}

// The gRPC statuses that local replies use.
const (
	// GRPCUnset is the status of a local reply that has none of its own: the HTTP status decides.
	// Guests pass it as -1.
	GRPCUnset = stream.GRPCUnset
	// GRPCUnavailable is gRPC's status 14.
	GRPCUnavailable = stream.GRPCUnavailable
)

// LocalReply is a response that the proxy makes itself.
type LocalReply struct {
	Status int
	// Details are the response code details, for example "jwt_authn_access_denied{Jwt_is_expired}".
	Details string
	Body    []byte
	Headers []Header
	// GRPCStatus is used if the request is gRPC; GRPCUnset derives it from Status.
	GRPCStatus int
}

// LocalReply answers the stream in place of the upstream: the router could not reach it, or a
// filter behind this one refused. The filter sees the reply as it sees a response.
func (s *Stream) LocalReply(reply LocalReply) {
	s.thread.Do(func() { s.stream.LocalReply(stream.LocalReply(reply)) })
}

// RefuseBefore answers the stream for a filter ahead of this one, in place of RequestHeaders. As in
// Envoy the only callbacks of such a refusal are the context's creation and the log's.
func (s *Stream) RefuseBefore(reply LocalReply) {
	s.thread.Do(func() { s.stream.RefuseBefore(stream.LocalReply(reply)) })
}

// Reset ends the stream without a response, or with a part of one: the client went away, or the
// upstream did in mid-response. details becomes the response code details, for example
// "downstream_remote_disconnect".
func (s *Stream) Reset(details string) {
	s.thread.Do(func() { s.stream.Reset(details) })
}

// Upstream returns what the filter let through to the upstream so far. It is empty with
// Request.NoRecord.
func (s *Stream) Upstream() (m Message) {
	s.thread.Only(func() { m = s.record.request.copy() })
	return m
}

// Downstream returns what the client got so far. It is empty with Request.NoRecord.
func (s *Stream) Downstream() (m Message) {
	s.thread.Only(func() { m = s.record.response.copy() })
	return m
}

// State is where a stream stands.
type State struct {
	// RequestPaused and ResponsePaused say that the filter holds that half.
	RequestPaused, ResponsePaused bool
	// RequestBuffered and ResponseBuffered are how many bytes of a body the host keeps meanwhile.
	RequestBuffered, ResponseBuffered int
	// Replied says that the response is a local reply.
	Replied bool
	// Over says that the stream has ended; Reset that it did without a whole response.
	Over, Reset bool
	// Code is the response code, 0 while there is none, and Details are the response code details.
	Code    int
	Details string
}

// State returns where the stream stands.
func (s *Stream) State() (state State) {
	s.thread.Only(func() {
		now := s.stream.State()
		state = State{
			RequestPaused:    now.RequestPaused,
			ResponsePaused:   now.ResponsePaused,
			RequestBuffered:  now.RequestBuffered,
			ResponseBuffered: now.ResponseBuffered,
			Replied:          now.Replied,
			Over:             now.Over,
			Reset:            now.Reset,
			Code:             now.Code,
			Details:          now.Details,
		}
	})
	return state
}

// Duration returns how long the stream took; it is 0 before its end.
func (s *Stream) Duration() (d time.Duration) {
	s.thread.Only(func() { d = s.stream.State().Duration })
	return d
}

// FilterState returns a filter state object of the stream, such as "wasm.gatehouse_audit" for what
// a filter set as the property gatehouse_audit. It can be read after the stream's end too.
func (s *Stream) FilterState(name string) (value []byte, ok bool) {
	s.thread.Only(func() {
		value, ok = s.stream.FilterState(name)
		value = slices.Clone(value)
	})
	return value, ok
}
