package hostcall

import (
	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/fields"
	"gatehouse/hostsim/internal/vm"
)

// buffer returns the buffer of that type that c may use now. Only the bodies may
// be written, through the pointer. As in Envoy most buffers that are not there
// read as empty.
func buffer(v *vm.VM, c *vm.Context, t abi.BufferType) (b *[]byte, writable, ok bool) {
	var none []byte
	switch t {
	case abi.BufferRequestBody:
		if c.Stream != nil && c.Stream.RequestBytes() != nil {
			return c.Stream.RequestBytes(), true, true
		}
	case abi.BufferResponseBody:
		if c.Stream != nil && c.Stream.ResponseBytes() != nil {
			return c.Stream.ResponseBytes(), true, true
		}
	case abi.BufferCallResponseBody:
		if c.Root().Callouts.Reply == nil {
			return nil, false, false
		}
		return &c.Root().Callouts.Reply.Body, false, true
	case abi.BufferGRPCMessage:
		return &c.Root().Callouts.Message, false, true
	case abi.BufferVMConfiguration:
		config := []byte(v.Key.VMConfig)
		return &config, false, true
	case abi.BufferPluginConfiguration:
		if !c.Configuring() {
			return nil, false, false
		}
		return &c.Plugin.Config, false, true
	}
	return &none, false, true
}

func proxyGetBufferBytes(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	t, start, length := abi.BufferType(args[0]), uint32(args[1]), uint32(args[2])
	if t >= abi.BufferTypes {
		return abi.BadArgument
	}
	b, _, ok := buffer(v, c, t)
	if !ok {
		return abi.NotFound
	}
	size := uint32(len(*b))
	start = min(start, size)
	return v.Return((*b)[start:start+min(length, size-start)], args[3], args[4])
}

func proxyGetBufferStatus(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	t := abi.BufferType(args[0])
	if t >= abi.BufferTypes {
		return abi.BadArgument
	}
	b, _, ok := buffer(v, c, t)
	if !ok {
		return abi.NotFound
	}
	if s := v.Put32(args[1], uint32(len(*b))); s != abi.OK {
		return s
	}
	return v.Put32(args[2], 0)
}

// proxySetBufferBytes prepends, appends or replaces the beginning. As in Envoy
// nothing can be put in the middle of a body.
func proxySetBufferBytes(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	t, start, length := abi.BufferType(args[0]), uint32(args[1]), uint32(args[2])
	if t >= abi.BufferTypes {
		return abi.BadArgument
	}
	b, writable, ok := buffer(v, c, t)
	if !ok {
		return abi.NotFound
	}
	data, ok := v.Bytes(args, 3)
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
func readMap(c *vm.Context, t abi.MapType) *fields.Headers {
	switch t {
	case abi.MapGRPCInitialMetadata:
		return c.Root().Callouts.InitialMetadata
	case abi.MapGRPCTrailingMetadata:
		return c.Root().Callouts.TrailingMetadata
	case abi.MapCallResponseHeaders:
		if c.Root().Callouts.Reply != nil {
			return c.Root().Callouts.Reply.Headers
		}
		return nil
	case abi.MapCallResponseTrailers:
		if c.Root().Callouts.Reply != nil {
			return c.Root().Callouts.Reply.Trailers
		}
		return nil
	}
	if c.Stream == nil {
		return nil
	}
	return c.Stream.ReadMap(t)
}

// writeMap returns the map of that type that c may change now; nil if there is
// none.
func writeMap(c *vm.Context, t abi.MapType) *fields.Headers {
	if c.Stream == nil {
		return nil
	}
	return c.Stream.WriteMap(t)
}

// proxyGetHeaderMapSize answers for the maps that may be changed only, and with
// the bytes of names and values alone; both are Envoy's reading of the
// specification.
func proxyGetHeaderMapSize(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	m := writeMap(c, abi.MapType(args[0]))
	if m == nil {
		return abi.BadArgument
	}
	return v.Put32(args[1], uint32(m.ByteSize()))
}

// proxyGetHeaderMapPairs reads a map that isn't there as an empty one.
func proxyGetHeaderMapPairs(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	t := abi.MapType(args[0])
	if t >= abi.MapTypes {
		return abi.BadArgument
	}
	pairs := readMap(c, t).All()
	var b []byte
	if len(pairs) > 0 {
		b = abi.AppendPairs(make([]byte, 0, abi.PairsSize(pairs)), pairs)
	}
	return v.Return(b, args[1], args[2])
}

func proxySetHeaderMapPairs(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	t := abi.MapType(args[0])
	if t >= abi.MapTypes {
		return abi.BadArgument
	}
	pairs, ok := v.Pairs(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	m := writeMap(c, t)
	if m == nil {
		return abi.BadArgument
	}
	m.Replace(pairs)
	return abi.OK
}

// proxyGetHeaderMapValue reads the first value of a name.
func proxyGetHeaderMapValue(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	t := abi.MapType(args[0])
	if t >= abi.MapTypes {
		return abi.BadArgument
	}
	key, ok := v.Bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	m := readMap(c, t)
	if m == nil && (c.Stream == nil || !c.Stream.Logging()) {
		return abi.BadArgument
	}
	value, ok := m.Lookup(string(key))
	if !ok && v.Services.Module.ABIVersion() != abi.Version010 { // 0.1.0 has no NotFound here
		return abi.NotFound
	}
	return v.Return([]byte(value), args[3], args[4])
}

// changeMap runs f on the map args[0], the key args[1:3] and, if the call has
// one, the value args[3:5].
func changeMap(v *vm.VM, c *vm.Context, args []uint64, hasValue bool, f func(m *fields.Headers, key, value string)) abi.Status {
	t := abi.MapType(args[0])
	if t >= abi.MapTypes {
		return abi.BadArgument
	}
	key, ok := v.Bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	var value []byte
	if hasValue {
		if value, ok = v.Bytes(args, 3); !ok {
			return abi.InvalidMemoryAccess
		}
	}
	m := writeMap(c, t)
	if m == nil {
		return abi.BadArgument
	}
	f(m, string(key), string(value))
	return abi.OK
}

func proxyAddHeaderMapValue(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	return changeMap(v, c, args, true, (*fields.Headers).Add)
}

func proxyReplaceHeaderMapValue(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	return changeMap(v, c, args, true, (*fields.Headers).Set)
}

func proxyRemoveHeaderMapValue(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	return changeMap(v, c, args, false, func(m *fields.Headers, key, _ string) { m.Del(key) })
}
