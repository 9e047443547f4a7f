package hostsim_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

// tiny is a filter assembled by hand: it adds "x-filtered: yes" to each request.
// In WebAssembly's text format:
//
//	(module
//	  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
//	  (memory (export "memory") 1)
//	  (data (i32.const 16) "x-filteredyes")
//	  (func (export "proxy_abi_version_0_2_1"))
//	  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
//	  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
//	    (drop (call $add (i32.const 0) (i32.const 16) (i32.const 10) (i32.const 26) (i32.const 3)))
//	    (i32.const 0)))
type tiny struct {
	marker, allocate string
	// headerParams are the parameters of proxy_on_request_headers.
	headerParams int
	// more is a function to import besides, without parameters.
	more string
	// start is an empty start function.
	start string
}

func tinyFilter() tiny {
	return tiny{marker: "proxy_abi_version_0_2_1", allocate: "proxy_on_memory_allocate", headerParams: 3, start: "_initialize"}
}

func (f tiny) wasm() []byte {
	imports := []importedFunc{{"env", "proxy_add_header_map_value", funcType{"iiiii", "i"}}}
	if f.more != "" {
		imports = append(imports, importedFunc{"env", f.more, funcType{"i", "i"}})
	}
	return assembly{
		imports: imports,
		funcs: []exportedFunc{
			{f.marker, funcType{}, nil},
			{f.start, funcType{}, nil},
			{f.allocate, funcType{"i", "i"}, i32(1024)},
			{"proxy_on_request_headers", funcType{strings.Repeat("i", f.headerParams), "i"},
				append(callWith(0, 0, dataAt, 10, dataAt+10, 3), i32(0)...)},
		},
		data:  "x-filteredyes",
		pages: 1,
	}.wasm()
}

func TestFiltersOfAllKnownABIVersionsRun(t *testing.T) {
	old := tinyFilter()
	old.marker, old.allocate, old.headerParams, old.start = "proxy_abi_version_0_1_0", "malloc", 2, "_start"
	middle := tinyFilter()
	middle.marker = "proxy_abi_version_0_2_0"
	for want, f := range map[abi.Version]tiny{abi.Version010: old, abi.Version020: middle, abi.Version021: tinyFilter()} {
		m, err := hostsim.Compile(t.Context(), f.wasm(), t.TempDir())
		require.NoError(t, err)
		assert.Equal(t, want, m.ABIVersion())
		h, err := hostsim.New(t.Context(), m, hostsim.Options{Plugins: []hostsim.Plugin{{Name: "tiny"}}})
		require.NoError(t, err)
		s := h.RoundTrip(0, hostsim.Request{}, answer)
		assert.Equal(t, "yes", s.Upstream().Headers.Get("x-filtered"), "ABI %s", want)
		assert.Equal(t, "200", s.Downstream().Status())
		h.Close()
		require.NoError(t, m.Close(t.Context()))
	}
}

func TestAModuleMayImportOnlyWhatItsABIVersionHas(t *testing.T) {
	for marker, imports := range map[string]string{
		"proxy_abi_version_0_2_0": "proxy_get_log_level",
		"proxy_abi_version_0_2_1": "proxy_get_configuration",
		"proxy_abi_version_0_1_0": "proxy_continue_stream",
	} {
		f := tinyFilter()
		f.marker, f.more = marker, imports
		if marker == "proxy_abi_version_0_1_0" {
			f.headerParams = 2
		}
		_, err := hostsim.Compile(t.Context(), f.wasm(), "")
		require.ErrorIs(t, err, hostsim.ErrModule)
		assert.ErrorContains(t, err, "missing import: env."+imports)
	}
}

func TestAModuleNeedsAnAllocator(t *testing.T) {
	f := tinyFilter()
	f.allocate = "something_else"
	_, err := hostsim.Compile(t.Context(), f.wasm(), "")
	require.ErrorIs(t, err, hostsim.ErrModule)
	assert.ErrorContains(t, err, "proxy_on_memory_allocate")
}
