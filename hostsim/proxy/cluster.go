package proxy

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gatehouse/hostsim"
)

// serviceTime is the field in which Envoy tells how long a callout's upstream
// took, in milliseconds.
const serviceTime = "x-envoy-upstream-service-time"

// maxCalloutBody is the largest response to a callout that a guest gets to see,
// in bytes.
const maxCalloutBody = 32 << 20

// Clusters turns named base URLs into the clusters of hostsim.Options, for hosts
// with hostsim.CalloutsConcurrent. HTTP callouts go to http and https URLs, and
// by HTTP/2 to h2c ones; gRPC callouts always use HTTP/2. The path of a callout
// is appended to the URL's.
func Clusters(urls map[string]*url.URL) map[string]hostsim.Cluster {
	t := newTransports(5 * time.Second)
	clusters := make(map[string]hostsim.Cluster, len(urls))
	for name, u := range urls {
		c := &cluster{base: u, transports: t}
		clusters[name] = hostsim.Cluster{HTTP: c.http, GRPC: c.grpc}
	}
	return clusters
}

type cluster struct {
	base       *url.URL
	transports *transports
}

func (c *cluster) request(ctx context.Context, path string, h *hostsim.Headers) (*http.Request, error) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, fmt.Errorf("callout path: %w", err)
	}
	u.Scheme, u.Host = c.base.Scheme, c.base.Host
	if c.base.Path != "" && c.base.Path != "/" {
		u.Path, u.RawPath = c.base.Path+u.Path, ""
	}
	req := (&http.Request{Method: h.Get(":method"), URL: u, Host: h.Get(":authority"), Header: http.Header{}}).WithContext(ctx)
	copyFields(req.Header, h)
	if _, ok := h.Lookup("user-agent"); !ok {
		req.Header.Set("User-Agent", "")
	}
	return req, nil
}

// http is a hostsim.Cluster's HTTP.
func (c *cluster) http(ctx context.Context, call *hostsim.HTTPCall) (*hostsim.HTTPReply, error) {
	req, err := c.request(ctx, call.Headers.Get(":path"), call.Headers)
	if err != nil {
		return nil, err
	}
	if len(call.Body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(call.Body))
		req.ContentLength = int64(len(call.Body))
	}
	if call.Trailers != nil {
		req.ContentLength = -1
		req.Trailer = http.Header{}
		copyFields(req.Trailer, call.Trailers)
	}
	// What Envoy's client for callouts adds.
	req.Header.Set("X-Envoy-Internal", "true")
	if call.Timeout > 0 {
		req.Header.Set("X-Envoy-Expected-Rq-Timeout-Ms", strconv.FormatInt(call.Timeout.Milliseconds(), 10))
	}
	start := time.Now()
	resp, err := c.transports.roundTrip(req)
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxCalloutBody+1))
	if err != nil || len(body) > maxCalloutBody {
		return nil, hostsim.ErrCalloutReset
	}
	reply := hostsim.NewHTTPReply(resp.StatusCode, string(body))
	for _, f := range responseFields(resp) {
		reply.Headers.Add(f.Name, f.Value)
	}
	reply.Headers.Add(serviceTime, strconv.FormatInt(took.Milliseconds(), 10))
	if trailers := fields(resp.Trailer); len(trailers) > 0 {
		reply.Trailers = &hostsim.Headers{}
		for _, f := range trailers {
			reply.Trailers.Add(f.Name, f.Value)
		}
	}
	return reply, nil
}

// grpc is a hostsim.Cluster's GRPC
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
func (c *cluster) grpc(ctx context.Context, call *hostsim.GRPCCall) hostsim.GRPCStatus {
	h := call.Metadata.Clone()
	h.Set(":method", http.MethodPost)
	if _, ok := h.Lookup(":authority"); !ok {
		h.Set(":authority", call.Cluster)
	}
	h.Set("content-type", "application/grpc")
	h.Set("te", "trailers")
	if call.Timeout > 0 {
		h.Set("grpc-timeout", strconv.FormatInt(call.Timeout.Milliseconds(), 10)+"m")
	}
	req, err := c.request(ctx, "/"+call.Service+"/"+call.Method, h)
	if err != nil {
		return hostsim.GRPCStatus{Code: hostsim.GRPCUnavailable, Message: err.Error()}
	}
	if req.URL.Scheme == "http" {
		req.URL.Scheme = "h2c"
	}
	r, w := io.Pipe()
	defer func() { _ = r.Close() }()
	req.Body = r
	go func() { _ = w.CloseWithError(sendMessages(w, call)) }()
	start := time.Now()
	resp, err := c.transports.roundTrip(req)
	if err != nil {
		reply := failure(ctx, err)
		return hostsim.GRPCStatus{Code: hostsim.GRPCUnavailable, Message: string(reply.Body), Details: reply.Details}
	}
	defer func() { _ = resp.Body.Close() }()
	return receive(call, resp, time.Since(start))
}

// sendMessages frames what the guest sends.
func sendMessages(w io.Writer, call *hostsim.GRPCCall) error {
	for {
		msg, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(msg)))
		if _, err := w.Write(append(frame, msg...)); err != nil {
			return err
		}
	}
}

// receive passes on what the upstream sends, and returns its status. took is the
// time to the headers.
func receive(call *hostsim.GRPCCall, resp *http.Response, took time.Duration) hostsim.GRPCStatus {
	if status, ok := grpcStatus(resp.Header); ok { // trailers-only
		call.SendTrailer(toHeaders(resp.Header))
		return status
	}
	if resp.StatusCode != http.StatusOK {
		return hostsim.GRPCStatus{Code: hostsim.GRPCUnavailable}
	}
	initial := toHeaders(resp.Header)
	initial.Set(":status", strconv.Itoa(resp.StatusCode))
	initial.Add(serviceTime, strconv.FormatInt(took.Milliseconds(), 10))
	call.SendHeader(initial)
	for {
		var prefix [5]byte
		if _, err := io.ReadFull(resp.Body, prefix[:]); err != nil {
			break
		}
		size := binary.BigEndian.Uint32(prefix[1:])
		if prefix[0] != 0 || size > maxCalloutBody {
			return hostsim.GRPCStatus{Code: 13}
		}
		msg := make([]byte, size)
		if _, err := io.ReadFull(resp.Body, msg); err != nil {
			return hostsim.GRPCStatus{Code: 13}
		}
		call.Send(msg)
	}
	if trailers := toHeaders(resp.Trailer); trailers.Len() > 0 {
		call.SendTrailer(trailers)
	}
	if status, ok := grpcStatus(resp.Trailer); ok {
		return status
	}
	return hostsim.GRPCStatus{Code: 2}
}

func toHeaders(h http.Header) *hostsim.Headers {
	hs := &hostsim.Headers{}
	for _, f := range fields(h) {
		hs.Add(f.Name, f.Value)
	}
	return hs
}

// grpcStatus reads the status from headers or trailers.
func grpcStatus(h http.Header) (hostsim.GRPCStatus, bool) {
	code, err := strconv.Atoi(h.Get("Grpc-Status"))
	if err != nil {
		return hostsim.GRPCStatus{}, false
	}
	msg, err := url.PathUnescape(h.Get("Grpc-Message"))
	if err != nil {
		msg = h.Get("Grpc-Message")
	}
	return hostsim.GRPCStatus{Code: code, Message: msg}, true
}
