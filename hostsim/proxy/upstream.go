package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"gatehouse/hostsim"
)

// forward waits for the request to come through the filter, sends it to the
// upstream and lets the response arrive.
func (p *Proxy) forward(ctx context.Context, s *hostsim.Stream, e *exchange) {
	first, ok := e.next(&e.request)
	if !ok {
		return
	}
	if p.opts.Upstream == nil {
		s.LocalReply(hostsim.LocalReply{Status: 404, Details: "route_not_found", GRPCStatus: hostsim.GRPCUnset})
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The time-out runs from the end of the request, which the transport finds.
	var timer atomic.Pointer[time.Timer]
	defer func() {
		if t := timer.Load(); t != nil {
			t.Stop()
		}
	}()
	startTimer := func() {
		if p.opts.Timeout > 0 {
			timer.Store(time.AfterFunc(p.opts.Timeout, func() { cancel(errTimeout) }))
		}
	}
	req, err := upstreamRequest(ctx, p.opts.Upstream, first, e, startTimer)
	if err != nil {
		s.LocalReply(hostsim.LocalReply{Status: 400, Details: "bad_request", GRPCStatus: hostsim.GRPCUnset})
		return
	}
	resp, err := p.transports.roundTrip(req)
	if err != nil {
		s.LocalReply(failure(ctx, err))
		return
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < http.StatusOK { // a change of protocol that nobody asked for
		s.LocalReply(failure(ctx, errProtocol))
		return
	}
	relayResponse(ctx, s, e, resp)
}

var (
	errTimeout  = errors.New("upstream request timeout")
	errProtocol = errors.New("malformed HTTP response")
)

// upstreamRequest builds the request to the upstream; its body follows as it
// comes through the filter.
func upstreamRequest(ctx context.Context, base *url.URL, first part, e *exchange, ended func()) (*http.Request, error) {
	u, err := upstreamURL(base, first.headers.Get(":path"))
	if err != nil {
		return nil, err
	}
	req := (&http.Request{
		Method: first.headers.Get(":method"),
		URL:    u,
		Host:   first.headers.Get(":authority"),
		Header: http.Header{},
	}).WithContext(ctx)
	copyFields(req.Header, first.headers)
	if _, ok := first.headers.Lookup("user-agent"); !ok {
		req.Header.Set("User-Agent", "") // or net/http would add its own
	}
	if first.end {
		ended()
		return req, nil
	}
	req.ContentLength = -1
	if n, err := strconv.ParseInt(first.headers.Get("content-length"), 10, 64); err == nil {
		req.ContentLength = n
	}
	if len(e.trailers) > 0 && base.Scheme != "h2c" {
		req.ContentLength = -1 // HTTP/1 has trailers after chunks only
	}
	if req.ContentLength < 0 || len(e.trailers) > 0 {
		req.Trailer = http.Header{}
		for _, name := range e.trailers {
			req.Trailer[name] = nil // announces it
		}
	}
	req.Body = &requestBody{exchange: e, onEnd: ended, onTrailers: func(h *hostsim.Headers) {
		if req.Trailer != nil {
			copyFields(req.Trailer, h)
		}
	}}
	return req, nil
}

// upstreamURL returns the URL whose request target is path, byte for byte: the filter has judged
// these bytes.
func upstreamURL(base *url.URL, path string) (*url.URL, error) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, err
	}
	u.Scheme, u.Host = base.Scheme, base.Host
	if u.RequestURI() == path {
		return u, nil
	}
	// net/http would escape some bytes. It does not touch what is opaque, but reads two slashes in
	// front as an authority.
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return nil, fmt.Errorf("the path %q can't be sent as it is", path)
	}
	opaque, query, hasQuery := strings.Cut(path, "?")
	return &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: opaque, RawQuery: query, ForceQuery: hasQuery}, nil
}

// relayResponse lets the upstream's response arrive.
func relayResponse(ctx context.Context, s *hostsim.Stream, e *exchange, resp *http.Response) {
	headers := append([]hostsim.Header{{Name: ":status", Value: strconv.Itoa(resp.StatusCode)}}, responseFields(resp)...)
	if resp.ContentLength == 0 || resp.Body == http.NoBody {
		s.ResponseHeaders(headers, true)
		return
	}
	s.ResponseHeaders(headers, false)
	buf := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buf)
	arrived := 0
	for {
		n, err := resp.Body.Read(buf[:])
		arrived += n
		end := errors.Is(err, io.EOF)
		trailers := fields(resp.Trailer)
		if n > 0 || end && len(trailers) == 0 {
			s.ResponseBody(buf[:n], end && len(trailers) == 0)
		}
		switch {
		case end && len(trailers) > 0:
			s.ResponseTrailers(trailers)
			return
		case end:
			return
		case errors.Is(context.Cause(ctx), errTimeout):
			s.Reset("response_timeout")
			return
		case err != nil:
			s.Reset("upstream_reset_after_response_started{connection_termination}")
			return
		}
		e.waitForRoom(&e.response, arrived)
	}
}

// errnoText is the system's word for why connecting failed, with a capital as
// the C library has it.
func errnoText(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return "unknown"
	}
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// isProtocolError reports whether the upstream's response was refused. net/http has no error values
// for that.
func isProtocolError(err error) bool {
	text := err.Error()
	return strings.Contains(text, "malformed HTTP") || strings.Contains(text, "response headers exceeded") ||
		strings.Contains(text, "response header list larger")
}

// failure is the answer to a request whose upstream gave none, with the words
// that Envoy uses.
func failure(ctx context.Context, err error) hostsim.LocalReply {
	reply := hostsim.LocalReply{Status: 503, GRPCStatus: hostsim.GRPCUnset}
	var dial *net.OpError
	reason := "connection termination"
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		reply.Status = 504
		reply.Details = "response_timeout"
		reply.Body = []byte(errTimeout.Error())
		return reply
	case errors.As(err, &dial) && dial.Op == "dial" && dial.Timeout():
		reason = "connection timeout"
	case errors.As(err, &dial) && dial.Op == "dial":
		reason = "remote connection failure"
		reply.Details = "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_" +
			strings.ReplaceAll(errnoText(err), " ", "_") + "}"
	case isProtocolError(err):
		reply.Status = 502
		reason = "protocol error"
	}
	if reply.Details == "" {
		reply.Details = "upstream_reset_before_response_started{" + strings.ReplaceAll(reason, " ", "_") + "}"
	}
	reply.Body = []byte("upstream connect error or disconnect/reset before headers. reset reason: " + reason)
	return reply
}
