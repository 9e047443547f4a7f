package wasm

import (
	"fmt"

	wapi "github.com/tetratelabs/wazero/api"

	"gatehouse/hostsim/abi"
)

// Callback is one of the functions that a guest may export for the host to call.
type Callback int

// The callbacks.
const (
	Allocate Callback = iota
	ContextCreate
	VMStart
	Configure
	Tick
	QueueReady
	RequestHeaders
	RequestBody
	RequestTrailers
	ResponseHeaders
	ResponseBody
	ResponseTrailers
	HTTPCallResponse
	GRPCInitialMetadata
	GRPCReceive
	GRPCTrailingMetadata
	GRPCClose
	Done
	Log
	Delete
	callbacks
	// start marks the functions that run once, before any callback.
	start Callback = -1
)

// export is a function that the host looks for in a guest.
type export struct {
	name string
	// params and results have a letter for each value: i for i32.
	params, results string
	callback        Callback
}

// exportsOf lists the exports of a guest of that version. Where two have the same callback the
// later one counts.
func exportsOf(version abi.Version) []export {
	headers := "iii"
	if version == abi.Version010 {
		headers = "ii" // this version does not tell whether the stream ends
	}
	return []export{
		{"_initialize", "", "", start},
		{"_start", "", "", start},
		{"proxy_on_memory_allocate", "i", "i", Allocate},
		{"malloc", "i", "i", Allocate},
		{"proxy_on_context_create", "ii", "", ContextCreate},
		{"proxy_on_vm_start", "ii", "i", VMStart},
		{"proxy_on_configure", "ii", "i", Configure},
		{"proxy_on_tick", "i", "", Tick},
		{"proxy_on_queue_ready", "ii", "", QueueReady},
		{"proxy_on_request_headers", headers, "i", RequestHeaders},
		{"proxy_on_request_body", "iii", "i", RequestBody},
		{"proxy_on_request_trailers", "ii", "i", RequestTrailers},
		{"proxy_on_response_headers", headers, "i", ResponseHeaders},
		{"proxy_on_response_body", "iii", "i", ResponseBody},
		{"proxy_on_response_trailers", "ii", "i", ResponseTrailers},
		{"proxy_on_http_call_response", "iiiii", "", HTTPCallResponse},
		{"proxy_on_grpc_receive_initial_metadata", "iii", "", GRPCInitialMetadata},
		{"proxy_on_grpc_receive", "iii", "", GRPCReceive},
		{"proxy_on_grpc_receive_trailing_metadata", "iii", "", GRPCTrailingMetadata},
		{"proxy_on_grpc_close", "iii", "", GRPCClose},
		{"proxy_on_done", "i", "i", Done},
		{"proxy_on_log", "i", "", Log},
		{"proxy_on_delete", "i", "", Delete},
	}
}

// checkExports reports the first function that the host can't call as it must. Envoy refuses such a
// module when it loads it.
func checkExports(exports map[string]wapi.FunctionDefinition, version abi.Version) error {
	for _, e := range exportsOf(version) {
		f := exports[e.name]
		if f == nil {
			continue
		}
		if want, has := signatureOf(e.params, e.results), signatureOfDefinition(f); !want.equal(has) {
			return fmt.Errorf("%w: Bad function signature for: %s, want: %s, but the module exports: %s", ErrModule, e.name, want, has)
		}
	}
	return nil
}
