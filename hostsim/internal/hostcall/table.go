// Package hostcall holds the functions of the ABI that guests call.
package hostcall

import (
	"context"
	"errors"
	"fmt"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/vm"
	"gatehouse/hostsim/internal/wasm"
)

// hostFunction is a function of the ABI.
type hostFunction struct {
	name string
	// params has a letter for each parameter: i for i32, l for i64.
	params string
	// subject is the position of the pointer to the string that a test with faults sees beside the
	// name: the key, property path, cluster or metric name. It is -1 if there is none.
	subject int
	// since and until are the ABI versions that have the function.
	since, until abi.Version
	run          func(v *vm.VM, c *vm.Context, args []uint64) abi.Status
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

// Functions returns what a host provides in the module "env".
func Functions() []wasm.HostFunction {
	var list []wasm.HostFunction
	for _, f := range hostFunctions() {
		list = append(list, wasm.HostFunction{Name: f.name, Params: f.params, Since: f.since, Until: f.until, Run: f.enter})
	}
	return list
}

// enter runs the function. As in Envoy start functions and allocators may do no more than log: a
// guest that allocates in order to allocate would never come back.
func (f hostFunction) enter(ctx context.Context, args []uint64) abi.Status {
	v := vm.Of(ctx)
	if v.Restricted() && f.name != "proxy_log" {
		panic(errors.New("restricted callback: env." + f.name))
	}
	if v.Services.Fault != nil {
		if status := f.inject(v, args); status != abi.OK {
			return status
		}
	}
	return f.run(v, v.Where(), args)
}

// inject asks what becomes of the call.
func (f hostFunction) inject(v *vm.VM, args []uint64) abi.Status {
	subject := ""
	if f.subject >= 0 {
		if b, ok := v.Bytes(args, f.subject); ok {
			subject = string(b)
		}
	}
	status, trap := v.Services.Fault(f.name, subject, v.Thread.Number(), v.PluginName())
	if trap {
		panic(fmt.Errorf("%w in %s", vm.ErrInjected, f.name))
	}
	return status
}
