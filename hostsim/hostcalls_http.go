package hostsim

import (
	"strings"
	"unicode"

	"gatehouse/hostsim/abi"
)

// buffer returns the buffer of that type that c may use now. Only the bodies may
// be written, through the pointer. As in Envoy most buffers that are not there
// read as empty.
func (c *guestContext) buffer(t abi.BufferType) (b *[]byte, writable, ok bool) {
	var none []byte
	switch t {
	case abi.BufferRequestBody:
		if c.stream != nil && c.stream.request.visible.body != nil {
			return c.stream.request.visible.body, true, true
		}
	case abi.BufferResponseBody:
		if c.stream != nil && c.stream.response.visible.body != nil {
			return c.stream.response.visible.body, true, true
		}
	case abi.BufferCallResponseBody:
		if c.root.reply == nil {
			return nil, false, false
		}
		return &c.root.reply.Body, false, true
	case abi.BufferGRPCMessage:
		return &c.root.message, false, true
	case abi.BufferVMConfiguration:
		config := []byte(c.vm.key.vmConfig)
		return &config, false, true
	case abi.BufferPluginConfiguration:
		if !c.configuring {
			return nil, false, false
		}
		return &c.plugin.Config, false, true
	}
	return &none, false, true
}

func proxyGetBufferBytes(v *vm, c *guestContext, args []uint64) abi.Status {
	t, start, length := abi.BufferType(args[0]), uint32(args[1]), uint32(args[2])
	if t >= abi.BufferTypes {
		return abi.BadArgument
	}
	b, _, ok := c.buffer(t)
	if !ok {
		return abi.NotFound
	}
	size := uint32(len(*b))
	start = min(start, size)
	return v.write((*b)[start:start+min(length, size-start)], uint32(args[3]), uint32(args[4]))
}

func proxyGetBufferStatus(v *vm, c *guestContext, args []uint64) abi.Status {
	t := abi.BufferType(args[0])
	if t >= abi.BufferTypes {
		return abi.BadArgument
	}
	b, _, ok := c.buffer(t)
	if !ok {
		return abi.NotFound
	}
	if s := v.put32(args[1], uint32(len(*b))); s != abi.OK {
		return s
	}
	return v.put32(args[2], 0)
}

// proxySetBufferBytes prepends, appends or replaces the beginning. As in Envoy
// nothing can be put in the middle of a body.
func proxySetBufferBytes(v *vm, c *guestContext, args []uint64) abi.Status {
	t, start, length := abi.BufferType(args[0]), uint32(args[1]), uint32(args[2])
	if t >= abi.BufferTypes {
		return abi.BadArgument
	}
	b, writable, ok := c.buffer(t)
	if !ok {
		return abi.NotFound
	}
	data, ok := v.bytes(args, 3)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	size := uint32(len(*b))
	switch {
	case !writable:
		return abi.BadArgument
	case start == 0:
		rest := (*b)[min(length, size):]
		*b = append(append(make([]byte, 0, len(data)+len(rest)), data...), rest...)
	case start >= size:
		*b = append(append(make([]byte, 0, len(data)+len(*b)), *b...), data...)
	default:
		return abi.BadArgument
	}
	return abi.OK
}

// readMap returns the map of that type that c may read now; nil if there is
// none.
func (c *guestContext) readMap(t abi.MapType) *Headers {
	switch t {
	case abi.MapGRPCInitialMetadata:
		return c.root.initialMetadata
	case abi.MapGRPCTrailingMetadata:
		return c.root.trailingMetadata
	case abi.MapCallResponseHeaders:
		if c.root.reply != nil {
			return c.root.reply.Headers
		}
		return nil
	case abi.MapCallResponseTrailers:
		if c.root.reply != nil {
			return c.root.reply.Trailers
		}
		return nil
	}
	if c.stream == nil {
		return nil
	}
	return c.stream.readMap(t)
}

// writeMap returns the map of that type that c may change now; nil if there is
// none.
func (c *guestContext) writeMap(t abi.MapType) *Headers {
	if c.stream == nil {
		return nil
	}
	return c.stream.writeMap(t)
}

// proxyGetHeaderMapSize answers for the maps that may be changed only, and with
// the bytes of names and values alone; both are Envoy's reading of the
// specification.
func proxyGetHeaderMapSize(v *vm, c *guestContext, args []uint64) abi.Status {
	m := c.writeMap(abi.MapType(args[0]))
	if m == nil {
		return abi.BadArgument
	}
	return v.put32(args[1], uint32(m.ByteSize()))
}

// proxyGetHeaderMapPairs reads a map that isn't there as an empty one.
func proxyGetHeaderMapPairs(v *vm, c *guestContext, args []uint64) abi.Status {
	t := abi.MapType(args[0])
	if t >= abi.MapTypes {
		return abi.BadArgument
	}
	pairs := c.readMap(t).All()
	var b []byte
	if len(pairs) > 0 {
		b = abi.AppendPairs(make([]byte, 0, abi.PairsSize(pairs)), pairs)
	}
	return v.write(b, uint32(args[1]), uint32(args[2]))
}

