package hostsim

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	wapi "github.com/tetratelabs/wazero/api"

	"gatehouse/hostsim/abi"
)

// hostFunction is a function that the host provides in the module "env".
type hostFunction struct {
	name string
	// params has a letter for each parameter: i for i32, l for i64.
	params string
	// subject is the position of the pointer to the string that describes the
	// call to Faults.HostCall, -1 if there is none.
	subject int
	// since and until are the ABI versions that have the function.
	since, until abi.Version
	run          func(v *vm, c *guestContext, args []uint64) abi.Status
}

const (
	since010 = abi.Version010
	since020 = abi.Version020
	since021 = abi.Version021
	until010 = abi.Version010
	newest   = abi.Version021
)

// hostFunctions are the functions of the ABI.
func hostFunctions() []hostFunction {
	return []hostFunction{
		{"proxy_log", "iii", -1, since010, newest, proxyLog},
		{"proxy_get_log_level", "i", -1, since021, newest, proxyGetLogLevel},
		{"proxy_get_current_time_nanoseconds", "i", -1, since010, newest, proxyGetCurrentTime},
		{"proxy_set_tick_period_milliseconds", "i", -1, since010, newest, proxySetTickPeriod},
		{"proxy_set_effective_context", "i", -1, since010, newest, proxySetEffectiveContext},
		{"proxy_done", "", -1, since010, newest, proxyDone},
		{"proxy_get_status", "iii", -1, since010, newest, proxyGetStatus},
		{"proxy_get_configuration", "ii", -1, since010, until010, proxyGetConfiguration},

		{"proxy_get_property", "iiii", 0, since010, newest, proxyGetProperty},
		{"proxy_set_property", "iiii", 0, since010, newest, proxySetProperty},

		{"proxy_get_buffer_bytes", "iiiii", -1, since010, newest, proxyGetBufferBytes},
		{"proxy_get_buffer_status", "iii", -1, since010, newest, proxyGetBufferStatus},
		{"proxy_set_buffer_bytes", "iiiii", -1, since010, newest, proxySetBufferBytes},

		{"proxy_get_header_map_size", "ii", -1, since010, newest, proxyGetHeaderMapSize},
		{"proxy_get_header_map_pairs", "iii", -1, since010, newest, proxyGetHeaderMapPairs},
		{"proxy_set_header_map_pairs", "iii", -1, since010, newest, proxySetHeaderMapPairs},
		{"proxy_get_header_map_value", "iiiii", 1, since010, newest, proxyGetHeaderMapValue},
		{"proxy_add_header_map_value", "iiiii", 1, since010, newest, proxyAddHeaderMapValue},
		{"proxy_replace_header_map_value", "iiiii", 1, since010, newest, proxyReplaceHeaderMapValue},
		{"proxy_remove_header_map_value", "iii", 1, since010, newest, proxyRemoveHeaderMapValue},

		{"proxy_continue_stream", "i", -1, since020, newest, proxyContinueStream},
		{"proxy_close_stream", "i", -1, since020, newest, proxyCloseStream},
		{"proxy_continue_request", "", -1, since010, until010, proxyContinueRequest},
		{"proxy_continue_response", "", -1, since010, until010, proxyContinueResponse},
		{"proxy_clear_route_cache", "", -1, since010, until010, proxyClearRouteCache},
		{"proxy_send_local_response", "iiiiiiii", 1, since010, newest, proxySendLocalResponse},

		{"proxy_get_shared_data", "iiiii", 0, since010, newest, proxyGetSharedData},
		{"proxy_set_shared_data", "iiiii", 0, since010, newest, proxySetSharedData},
		{"proxy_register_shared_queue", "iii", 0, since010, newest, proxyRegisterSharedQueue},
		{"proxy_resolve_shared_queue", "iiiii", 2, since010, newest, proxyResolveSharedQueue},
		{"proxy_enqueue_shared_queue", "iii", -1, since010, newest, proxyEnqueueSharedQueue},
		{"proxy_dequeue_shared_queue", "iii", -1, since010, newest, proxyDequeueSharedQueue},

		{"proxy_define_metric", "iiii", 1, since010, newest, proxyDefineMetric},
		{"proxy_increment_metric", "il", -1, since010, newest, proxyIncrementMetric},
		{"proxy_record_metric", "il", -1, since010, newest, proxyRecordMetric},
		{"proxy_get_metric", "ii", -1, since010, newest, proxyGetMetric},

		{"proxy_http_call", "iiiiiiiiii", 0, since010, newest, proxyHTTPCall},
		{"proxy_grpc_call", "iiiiiiiiiiii", 0, since010, newest, proxyGRPCCall},
		{"proxy_grpc_stream", "iiiiiiiii", 0, since010, newest, proxyGRPCStream},
		{"proxy_grpc_send", "iiii", -1, since010, newest, proxyGRPCSend},
		{"proxy_grpc_cancel", "i", -1, since010, newest, proxyGRPCCancel},
		{"proxy_grpc_close", "i", -1, since010, newest, proxyGRPCClose},

		{"proxy_call_foreign_function", "iiiiii", 0, since010, newest, proxyCallForeignFunction},
	}
}

