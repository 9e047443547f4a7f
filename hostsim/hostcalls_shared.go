package hostsim

import "gatehouse/hostsim/abi"

func proxyGetSharedData(v *vm, _ *guestContext, args []uint64) abi.Status {
	key, ok := v.bytes(args, 0)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	value, cas, ok := v.host.data.Get(v.key.vmID, string(key))
	if !ok {
		return abi.NotFound
	}
	if s := v.write(value, uint32(args[2]), uint32(args[3])); s != abi.OK {
		return s
	}
	return v.put32(args[4], cas)
}

func proxySetSharedData(v *vm, _ *guestContext, args []uint64) abi.Status {
	key, ok1 := v.bytes(args, 0)
	value, ok2 := v.bytes(args, 2)
	if !ok1 || !ok2 {
		return abi.InvalidMemoryAccess
	}
	return v.host.data.Set(v.key.vmID, string(key), value, uint32(args[4]))
}

func proxyRegisterSharedQueue(v *vm, c *guestContext, args []uint64) abi.Status {
	name, ok := v.bytes(args, 0)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	token := v.host.queues.register(v.key.vmID, string(name), c.root.queueReady)
	return v.put32(args[2], token)
}

// queueReady has the plugin context told of a queue's new item. It may be
// called on any thread.
func (c *guestContext) queueReady(token uint32) {
	v := c.vm
	v.host.postTo(v.thread, func() {
		if g := v.guest.queueReady; g.exported() && !c.deleted {
			v.callback(c, g, uint64(c.id), uint64(token))
		}
	})
}

func proxyResolveSharedQueue(v *vm, _ *guestContext, args []uint64) abi.Status {
	vmID, ok1 := v.bytes(args, 0)
	name, ok2 := v.bytes(args, 2)
	if !ok1 || !ok2 {
		return abi.InvalidMemoryAccess
	}
	id := string(vmID)
	if id == "" {
		id = v.key.vmID
	}
	token, ok := v.host.queues.resolve(id, string(name))
	if !ok {
		return abi.NotFound
	}
	return v.put32(args[4], token)
}

func proxyEnqueueSharedQueue(v *vm, _ *guestContext, args []uint64) abi.Status {
	item, ok := v.bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	return v.host.queues.enqueue(uint32(args[0]), item)
}

func proxyDequeueSharedQueue(v *vm, _ *guestContext, args []uint64) abi.Status {
	item, status := v.host.queues.dequeue(uint32(args[0]))
	if status != abi.OK {
		return status
	}
	return v.write(item, uint32(args[1]), uint32(args[2]))
}

func proxyDefineMetric(v *vm, _ *guestContext, args []uint64) abi.Status {
	name, ok := v.bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	t := abi.MetricType(args[0])
	if t >= abi.MetricTypes {
		return abi.BadArgument
	}
	return v.put32(args[3], v.metrics.add(t, v.host.metrics.define(t, string(name))))
}

func proxyIncrementMetric(v *vm, _ *guestContext, args []uint64) abi.Status {
	return v.metrics.increment(uint32(args[0]), int64(args[1]))
}

func proxyRecordMetric(v *vm, _ *guestContext, args []uint64) abi.Status {
	return v.metrics.record(uint32(args[0]), args[1])
}

func proxyGetMetric(v *vm, _ *guestContext, args []uint64) abi.Status {
	value, status := v.metrics.get(uint32(args[0]))
	if status != abi.OK {
		return status
	}
	return v.put64(args[1], value)
}
