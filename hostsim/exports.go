package hostsim

import (
	"fmt"
	"slices"
	"strings"

	wapi "github.com/tetratelabs/wazero/api"

	"gatehouse/hostsim/abi"
)

// guestFunction is one of the guest's functions.
type guestFunction struct {
	name string
	f    wapi.Function // nil if the guest doesn't export it
}

func (g guestFunction) exported() bool { return g.f != nil }

// guestFunctions are the functions that the host calls.
type guestFunctions struct {
	allocate, contextCreate, vmStart, configure, tick, queueReady guestFunction
	request, response                                             messageFunctions
	httpCallResponse, grpcInitialMetadata, grpcReceive            guestFunction
	grpcTrailingMetadata, grpcClose, done, log, delete            guestFunction
}

// messageFunctions are the callbacks of a message that passes the filter.
type messageFunctions struct{ headers, body, trailers guestFunction }

// guestExport is a function that a guest may export for the host to call.
type guestExport struct {
	name string
	// params and results have a letter each: i for i32.
	params, results string
	// in is where it is kept; nil for those that are called only once.
	in func(*guestFunctions) *guestFunction
}

// guestExports are the exports of a guest of that version. Of two that are kept
// in one place the later one counts.
func guestExports(version abi.Version) []guestExport {
	headers := "iii"
	if version == abi.Version010 {
		headers = "ii" // it was not yet told whether the stream ends
	}
	allocate := func(g *guestFunctions) *guestFunction { return &g.allocate }
	return []guestExport{
		{"_initialize", "", "", nil},
		{"_start", "", "", nil},
		{"proxy_on_memory_allocate", "i", "i", allocate},
		{"malloc", "i", "i", allocate},
		{"proxy_on_context_create", "ii", "", func(g *guestFunctions) *guestFunction { return &g.contextCreate }},
		{"proxy_on_vm_start", "ii", "i", func(g *guestFunctions) *guestFunction { return &g.vmStart }},
		{"proxy_on_configure", "ii", "i", func(g *guestFunctions) *guestFunction { return &g.configure }},
		{"proxy_on_tick", "i", "", func(g *guestFunctions) *guestFunction { return &g.tick }},
		{"proxy_on_queue_ready", "ii", "", func(g *guestFunctions) *guestFunction { return &g.queueReady }},
		{"proxy_on_request_headers", headers, "i", func(g *guestFunctions) *guestFunction { return &g.request.headers }},
		{"proxy_on_request_body", "iii", "i", func(g *guestFunctions) *guestFunction { return &g.request.body }},
		{"proxy_on_request_trailers", "ii", "i", func(g *guestFunctions) *guestFunction { return &g.request.trailers }},
		{"proxy_on_response_headers", headers, "i", func(g *guestFunctions) *guestFunction { return &g.response.headers }},
		{"proxy_on_response_body", "iii", "i", func(g *guestFunctions) *guestFunction { return &g.response.body }},
		{"proxy_on_response_trailers", "ii", "i", func(g *guestFunctions) *guestFunction { return &g.response.trailers }},
		{"proxy_on_http_call_response", "iiiii", "", func(g *guestFunctions) *guestFunction { return &g.httpCallResponse }},
		{"proxy_on_grpc_receive_initial_metadata", "iii", "", func(g *guestFunctions) *guestFunction { return &g.grpcInitialMetadata }},
		{"proxy_on_grpc_receive", "iii", "", func(g *guestFunctions) *guestFunction { return &g.grpcReceive }},
		{"proxy_on_grpc_receive_trailing_metadata", "iii", "", func(g *guestFunctions) *guestFunction { return &g.grpcTrailingMetadata }},
		{"proxy_on_grpc_close", "iii", "", func(g *guestFunctions) *guestFunction { return &g.grpcClose }},
		{"proxy_on_done", "i", "i", func(g *guestFunctions) *guestFunction { return &g.done }},
		{"proxy_on_log", "i", "", func(g *guestFunctions) *guestFunction { return &g.log }},
		{"proxy_on_delete", "i", "", func(g *guestFunctions) *guestFunction { return &g.delete }},
	}
}

// checkExports reports the first function that the host can't call as it must.
// Envoy refuses such a module when it loads it.
func checkExports(exports map[string]wapi.FunctionDefinition, version abi.Version) error {
	for _, e := range guestExports(version) {
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

// bind looks the guest's exports up.
func (v *vm) bind() {
	for _, e := range guestExports(v.host.module.version) {
		if g := v.export(e.name); e.in != nil && g.exported() {
			*e.in(&v.guest) = g
		}
	}
}

func (v *vm) export(name string) guestFunction {
	return guestFunction{name, v.instance.ExportedFunction(name)}
}

// signature is the type of a function.
type signature struct{ params, results []wapi.ValueType }

// signatureOf reads a type that is written with a letter for each parameter and
// result: i for i32, l for i64.
func signatureOf(params, results string) signature {
	types := func(letters string) []wapi.ValueType {
		list := make([]wapi.ValueType, len(letters))
		for i, letter := range letters {
			list[i] = wapi.ValueTypeI32
			if letter == 'l' {
				list[i] = wapi.ValueTypeI64
			}
		}
		return list
	}
	return signature{types(params), types(results)}
}

func signatureOfDefinition(f wapi.FunctionDefinition) signature {
	return signature{f.ParamTypes(), f.ResultTypes()}
}

func (s signature) equal(o signature) bool {
	return slices.Equal(s.params, o.params) && slices.Equal(s.results, o.results)
}

// String writes the type as Envoy's errors do: "i32 i32 -> void".
func (s signature) String() string {
	list := func(types []wapi.ValueType) string {
		if len(types) == 0 {
			return "void"
		}
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = wapi.ValueTypeName(t)
		}
		return strings.Join(names, " ")
	}
	return list(s.params) + " -> " + list(s.results)
}
