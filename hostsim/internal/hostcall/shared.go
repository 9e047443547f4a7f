package hostcall

import (
	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/vm"
)

func proxyGetSharedData(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	key, ok := v.Bytes(args, 0)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	value, cas, ok := v.Services.Data.Get(v.Key.VMID, string(key))
	if !ok {
		return abi.NotFound
	}
	if s := v.Return(value, args[2], args[3]); s != abi.OK {
		return s
	}
	return v.Put32(args[4], cas)
}

func proxySetSharedData(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	key, ok1 := v.Bytes(args, 0)
	value, ok2 := v.Bytes(args, 2)
	if !ok1 || !ok2 {
		return abi.InvalidMemoryAccess
	}
	return v.Services.Data.Set(v.Key.VMID, string(key), value, uint32(args[4]))
}

func proxyRegisterSharedQueue(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	name, ok := v.Bytes(args, 0)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	token := v.Services.Queues.Register(v.Key.VMID, string(name), c.Root().QueueReady)
	return v.Put32(args[2], token)
}

func proxyResolveSharedQueue(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	vmID, ok1 := v.Bytes(args, 0)
	name, ok2 := v.Bytes(args, 2)
	if !ok1 || !ok2 {
		return abi.InvalidMemoryAccess
	}
	id := string(vmID)
	if id == "" {
		id = v.Key.VMID
	}
	token, ok := v.Services.Queues.Resolve(id, string(name))
	if !ok {
		return abi.NotFound
	}
	return v.Put32(args[4], token)
}

func proxyEnqueueSharedQueue(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	item, ok := v.Bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	return v.Services.Queues.Enqueue(uint32(args[0]), item)
}

func proxyDequeueSharedQueue(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	item, status := v.Services.Queues.Dequeue(uint32(args[0]))
	if status != abi.OK {
		return status
	}
	return v.Return(item, args[1], args[2])
}

func proxyDefineMetric(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	name, ok := v.Bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	t := abi.MetricType(args[0])
	if t >= abi.MetricTypes {
		return abi.BadArgument
	}
	return v.Put32(args[3], v.Metrics.Add(t, v.Services.Metrics.Define(t, string(name))))
}

func proxyIncrementMetric(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	return v.Metrics.Increment(uint32(args[0]), int64(args[1]))
}

func proxyRecordMetric(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	return v.Metrics.Record(uint32(args[0]), args[1])
}

func proxyGetMetric(v *vm.VM, _ *vm.Context, args []uint64) abi.Status {
	value, status := v.Metrics.Get(uint32(args[0]))
	if status != abi.OK {
		return status
	}
	return v.Put64(args[1], value)
}
