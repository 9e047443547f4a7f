package hostsim

import (
	"encoding/hex"
	"net"
	"strconv"
	"strings"
	"time"
)

// streamInfo is what the proxy knows of a stream beside its headers and bodies.
type streamInfo struct {
	protocol            string
	source, destination string
	connectionID        uint64
	routeName, cluster  string
	upstream            string
	virtualHost         string
	metadata            map[string]map[string]any
	filterState         map[string][]byte

	arrived   time.Time
	startMono time.Duration
	duration  time.Duration // set at the end
	finished  bool

	code                      int
	details                   string
	hasDetails                bool
	upstreamSeen              bool // the response came from an upstream
	requestSize, responseSize int
}

func (i *streamInfo) init(h *Host, req *Request) {
	*i = streamInfo{
		protocol:     or(req.Protocol, "HTTP/1.1"),
		source:       or(req.SourceAddress, "127.0.0.1:40000"),
		destination:  or(req.DestinationAddress, "127.0.0.1:10000"),
		connectionID: req.ConnectionID,
		routeName:    req.RouteName,
		cluster:      req.ClusterName,
		upstream:     req.UpstreamAddress,
		virtualHost:  req.VirtualHost,
		metadata:     req.Metadata,
		filterState:  map[string][]byte{},
		arrived:      req.Arrived,
		startMono:    h.clock.Monotonic(),
	}
	if i.connectionID == 0 {
		i.connectionID = h.connID.Add(1)
	}
	if i.arrived.IsZero() {
		i.arrived = h.clock.Now()
	}
}

func (i *streamInfo) finish(now time.Duration) {
	i.duration, i.finished = now-i.startMono, true
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// requestHeaders builds the header map that the filter sees.
func requestHeaders(h *Host, req *Request) *Headers {
	hs := headersOf([]Header{
		{Name: ":authority", Value: or(req.Authority, "localhost")},
		{Name: ":path", Value: or(req.Path, "/")},
		{Name: ":method", Value: or(req.Method, "GET")},
		{Name: ":scheme", Value: or(req.Scheme, "http")},
	}, requestInline)
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
	if _, err := h.random(b[:]); err != nil {
		panic("hostsim: Options.Random: " + err.Error())
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	s := hex.EncodeToString(b[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// port returns the port of an address, 0 if there is none.
func port(addr string) int64 {
	_, p, err := net.SplitHostPort(addr)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(p, 10, 32)
	return n
}
