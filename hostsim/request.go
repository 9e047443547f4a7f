package hostsim

import (
	"encoding/hex"
	"io"
	"strings"
	"time"

	"gatehouse/hostsim/internal/fields"
	"gatehouse/hostsim/internal/stream"
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

// info is what the host knows of the request beside its headers and body.
func (h *Host) info(req *Request) stream.Info {
	i := stream.Info{
		Protocol:     or(req.Protocol, "HTTP/1.1"),
		Source:       or(req.SourceAddress, "127.0.0.1:40000"),
		Destination:  or(req.DestinationAddress, "127.0.0.1:10000"),
		Upstream:     req.UpstreamAddress,
		ConnectionID: req.ConnectionID,
		RouteName:    req.RouteName,
		ClusterName:  req.ClusterName,
		VirtualHost:  req.VirtualHost,
		Metadata:     req.Metadata,
		Arrived:      req.Arrived,
	}
	if i.ConnectionID == 0 {
		i.ConnectionID = h.connID.Add(1)
	}
	if i.Arrived.IsZero() {
		i.Arrived = h.opts.Clock.Now()
	}
	return i
}

// headers builds the header map that the filter sees.
func (h *Host) headers(req *Request) *Headers {
	hs := fields.New([]Header{
		{Name: ":authority", Value: or(req.Authority, "localhost")},
		{Name: ":path", Value: or(req.Path, "/")},
		{Name: ":method", Value: or(req.Method, "GET")},
		{Name: ":scheme", Value: or(req.Scheme, "http")},
	}, fields.RequestInline)
	for _, f := range req.Headers {
		hs.Add(f.Name, f.Value)
	}
	if _, ok := hs.Lookup("x-forwarded-proto"); !ok {
		hs.Add("x-forwarded-proto", or(req.Scheme, "http"))
	}
	if _, ok := hs.Lookup("x-request-id"); !ok {
		hs.Add("x-request-id", h.uuid())
	}
	return hs
}

// uuid makes a random UUID (RFC 9562, version 4).
func (h *Host) uuid() string {
	var b [16]byte
	if _, err := io.ReadFull(h.services.Random, b[:]); err != nil {
		panic("hostsim: Options.Random: " + err.Error())
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	s := hex.EncodeToString(b[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
