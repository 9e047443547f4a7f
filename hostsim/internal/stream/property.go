package stream

import (
	"net"
	"strconv"
	"strings"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/property"
)

// Property returns the stream's property of that name, as package property has values; nil if there
// is none.
func (s *Stream) Property(name string) any {
	switch name {
	case "request":
		return property.Object(s.requestProperty)
	case "response":
		return property.Object(s.responseProperty)
	case "connection":
		return property.Object(s.connectionProperty)
	case "connection_id":
		return int64(s.Info.ConnectionID)
	case "upstream":
		if !s.upstreamSeen || s.Info.Upstream == "" {
			return property.Object(func(string) any { return nil })
		}
		return address(s.Info.Upstream)
	case "source":
		return address(s.Info.Source)
	case "destination":
		return address(s.Info.Destination)
	case "metadata":
		return property.Metadata(s.Info.Metadata)
	case "xds":
		return property.Object(s.xdsProperty)
	case "filter_state":
		return property.Object(s.filterStateProperty)
	}
	if v, ok := s.filterState["wasm."+name]; ok {
		return v
	}
	return nil
}

func address(addr string) property.Object {
	return func(name string) any {
		switch name {
		case "address":
			return addr
		case "port":
			return port(addr)
		}
		return nil
	}
}

// requestProperty has the header-based ones only while the headers are visible.
func (s *Stream) requestProperty(name string) any {
	h := s.ReadMap(abi.MapRequestHeaders)
	switch name {
	case "protocol":
		return s.Info.Protocol
	case "time":
		return s.Info.Arrived.UnixNano()
	case "size":
		if n, err := strconv.ParseInt(h.Get("content-length"), 10, 64); err == nil {
			return n
		}
		return int64(s.requestSize)
	case "total_size":
		return int64(s.requestSize + h.ByteSize())
	case "headers":
		return h
	case "duration":
		if s.finished {
			return int64(s.duration)
		}
		return nil
	}
	if h == nil {
		return nil
	}
	path := h.Get(":path")
	bare, query, _ := strings.Cut(path, "?")
	switch name {
	case "path":
		return property.Optional(path)
	case "url_path":
		return property.Optional(bare)
	case "query":
		return query
	case "host":
		return property.Optional(h.Get(":authority"))
	case "scheme":
		return property.Optional(h.Get(":scheme"))
	case "method":
		return property.Optional(h.Get(":method"))
	case "referer":
		return property.Optional(h.Get("referer"))
	case "useragent":
		return property.Optional(h.Get("user-agent"))
	case "id":
		return property.Optional(h.Get("x-request-id"))
	}
	return nil
}

func (s *Stream) responseProperty(name string) any {
	switch name {
	case "code":
		if s.code == 0 {
			return nil
		}
		return int64(s.code)
	case "code_details":
		if !s.hasDetails {
			return nil
		}
		return s.details
	case "flags":
		return int64(0)
	case "grpc_status":
		return s.grpcStatus()
	case "size":
		return int64(s.responseSize)
	case "headers":
		return s.ReadMap(abi.MapResponseHeaders)
	case "trailers":
		return s.ReadMap(abi.MapResponseTrailers)
	case "total_size":
		return int64(s.responseSize + s.ReadMap(abi.MapResponseHeaders).ByteSize())
	}
	return nil
}

// grpcStatus is the status that the response has as gRPC: its own, or what its
// HTTP status amounts to.
func (s *Stream) grpcStatus() any {
	if s.code == 0 {
		return nil
	}
	for _, h := range []*Headers{s.ReadMap(abi.MapResponseTrailers), s.ReadMap(abi.MapResponseHeaders)} {
		if code, err := strconv.ParseInt(h.Get("grpc-status"), 10, 64); err == nil {
			return code
		}
	}
	return int64(grpcStatusOfHTTP(s.code))
}

func (s *Stream) connectionProperty(name string) any {
	switch name {
	case "id":
		return int64(s.Info.ConnectionID)
	case "mtls":
		return false
	case "requested_server_name":
		return ""
	}
	return nil
}

func (s *Stream) xdsProperty(name string) any {
	switch name {
	case "route_name":
		return s.Info.RouteName
	case "cluster_name":
		return property.Optional(s.Info.ClusterName)
	case "virtual_host_name":
		return property.Optional(s.Info.VirtualHost)
	}
	return nil
}

func (s *Stream) filterStateProperty(name string) any {
	if v, ok := s.filterState[name]; ok {
		return v
	}
	return nil
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