// signature is the function's type.
func (f hostFunction) signature() signature { return signatureOf(f.params, "i") }

// hostFunctionOf returns the signature of the function of that name in the
// module "env" of a host of that version, and whether there is one.
func hostFunctionOf(name string, version abi.Version) (signature, bool) {
	switch name {
	case "emscripten_notify_memory_growth":
		return signatureOf("i", ""), true
	case "pthread_equal":
		return signatureOf("ii", "i"), true
	}
	for _, f := range hostFunctions() {
		if f.name == name && f.since <= version && version <= f.until {
			return f.signature(), true
		}
	}
	return signature{}, false
}

// instantiateHostFunctions provides the module "env". Which VM calls is in the
// context of the call, so that one module serves every VM.
func instantiateHostFunctions(ctx context.Context, r wazero.Runtime) error {
	i32 := wapi.ValueTypeI32
	b := r.NewHostModuleBuilder("env")
	for _, f := range hostFunctions() {
		s := f.signature()
		b.NewFunctionBuilder().WithGoModuleFunction(f, s.params, s.results).Export(f.name)
	}
	// What Emscripten's C library imports beside the ABI.
	b.NewFunctionBuilder().
		WithGoFunction(wapi.GoFunc(func(context.Context, []uint64) {}), []wapi.ValueType{i32}, nil).
		Export("emscripten_notify_memory_growth")
	b.NewFunctionBuilder().
		WithGoFunction(wapi.GoFunc(func(_ context.Context, stack []uint64) {
			equal := uint64(0)
			if uint32(stack[0]) == uint32(stack[1]) {
				equal = 1
			}
			stack[0] = equal
		}), []wapi.ValueType{i32, i32}, []wapi.ValueType{i32}).
		Export("pthread_equal")
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("hostsim: host functions: %w", err)
	}
	return nil
}

// Call implements wazero's GoModuleFunction. As in Envoy start functions and
// allocators may do no more than log: a guest that allocates in order to allocate
// would never come back.
func (f hostFunction) Call(ctx context.Context, _ wapi.Module, stack []uint64) {
	v := vmOf(ctx)
	if v.restricted && f.name != "proxy_log" {
		panic(errors.New("restricted callback: env." + f.name))
	}
	if v.host.opts.Faults.HostCall != nil {
		if status := f.inject(v, stack); status != abi.OK {
			stack[0] = uint64(status)
			return
		}
	}
	// A function without parameters still has a slot for its result.
	stack[0] = uint64(f.run(v, v.where(), stack))
}

// inject asks Faults.HostCall what becomes of the call.
func (f hostFunction) inject(v *vm, args []uint64) abi.Status {
	call := HostCall{Name: f.name, Worker: v.thread.number, Plugin: v.current.pluginName()}
	if f.subject >= 0 {
		if b, ok := v.bytes(args, f.subject); ok {
			call.Subject = string(b)
		}
	}
	fault := v.host.opts.Faults.HostCall(call)
	if fault.Trap {
		panic(fmt.Errorf("%w in %s", errInjectedTrap, f.name))
	}
	return fault.Status
}

// bytes returns the guest's bytes that args[i] points to and whose number is
// args[i+1]. They are the guest's own memory: they must be copied to be kept,
// and before anything is allocated.
func (v *vm) bytes(args []uint64, i int) ([]byte, bool) {
	return v.memory.Read(uint32(args[i]), uint32(args[i+1]))
}

// pairs reads a serialised map. As in Envoy one that is malformed is empty.
func (v *vm) pairs(args []uint64, i int) ([]Header, bool) {
	b, ok := v.bytes(args, i)
	if !ok {
		return nil, false
	}
	pairs, _ := abi.ParsePairs(b)
	return pairs, true
}

// put32 stores a 32-bit result.
func (v *vm) put32(at uint64, value uint32) abi.Status {
	if !v.memory.WriteUint32Le(uint32(at), value) {
		return abi.InvalidMemoryAccess
	}
	return abi.OK
}

// put64 stores a 64-bit result.
func (v *vm) put64(at uint64, value uint64) abi.Status {
	if !v.memory.WriteUint64Le(uint32(at), value) {
		return abi.InvalidMemoryAccess
	}
	return abi.OK
}
