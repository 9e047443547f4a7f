package hostcall

import (
	"time"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/callout"
	"gatehouse/hostsim/internal/fields"
	"gatehouse/hostsim/internal/vm"
)

// proxyHTTPCall starts a callout on the plugin context.
func proxyHTTPCall(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	cluster, ok1 := v.Bytes(args, 0)
	headers, ok2 := v.Pairs(args, 2)
	body, ok3 := v.Bytes(args, 4)
	trailers, ok4 := v.Pairs(args, 6)
	if !ok1 || !ok2 || !ok3 || !ok4 || v.Put32(args[9], 0) != abi.OK {
		return abi.InvalidMemoryAccess
	}
	timeout := int32(args[8])
	if timeout < 0 || !v.Services.Callouts.Knows(string(cluster)) {
		return abi.BadArgument
	}
	call := &callout.HTTPCall{
		Cluster: string(cluster),
		Headers: fields.New(headers, fields.RequestInline),
		Body:    append([]byte(nil), body...),
		Timeout: time.Duration(timeout) * time.Millisecond,
		Worker:  v.Thread.Number(),
		Plugin:  c.PluginName(),
	}
	if len(trailers) > 0 {
		call.Trailers = fields.New(trailers, nil)
	}
	token, status := c.Root().Callouts.HTTP(call)
	if status != abi.OK {
		return status
	}
	return v.Put32(args[9], token)
}

func proxyGRPCCall(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	msg, ok := v.Bytes(args, 8)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	call, status := grpcCall(v, c, args)
	if status != abi.OK {
		return status
	}
	call.Timeout = time.Duration(uint32(args[10])) * time.Millisecond
	return c.Root().Callouts.GRPC(call, msg, func(token uint32) abi.Status { return v.Put32(args[11], token) })
}

func proxyGRPCStream(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	call, status := grpcCall(v, c, args)
	if status != abi.OK {
		return status
	}
	return c.Root().Callouts.GRPCStream(call, func(token uint32) abi.Status { return v.Put32(args[8], token) })
}

// grpcCall reads the first eight arguments of a gRPC call or stream, which are the same.
func grpcCall(v *vm.VM, c *vm.Context, args []uint64) (*callout.GRPCCall, abi.Status) {
	upstream, ok1 := v.Bytes(args, 0)
	service, ok2 := v.Bytes(args, 2)
	method, ok3 := v.Bytes(args, 4)
	metadata, ok4 := v.Pairs(args, 6)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return nil, abi.InvalidMemoryAccess
	}
	cluster, isMessage := callout.GRPCCluster(upstream)
	if !isMessage && !v.Services.Callouts.Knows(cluster) {
		return nil, abi.ParseFailure
	}
	return &callout.GRPCCall{
		Cluster: cluster, Service: string(service), Method: string(method),
		Metadata: fields.New(metadata, nil), Worker: v.Thread.Number(), Plugin: c.PluginName(),
	}, abi.OK
}

func proxyGRPCSend(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	msg, ok := v.Bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	return c.Root().Callouts.GRPCSend(uint32(args[0]), msg, args[3] != 0)
}

// proxyGRPCClose ends a call, and the guest's side of a stream.
func proxyGRPCClose(_ *vm.VM, c *vm.Context, args []uint64) abi.Status {
	return c.Root().Callouts.GRPCEnd(uint32(args[0]))
}

// proxyGRPCCancel ends a call or stream at once.
func proxyGRPCCancel(_ *vm.VM, c *vm.Context, args []uint64) abi.Status {
	return c.Root().Callouts.GRPCCancel(uint32(args[0]))
}
