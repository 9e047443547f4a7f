package hostsim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/hostsim/abi"
)

// property returns the byte form of the property at path, as Envoy gives it
// (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes).
func (c *guestContext) property(path []string) ([]byte, abi.Status) {
	if len(path) == 0 {
		return nil, abi.SerializationFailure
	}
	value := c.topLevel(path[0])
	for _, name := range path[1:] {
		value = member(value, name)
	}
	return propertyBytes(value)
}

// object is a property with members.
type object func(name string) any

// member returns a member of a property value; nil if there is none.
func member(value any, name string) any {
	switch v := value.(type) {
	case object:
		return v(name)
	case map[string]any:
		m, ok := v[name]
		if ok && m == nil {
			return null{}
		}
		return m
	case []any:
		i, err := strconv.Atoi(name)
		if err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	case *Headers:
		if values := v.Values(name); len(values) > 0 {
			return strings.Join(values, ",")
		}
	}
	return nil
}

// null is a JSON null, which unlike nil is there.
type null struct{}

// propertyBytes serialises a property value.
func propertyBytes(value any) ([]byte, abi.Status) {
	switch v := value.(type) {
	case nil:
		return nil, abi.NotFound
	case string:
		return []byte(v), abi.OK
	case []byte:
		return v, abi.OK
	case bool:
		return abi.AppendBool(nil, v), abi.OK
	case int64:
		return abi.AppendInt(nil, v), abi.OK
	case float64:
		return abi.AppendDouble(nil, v), abi.OK
	case []any:
		pairs := make([]Header, len(v))
		for i, e := range v {
			b, status := propertyBytes(e)
			if status != abi.OK {
				return nil, abi.SerializationFailure
			}
			pairs[i].Name = string(b)
		}
		return abi.AppendPairs(nil, pairs), abi.OK
	case map[string]any:
		pairs := make([]Header, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b, status := propertyBytes(member(v, name))
			if status != abi.OK {
				return nil, abi.SerializationFailure
			}
			pairs = append(pairs, Header{Name: name, Value: string(b)})
		}
		return abi.AppendPairs(nil, pairs), abi.OK
	case *Headers: // one that isn't there is empty
		return abi.AppendPairs(nil, v.All()), abi.OK
	}
	return nil, abi.SerializationFailure
}

// topLevel returns the property of that name.
func (c *guestContext) topLevel(name string) any {
	switch name {
	case "plugin_name":
		return c.pluginName()
	case "plugin_root_id":
		if c.plugin == nil {
			return ""
		}
		return c.plugin.RootID
	case "plugin_vm_id":
		return c.vm.key.vmID
	}
	s := c.stream
	if s == nil {
		return nil
	}
	switch name {
	case "request":
		return object(s.requestProperty)
	case "response":
		return object(s.responseProperty)
	case "connection":
		return object(s.connectionProperty)
	case "connection_id":
		return int64(s.info.connectionID)
	case "upstream":
		if !s.info.upstreamSeen || s.info.upstream == "" {
			return object(func(string) any { return nil })
		}
		return address(s.info.upstream)
	case "source":
		return address(s.info.source)
	case "destination":
		return address(s.info.destination)
	case "metadata":
		return object(s.metadataProperty)
	case "xds":
		return object(s.xdsProperty)
	case "filter_state":
		return object(s.filterStateProperty)
	}
	if v, ok := s.info.filterState["wasm."+name]; ok {
		return v
	}
	return nil
}

func address(addr string) object {
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
	i := &s.info
	h := s.readMap(abi.MapRequestHeaders)
	switch name {
	case "protocol":
		return i.protocol
	case "time":
		return i.arrived.UnixNano()
	case "size":
		if n, err := strconv.ParseInt(h.Get("content-length"), 10, 64); err == nil {
			return n
		}
		return int64(i.requestSize)
	case "total_size":
		return int64(i.requestSize + h.ByteSize())
	case "headers":
		return h
	case "duration":
		if i.finished {
			return int64(i.duration)
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
		return optional(path)
	case "url_path":
		return optional(bare)
	case "query":
		return query
	case "host":
		return optional(h.Get(":authority"))
	case "scheme":
		return optional(h.Get(":scheme"))
	case "method":
		return optional(h.Get(":method"))
	case "referer":
		return optional(h.Get("referer"))
	case "useragent":
		return optional(h.Get("user-agent"))
	case "id":
		return optional(h.Get("x-request-id"))
	}
	return nil
}

// optional is nil for what isn't there.
func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (s *Stream) responseProperty(name string) any {
	i := &s.info
	switch name {
	case "code":
		if i.code == 0 {
			return nil
		}
		return int64(i.code)
	case "code_details":
		if !i.hasDetails {
			return nil
		}
		return i.details
	case "flags":
		return int64(0)
	case "grpc_status":
		return s.grpcStatus()
	case "size":
		return int64(i.responseSize)
	case "headers":
		return s.readMap(abi.MapResponseHeaders)
	case "trailers":
		return s.readMap(abi.MapResponseTrailers)
	case "total_size":
		return int64(i.responseSize + s.readMap(abi.MapResponseHeaders).ByteSize())
	}
	return nil
}

// grpcStatus is the status that the response has as gRPC: its own, or what its
// HTTP status amounts to.
func (s *Stream) grpcStatus() any {
	if s.info.code == 0 {
		return nil
	}
	for _, h := range []*Headers{s.readMap(abi.MapResponseTrailers), s.readMap(abi.MapResponseHeaders)} {
		if code, err := strconv.ParseInt(h.Get("grpc-status"), 10, 64); err == nil {
			return code
		}
	}
	return int64(grpcStatusOfHTTP(s.info.code))
}

func (s *Stream) connectionProperty(name string) any {
	switch name {
	case "id":
		return int64(s.info.connectionID)
	case "mtls":
		return false
	case "requested_server_name":
		return ""
	}
	return nil
}

func (s *Stream) metadataProperty(name string) any {
	if name != "filter_metadata" {
		return nil
	}
	return object(func(filter string) any {
		if m, ok := s.info.metadata[filter]; ok {
			return m
		}
		return nil
	})
}

func (s *Stream) xdsProperty(name string) any {
	switch name {
	case "route_name":
		return s.info.routeName
	case "cluster_name":
		return optional(s.info.cluster)
	case "virtual_host_name":
		return optional(s.info.virtualHost)
	}
	return nil
}

func (s *Stream) filterStateProperty(name string) any {
	if v, ok := s.info.filterState[name]; ok {
		return v
	}
	return nil
}

// Duration returns how long the stream took; it is 0 before its end.
func (s *Stream) Duration() time.Duration {
	s.thread.mu.Lock()
	defer s.thread.mu.Unlock()
	return s.info.duration
}