func proxySetHeaderMapPairs(v *vm, c *guestContext, args []uint64) abi.Status {
	t := abi.MapType(args[0])
	if t >= abi.MapTypes {
		return abi.BadArgument
	}
	pairs, ok := v.pairs(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	m := c.writeMap(t)
	if m == nil {
		return abi.BadArgument
	}
	m.setPairs(pairs)
	return abi.OK
}

// proxyGetHeaderMapValue reads the first value of a name.
func proxyGetHeaderMapValue(v *vm, c *guestContext, args []uint64) abi.Status {
	t := abi.MapType(args[0])
	if t >= abi.MapTypes {
		return abi.BadArgument
	}
	key, ok := v.bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	m := c.readMap(t)
	if m == nil && (c.stream == nil || !c.stream.logging) {
		return abi.BadArgument
	}
	value, ok := m.Lookup(string(key))
	if !ok && v.host.module.version != abi.Version010 { // 0.1.0 has no NotFound here
		return abi.NotFound
	}
	return v.write([]byte(value), uint32(args[3]), uint32(args[4]))
}

// changeMap runs f on the map args[0], the key args[1:3] and, if the call has
// one, the value args[3:5].
func changeMap(v *vm, c *guestContext, args []uint64, hasValue bool, f func(m *Headers, key, value string)) abi.Status {
	t := abi.MapType(args[0])
	if t >= abi.MapTypes {
		return abi.BadArgument
	}
	key, ok := v.bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	var value []byte
	if hasValue {
		if value, ok = v.bytes(args, 3); !ok {
			return abi.InvalidMemoryAccess
		}
	}
	m := c.writeMap(t)
	if m == nil {
		return abi.BadArgument
	}
	f(m, string(key), string(value))
	return abi.OK
}

func proxyAddHeaderMapValue(v *vm, c *guestContext, args []uint64) abi.Status {
	return changeMap(v, c, args, true, (*Headers).Add)
}

func proxyReplaceHeaderMapValue(v *vm, c *guestContext, args []uint64) abi.Status {
	return changeMap(v, c, args, true, (*Headers).Set)
}

func proxyRemoveHeaderMapValue(v *vm, c *guestContext, args []uint64) abi.Status {
	return changeMap(v, c, args, false, func(m *Headers, key, _ string) { m.Del(key) })
}

func proxyContinueStream(_ *vm, c *guestContext, args []uint64) abi.Status {
	switch abi.StreamType(args[0]) {
	case abi.StreamRequest, abi.StreamResponse:
		if c.stream != nil {
			c.stream.continueFromGuest(abi.StreamType(args[0]))
		}
		return abi.OK
	case abi.StreamDownstream: // a TCP stream: there are none here
		return abi.OK
	case abi.StreamUpstream:
		return abi.Unimplemented
	}
	return abi.BadArgument
}

func proxyContinueRequest(v *vm, c *guestContext, _ []uint64) abi.Status {
	return proxyContinueStream(v, c, []uint64{uint64(abi.StreamRequest)})
}

func proxyContinueResponse(v *vm, c *guestContext, _ []uint64) abi.Status {
	return proxyContinueStream(v, c, []uint64{uint64(abi.StreamResponse)})
}

// proxyClearRouteCache has nothing to do: the host has one route.
func proxyClearRouteCache(*vm, *guestContext, []uint64) abi.Status { return abi.OK }

func proxyCloseStream(v *vm, c *guestContext, args []uint64) abi.Status {
	t := abi.StreamType(args[0])
	if t >= abi.StreamTypes {
		return abi.BadArgument
	}
	if s := c.stream; s != nil && (t == abi.StreamRequest || t == abi.StreamResponse) {
		if !s.info.hasDetails {
			s.info.setDetails("wasm_close_stream")
		}
		v.afterCall(func() { s.reset(s.info.details) })
	}
	return abi.OK
}

// noSpace makes response code details one word, for the sake of access logs.
func noSpace(r rune) rune {
	if unicode.IsSpace(r) {
		return '_'
	}
	return r
}

// proxySendLocalResponse answers the request in place of the upstream. The
// answer leaves after the callback, which is over for the stream: its action is
// a pause.
func proxySendLocalResponse(v *vm, c *guestContext, args []uint64) abi.Status {
	details, ok1 := v.bytes(args, 1)
	body, ok2 := v.bytes(args, 3)
	headers, ok3 := v.pairs(args, 5)
	if !ok1 || !ok2 || !ok3 {
		return abi.InvalidMemoryAccess
	}
	reply := LocalReply{
		Status:     int(uint32(args[0])),
		Details:    strings.Map(noSpace, string(details)),
		Body:       append([]byte(nil), body...),
		Headers:    headers,
		GRPCStatus: grpcStatusOf(uint32(args[7])),
	}
	if s := c.stream; s != nil {
		v.afterCall(func() { s.sendLocalReply(reply) })
	}
	v.stopIteration = true
	return abi.OK
}
