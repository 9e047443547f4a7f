package hostsim

import (
	"fmt"
	"time"

	"gatehouse/hostsim/abi"
)

// Request is a request as it arrives at the filter, after the proxy's own
// handling of it.
type Request struct {
	// Method, Scheme, Authority and Path are the pseudo-headers. Empty means
	// GET, http, "localhost" and "/".
	Method, Scheme, Authority, Path string
	// Headers are the others. The host adds x-forwarded-proto and x-request-id
	// where they are missing, as Envoy does.
	Headers []Header
	// Body and Trailers are for RoundTrip; a driven stream gets them through
	// RequestBody and RequestTrailers.
	Body     []byte
	Trailers []Header

	// Plugin names the plugin that filters the stream; empty means the first.
	Plugin string
	// Protocol is "HTTP/1.1" if empty.
	Protocol string
	// SourceAddress and DestinationAddress are host and port; empty means
	// 127.0.0.1 and some port.
	SourceAddress, DestinationAddress string
	// ConnectionID is a new one if 0.
	ConnectionID uint64
	// RouteName, ClusterName and VirtualHost are the xds properties route_name,
	// cluster_name and virtual_host_name.
	RouteName, ClusterName, VirtualHost string
	// UpstreamAddress is the property upstream.address, from the response on.
	UpstreamAddress string
	// Metadata is the dynamic metadata that other filters left: by filter name,
	// then key, values as encoding/json decodes them.
	Metadata map[string]map[string]any
	// Arrived is when the request's first byte came; zero means now.
	Arrived time.Time
	// Sink, if given, hears of what passes the filter. The stream records it
	// too, unless NoRecord is set.
	Sink     Sink
	NoRecord bool
}

// Sink hears of what passes the filter. Its methods are called while the
// stream's thread is locked: they must neither block nor call into the Host,
// and must copy what they keep of headers and data.
type Sink interface {
	RequestHeaders(h *Headers, endStream bool)
	RequestData(data []byte, endStream bool)
	RequestTrailers(h *Headers)
	ResponseHeaders(h *Headers, endStream bool)
	ResponseData(data []byte, endStream bool)
	ResponseTrailers(h *Headers)
	// Over is called once, when the stream ends: after a whole response, or with
	// reset set when there is none, or only a part.
	Over(reset bool)
}

// Stream is one request and its response on their way through a filter. The
// caller plays what is around the filter: first the downstream, which sends
// the request, then the upstream, which sends the response.
//
// Calls that make no sense any more, such as more body of a stream that was
// reset, do nothing: it is in the nature of a proxy that they come. A Stream is
// safe for concurrent use.
type Stream struct {
	host    *Host
	thread  *thread
	id      uint64
	plugin  *Plugin
	context *guestContext // nil if nothing filters the stream
	// refuse says that the VM had failed before the stream came and the policy is
	// not to let it pass.
	refuse bool

	info     streamInfo
	request  direction
	response direction
	sinks    []Sink
	record   *recorder

	// endOfStream says that what the filter was shown last, of headers and bodies,
	// ends its message.
	endOfStream bool
	// logging is true during proxy_on_log.
	logging bool
	// failureReplied is set once the host answered for a failed VM; the filter
	// sees nothing of the stream from then on.
	failureReplied bool
	// replied is set once a local reply was made.
	replied bool
	// decoding is true while the filter is shown a part of the request; prepared
	// is the reply that was made then.
	decoding bool
	prepared *LocalReply
	over     bool
}

// answered reports whether nothing of the request may go on to the upstream.
func (s *Stream) answered() bool { return s.over || s.replied || s.prepared != nil }

