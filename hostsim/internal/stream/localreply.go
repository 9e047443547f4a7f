package stream

import (
	"strconv"
	"strings"

	"gatehouse/hostsim/internal/fields"
)

// GRPCUnset is the gRPC status of a local reply that has none of its own: the
// HTTP status decides. It is what guests pass as -1.
const GRPCUnset = -1

// GRPCUnavailable is gRPC's status 14.
const GRPCUnavailable = 14

// maxGRPCStatus is the largest status that gRPC defines.
const maxGRPCStatus = 16

// LocalReply is a response that the proxy makes itself.
type LocalReply struct {
	Status int
	// Details are the response code details, for example
	// "jwt_authn_access_denied{Jwt_is_expired}".
	Details string
	Body    []byte
	Headers []fields.Header
	// GRPCStatus is used if the request is gRPC; GRPCUnset derives it from
	// Status.
	GRPCStatus int
}

// GRPCStatusOf reads the status as a guest passes it.
func GRPCStatusOf(status uint32) int {
	if status > maxGRPCStatus {
		return GRPCUnset
	}
	return int(status)
}

// RefuseBefore answers the stream for a filter ahead of this one, in place of
// RequestHeaders. Such a refusal has no callbacks but the context's creation and
// the log's, as in Envoy.
func (s *Stream) RefuseBefore(reply LocalReply) {
	if s.over || s.request.started {
		return
	}
	s.request.started = true
	s.LocalReply(reply)
}

// LocalReply answers the stream. Before the response has begun the reply
// goes through the filter, once the filter has returned from a callback about
// the request; after it has, but before anything reached the client, the reply
// goes there directly; after that the stream can only be reset. The first reply
// of several in one callback counts, but the details of the last do.
func (s *Stream) LocalReply(reply LocalReply) {
	if s.over {
		return
	}
	s.setDetails(reply.Details)
	if s.prepared != nil {
		return
	}
	if s.decoding && !s.response.started {
		s.prepared = &reply
		return
	}
	s.perform(reply)
}

// perform carries a local reply out.
func (s *Stream) perform(reply LocalReply) {
	if s.response.sent {
		s.end(true)
		return
	}
	direct := s.response.started
	s.replied = true
	s.request.buffered = nil
	s.response.half = half{headers: s.localHeaders(&reply), started: true}
	s.setStatus(s.response.headers)
	body := reply.Body
	if s.request.headers.Get(":method") == "HEAD" || s.isGRPC() {
		body = nil
	}
	endAtHeaders := len(body) == 0
	if direct {
		s.response.forwardHeaders(endAtHeaders)
		if !endAtHeaders {
			s.response.forwardData(body, true)
		}
		return
	}
	s.response.showHeaders(endAtHeaders)
	if endAtHeaders || s.over {
		return
	}
	s.response.bodyArrives(body, true)
}

// isGRPC reports whether the request's content type is gRPC's.
func (s *Stream) isGRPC() bool {
	ct := s.request.headers.Get("content-type")
	return ct == "application/grpc" || strings.HasPrefix(ct, "application/grpc+")
}

// localHeaders makes the headers of a local reply as Envoy does: text/plain
// unless the reply says otherwise, and for gRPC a trailers-only response.
func (s *Stream) localHeaders(reply *LocalReply) *Headers {
	h := fields.New(nil, fields.ResponseInline)
	h.Add(":status", strconv.Itoa(reply.Status))
	for _, f := range reply.Headers {
		h.Add(f.Name, f.Value)
	}
	switch {
	case s.isGRPC():
		status := reply.GRPCStatus
		if status == GRPCUnset {
			status = grpcStatusOfHTTP(reply.Status)
		}
		h.Set(":status", "200")
		h.Set("content-type", "application/grpc")
		h.Set("grpc-status", strconv.Itoa(status))
		if len(reply.Body) > 0 && s.request.headers.Get(":method") != "HEAD" {
			h.Set("grpc-message", percentEncode(reply.Body))
		}
		h.Del("content-length")
	case len(reply.Body) > 0:
		h.Set("content-length", strconv.Itoa(len(reply.Body)))
		if _, ok := h.Lookup("content-type"); !ok {
			h.Add("content-type", "text/plain")
		}
	default:
		h.Del("content-length")
		h.Del("content-type")
	}
	return h
}

// grpcStatusOfHTTP maps an HTTP status to gRPC's
// (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md).
func grpcStatusOfHTTP(status int) int {
	switch status {
	case 400:
		return 13
	case 401:
		return 16
	case 403:
		return 7
	case 404:
		return 12
	case 429, 502, 503, 504:
		return GRPCUnavailable
	}
	return 2
}

// percentEncode encodes a gRPC status message
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, Responses).
func percentEncode(msg []byte) string {
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(msg))
	for _, b := range msg {
		if b < 0x20 || b > 0x7e || b == '%' {
			out = append(out, '%', hex[b>>4], hex[b&15])
		} else {
			out = append(out, b)
		}
	}
	return string(out)
}
