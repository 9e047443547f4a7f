package hostcall

import (
	"time"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/property"
	"gatehouse/hostsim/internal/vm"
)

func proxyLog(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	level := abi.LogLevel(args[0])
	if level > abi.LogCritical {
		return abi.BadArgument
	}
	msg, ok := v.Bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	if level >= v.Services.LogLevel {
		c.LogLine(level, string(msg))
	}
	return abi.OK
}

func proxyGetLogLevel(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	return v.Put32(args[0], uint32(v.Services.LogLevel))
}

func proxyGetCurrentTime(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	return v.Put64(args[0], uint64(v.Services.Clock.Now().UnixNano()))
}

func proxySetTickPeriod(_ *vm.VM, c *vm.Context, args []uint64) abi.Status {
	c.Root().SetTick(time.Duration(uint32(args[0])) * time.Millisecond)
	return abi.OK
}

func proxySetEffectiveContext(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	if !v.SetEffective(uint32(args[0])) {
		return abi.BadArgument
	}
	return abi.OK
}

// proxyDone completes a shutdown that proxy_on_done put off.
func proxyDone(_ *vm.VM, c *vm.Context, _ []uint64) abi.Status {
	if !c.Root().FinishDone() {
		return abi.NotFound
	}
	return abi.OK
}

func proxyGetStatus(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	if s := v.Put32(args[0], c.Root().Callouts.StatusCode); s != abi.OK {
		return s
	}
	return v.Return([]byte(c.Root().Callouts.StatusMessage), args[1], args[2])
}

// proxyGetConfiguration is ABI 0.1.0's way to either configuration.
func proxyGetConfiguration(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	config := []byte(v.Key.VMConfig)
	if c.Configuring() {
		config = c.Plugin.Config
	}
	return v.Return(config, args[0], args[1])
}

func proxyGetProperty(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	path, ok := v.Bytes(args, 0)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	names := abi.SplitPath(path)
	if len(names) == 0 {
		return abi.SerializationFailure
	}
	value, status := property.Bytes(property.Member(topLevel(v, c, names[0]), names[1:]...))
	if status != abi.OK {
		return status
	}
	return v.Return(value, args[2], args[3])
}

// topLevel returns the property of that name; nil if there is none.
func topLevel(v *vm.VM, c *vm.Context, name string) any {
	switch name {
	case "plugin_name":
		return c.PluginName()
	case "plugin_root_id":
		if c.Plugin == nil {
			return ""
		}
		return c.Plugin.RootID
	case "plugin_vm_id":
		return v.Key.VMID
	}
	if c.Stream == nil {
		return nil
	}
	return c.Stream.Property(name)
}

// proxySetProperty keeps a property in the stream's filter state, where it is
// named "wasm." and the path.
func proxySetProperty(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	path, ok1 := v.Bytes(args, 0)
	value, ok2 := v.Bytes(args, 2)
	if !ok1 || !ok2 {
		return abi.InvalidMemoryAccess
	}
	if c.Stream == nil {
		return abi.NotFound
	}
	c.Stream.SetFilterState("wasm."+string(path), value)
	return abi.OK
}

func proxyCallForeignFunction(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	name, ok1 := v.Bytes(args, 0)
	params, ok2 := v.Bytes(args, 2)
	if !ok1 || !ok2 {
		return abi.InvalidMemoryAccess
	}
	f := v.Services.Foreign[string(name)]
	if f == nil {
		return abi.NotFound
	}
	result, status := f(append([]byte(nil), params...))
	resultAt, sizeAt := args[4], args[5]
	var ptr uint32
	if resultAt != 0 {
		if len(result) > 0 {
			var ok bool
			if ptr, ok = v.Allocate(uint32(len(result))); !ok || !v.Write(ptr, result) {
				return abi.InvalidMemoryAccess
			}
		}
		if v.Put32(resultAt, ptr) != abi.OK {
			return abi.InvalidMemoryAccess
		}
	}
	if sizeAt != 0 && v.Put32(sizeAt, uint32(len(result))) != abi.OK {
		return abi.InvalidMemoryAccess
	}
	return status
}