// Stream brings a request to a worker. No callback runs before RequestHeaders.
// It panics if there is no such worker or plugin.
func (h *Host) Stream(worker int, req Request) *Stream {
	if worker < 0 || worker >= len(h.workers) {
		panic(fmt.Sprintf("hostsim: no worker %d", worker))
	}
	t := h.workers[worker]
	s := &Stream{host: h, thread: t, id: h.streamID.Add(1), record: &recorder{}}
	s.request.stream, s.request.way = s, requestWay{s}
	s.response.stream, s.response.way = s, responseWay{s}
	s.info.init(h, &req)
	s.request.headers = requestHeaders(h, &req)
	if !req.NoRecord {
		s.sinks = append(s.sinks, s.record)
	}
	if req.Sink != nil {
		s.sinks = append(s.sinks, req.Sink)
	}
	t.only(func() {
		handle := t.handle(req.Plugin)
		s.plugin = handle.plugin
		v, root := t.current(handle)
		if v != nil && !v.failed {
			s.context = v.newContext(s.plugin, root, s)
		} else {
			s.refuse = s.plugin.Failure != FailOpen
		}
	})
	h.drain()
	return s
}

// Plugin returns the name of the plugin that filters the stream.
func (s *Stream) Plugin() string { return s.plugin.Name }

// Worker returns the number of the stream's worker.
func (s *Stream) Worker() int { return s.thread.number }

// filtering reports whether the filter still sees the stream, and answers 503 if
// it should but can't.
func (s *Stream) filtering() (ok bool) {
	if s.context == nil && !s.refuse || s.failureReplied {
		return false
	}
	if s.refuse || s.context.vm.failed {
		s.failStream()
		return false
	}
	return true
}

// failStream answers 503 for a VM that has failed.
func (s *Stream) failStream() {
	s.failureReplied = true
	s.sendLocalReply(LocalReply{Status: 503, Details: "wasm_fail_stream", GRPCStatus: GRPCUnavailable})
}

// guestAction turns a callback's result into whether the stream pauses, and
// ends the stream if the VM failed in the callback.
func (s *Stream) guestAction(g guestFunction, args ...uint64) (action abi.Action, ok bool) {
	v := s.context.vm
	result, ok := v.call(s.context, g, args...)
	stopped := v.stopIteration
	if !ok && !s.failureReplied {
		s.failStream()
	}
	v.finish()
	if !ok {
		return abi.ActionContinue, false
	}
	if stopped {
		return abi.ActionPauseNoBuffer, s.goesOn()
	}
	return abi.Action(result), s.goesOn()
}

// goesOn reports whether what the callback was about is still of interest.
func (s *Stream) goesOn() bool { return !s.over && s.prepared == nil }

// readMap returns the map that may be read now; nil if there is none.
func (s *Stream) readMap(t abi.MapType) *Headers {
	if s.logging {
		switch t {
		case abi.MapRequestHeaders:
			return s.request.headers
		case abi.MapResponseHeaders:
			return s.response.headers
		case abi.MapResponseTrailers:
			return s.response.trailers
		}
		return nil
	}
	return s.visibleMap(t)
}

// writeMap returns the map that may be changed now; nil if there is none.
// Trailers come into being when they are asked for with the last of a body.
func (s *Stream) writeMap(t abi.MapType) *Headers {
	switch t {
	case abi.MapRequestTrailers:
		s.request.addTrailers()
	case abi.MapResponseTrailers:
		s.response.addTrailers()
	}
	return s.visibleMap(t)
}

// visibleMap returns the map that a filter may read and change; nil if there is
// none.
func (s *Stream) visibleMap(t abi.MapType) *Headers {
	switch t {
	case abi.MapRequestHeaders:
		return s.request.visible.headers
	case abi.MapRequestTrailers:
		return s.request.visible.trailers
	case abi.MapResponseHeaders:
		return s.response.visible.headers
	case abi.MapResponseTrailers:
		return s.response.visible.trailers
	}
	return nil
}

// continueFromGuest is proxy_continue_stream. Both directions take the
// request's maps and body out of sight, as in Envoy.
func (s *Stream) continueFromGuest(t abi.StreamType) {
	s.context.vm.afterCall(func() {
		if t == abi.StreamRequest {
			s.request.resume()
		} else {
			s.response.resume()
		}
	})
	s.request.visible = visible{}
}
