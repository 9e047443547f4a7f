package hostsim_test

import (
	"slices"
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
	// start is one more export of the marker's empty function.
	start string
}

func tinyFilter() tiny {
	return tiny{marker: "proxy_abi_version_0_2_1", allocate: "proxy_on_memory_allocate", headerParams: 3, start: "_initialize"}
}

// wasm writes the module (https://webassembly.github.io/spec/core/binary/). All
// numbers in it are below 128 or written as two LEB128 bytes.
func (f tiny) wasm() []byte {
	const i32, fn, end = 0x7f, 0x60, 0x0b
	name := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	vec := func(items ...[]byte) []byte {
		return append([]byte{byte(len(items))}, slices.Concat(items...)...)
	}
	section := func(id byte, content []byte) []byte {
		size := []byte{byte(len(content)&0x7f) | 0x80, byte(len(content) >> 7)}
		return slices.Concat([]byte{id}, size, content)
	}
	params := func(n int) []byte { return append([]byte{byte(n)}, slices.Repeat([]byte{i32}, n)...) }
	body := func(code ...byte) []byte { return append([]byte{byte(len(code) + 2), 0}, append(code, end)...) }
	constant := func(n byte) []byte { return []byte{0x41, n} }

	imports := [][]byte{slices.Concat(name("env"), name("proxy_add_header_map_value"), []byte{0, 0})}
	if f.more != "" {
		imports = append(imports, slices.Concat(name("env"), name(f.more), []byte{0, 4}))
	}
	first := byte(len(imports)) // the index of the first function of its own
	exports := [][]byte{
		slices.Concat(name("memory"), []byte{2, 0}),
		slices.Concat(name(f.marker), []byte{0, first}),
		slices.Concat(name(f.allocate), []byte{0, first + 1}),
		slices.Concat(name("proxy_on_request_headers"), []byte{0, first + 2}),
		slices.Concat(name(f.start), []byte{0, first}),
	}
	call := slices.Concat(constant(0), constant(16), constant(10), constant(26), constant(3), []byte{0x10, 0, 0x1a}, constant(0))
	return slices.Concat(
		[]byte{0, 'a', 's', 'm', 1, 0, 0, 0},
		section(1, vec(
			slices.Concat([]byte{fn}, params(5), params(1)),
			slices.Concat([]byte{fn}, params(0), params(0)),
			slices.Concat([]byte{fn}, params(1), params(1)),
			slices.Concat([]byte{fn}, params(f.headerParams), params(1)),
			slices.Concat([]byte{fn}, params(1), params(1)),
		)),
		section(2, vec(imports...)),
		section(3, []byte{3, 1, 2, 3}),
		section(5, []byte{1, 0, 1}),
		section(7, vec(exports...)),
		section(10, vec(body(), body(0x41, 0x80, 0x08), body(call...))),
		section(11, vec(slices.Concat([]byte{0, 0x41, 16, end}, name("x-filteredyes")))),
	)
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
