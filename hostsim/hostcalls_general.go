package hostsim

import (
	"time"

	"gatehouse/hostsim/abi"
)

func proxyLog(v *vm, c *guestContext, args []uint64) abi.Status {
	level := abi.LogLevel(args[0])
	if level > abi.LogCritical {
		return abi.BadArgument
	}
	msg, ok := v.bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	if level >= v.host.opts.LogLevel {
		c.log(level, string(msg))
	}
	return abi.OK
}

func proxyGetLogLevel(v *vm, _ *guestContext, args []uint64) abi.Status {
	return v.put32(args[0], uint32(v.host.opts.LogLevel))
}

func proxyGetCurrentTime(v *vm, _ *guestContext, args []uint64) abi.Status {
	return v.put64(args[0], uint64(v.host.clock.Now().UnixNano()))
}

func proxySetTickPeriod(_ *vm, c *guestContext, args []uint64) abi.Status {
	c.root.setTick(time.Duration(uint32(args[0])) * time.Millisecond)
	return abi.OK
}

func proxySetEffectiveContext(v *vm, _ *guestContext, args []uint64) abi.Status {
	c := v.contexts[uint32(args[0])]
	if c == nil {
		return abi.BadArgument
	}
	v.effective = c
	return abi.OK
}

// proxyDone completes a shutdown that proxy_on_done put off.
func proxyDone(v *vm, c *guestContext, _ []uint64) abi.Status {
	root := c.root
	if !root.pendingDone {
		return abi.NotFound
	}
	root.pendingDone = false
	v.afterCall(root.onDelete)
	return abi.OK
}

func proxyGetStatus(v *vm, c *guestContext, args []uint64) abi.Status {
	if s := v.put32(args[0], c.root.statusCode); s != abi.OK {
		return s
	}
	return v.write([]byte(c.root.statusMessage), uint32(args[1]), uint32(args[2]))
}

// proxyGetConfiguration is ABI 0.1.0's way to either configuration.
func proxyGetConfiguration(v *vm, c *guestContext, args []uint64) abi.Status {
	config := []byte(v.key.vmConfig)
	if c.configuring {
		config = c.plugin.Config
	}
	return v.write(config, uint32(args[0]), uint32(args[1]))
}

func proxyGetProperty(v *vm, c *guestContext, args []uint64) abi.Status {
	path, ok := v.bytes(args, 0)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	value, status := c.property(abi.SplitPath(path))
	if status != abi.OK {
		return status
	}
	return v.write(value, uint32(args[2]), uint32(args[3]))
}

// proxySetProperty keeps a property in the stream's filter state, where it is
// named "wasm." and the path.
func proxySetProperty(v *vm, c *guestContext, args []uint64) abi.Status {
	path, ok1 := v.bytes(args, 0)
	value, ok2 := v.bytes(args, 2)
	if !ok1 || !ok2 {
		return abi.InvalidMemoryAccess
	}
	if c.stream == nil {
		return abi.NotFound
	}
	c.stream.info.filterState["wasm."+string(path)] = append([]byte(nil), value...)
	return abi.OK
}

func proxyCallForeignFunction(v *vm, _ *guestContext, args []uint64) abi.Status {
	name, ok1 := v.bytes(args, 0)
	params, ok2 := v.bytes(args, 2)
	if !ok1 || !ok2 {
		return abi.InvalidMemoryAccess
	}
	f := v.host.foreign[string(name)]
	if f == nil {
		return abi.NotFound
	}
	result, status := f(append([]byte(nil), params...))
	resultAt, sizeAt := uint32(args[4]), uint32(args[5])
	var ptr uint32
	if resultAt != 0 {
		if len(result) > 0 {
			var ok bool
			if ptr, ok = v.allocate(uint32(len(result))); !ok || !v.memory.Write(ptr, result) {
				return abi.InvalidMemoryAccess
			}
		}
		if !v.memory.WriteUint32Le(resultAt, ptr) {
			return abi.InvalidMemoryAccess
		}
	}
	if sizeAt != 0 && !v.memory.WriteUint32Le(sizeAt, uint32(len(result))) {
		return abi.InvalidMemoryAccess
	}
	return status
}
