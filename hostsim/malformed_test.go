package hostsim_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
)

// Filters that misbehave, and what Envoy 1.40 was seen to make of them.

const (
	importPairs = iota
	importLog
	importReply
	importGRPC
	importFDWrite
	importExit
)

// misbehaving is a filter with an empty allocator, and more functions. Its data
// is a gRPC service whose cluster nobody knows.
func misbehaving(more ...exportedFunc) assembly {
	a := assembly{
		imports: []importedFunc{
			importPairs:   {"env", "proxy_get_header_map_pairs", funcType{"iii", "i"}},
			importLog:     {"env", "proxy_log", funcType{"iii", "i"}},
			importReply:   {"env", "proxy_send_local_response", funcType{"iiiiiiii", "i"}},
			importGRPC:    {"env", "proxy_grpc_call", funcType{"iiiiiiiiiiii", "i"}},
			importFDWrite: {"wasi_snapshot_preview1", "fd_write", funcType{"iiii", "i"}},
			importExit:    {"wasi_snapshot_preview1", "proc_exit", funcType{"i", ""}},
		},
		funcs: append([]exportedFunc{{"proxy_abi_version_0_2_1", funcType{}, nil}}, more...),
		data:  "\x0a\x03\x0a\x01x",
		pages: 1,
	}
	for _, f := range more {
		if f.name == "proxy_on_memory_allocate" {
			return a
		}
	}
	a.funcs = append(a.funcs, exportedFunc{"proxy_on_memory_allocate", funcType{"i", "i"}, i32(1024)})
	return a
}

// onRequest is a callback that runs code and continues.
func onRequest(code []byte) exportedFunc {
	return exportedFunc{"proxy_on_request_headers", funcType{"iii", "i"}, append(slices.Clone(code), i32(0)...)}
}

// startMisbehaving starts it; the host is closed at the test's end.
func startMisbehaving(t *testing.T, a assembly) (*hostsim.Host, *journal, error) {
	t.Helper()
	m, err := hostsim.Compile(t.Context(), a.wasm(), "")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close(t.Context())) })
	logs := &journal{}
	h, err := hostsim.New(t.Context(), m, hostsim.Options{Plugins: []hostsim.Plugin{{Name: "bad"}}, Log: logs.add})
	if err == nil {
		t.Cleanup(h.Close)
	}
	return h, logs, err
}

func TestAnAllocatorMayLogAndNoMore(t *testing.T) {
	for _, c := range []struct {
		name       string
		code       []byte
		status, is string
	}{
		{"logs", callWith(importLog, 2, dataAt+4, 1), "200", "x"},
		{"allocates", callWith(importPairs, 0, 0, 4), "503", "Function: proxy_on_memory_allocate failed: restricted callback: env.proxy_get_header_map_pairs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, logs, err := startMisbehaving(t, misbehaving(
				exportedFunc{"proxy_on_memory_allocate", funcType{"i", "i"}, append(c.code, i32(1024)...)},
				onRequest(callWith(importPairs, 0, 0, 4)),
			))
			require.NoError(t, err)
			assert.Equal(t, c.status, visit(h, "/").Downstream().Status())
			assert.Contains(t, strings.Join(logs.take(), "\n"), c.is)
		})
	}
}

func TestAStartFunctionMayLogAndNoMore(t *testing.T) {
	start := func(code []byte) exportedFunc { return exportedFunc{"_initialize", funcType{}, code} }
	h, _, err := startMisbehaving(t, misbehaving(start(callWith(importLog, 2, dataAt+4, 1))))
	require.NoError(t, err)
	assert.Equal(t, "200", visit(h, "/").Downstream().Status())

	_, logs, err := startMisbehaving(t, misbehaving(start(callWith(importReply, 200, 0, 0, 0, 0, 0, 0, -1))))
	require.ErrorIs(t, err, hostsim.ErrConfig)
	assert.Contains(t, strings.Join(logs.take(), "\n"), "Function: _initialize failed: restricted callback: env.proxy_send_local_response")
}

func TestAGuestThatCallsItselfWithoutEndFails(t *testing.T) {
	again := callWith(importGRPC, dataAt, 5, dataAt, 0, dataAt, 0, 0, 0, 0, 0, 1000, 0)
	itself := slices.Concat(i32(0), i32(0), i32(0), call(importExit+2)) // after the imports and the marker
	for name, a := range map[string]assembly{
		"through the host": misbehaving(onRequest(again), exportedFunc{"proxy_on_grpc_close", funcType{"iii", ""}, again}),
		"by itself":        misbehaving(exportedFunc{"proxy_on_request_headers", funcType{"iii", "i"}, itself}),
	} {
		t.Run(name, func(t *testing.T) {
			h, logs, err := startMisbehaving(t, a)
			require.NoError(t, err)
			assert.Equal(t, "503", visit(h, "/").Downstream().Status())
			assert.True(t, h.Failed(0, "bad"))
			assert.Contains(t, strings.Join(logs.take(), "\n"), "stack overflow")
		})
	}
}

func TestAnExitIsNoEnd(t *testing.T) {
	h, _, err := startMisbehaving(t, misbehaving(onRequest(append(i32(7), call(importExit)...))))
	require.NoError(t, err)
	assert.Equal(t, "200", visit(h, "/").Downstream().Status())
	assert.False(t, h.Failed(0, "bad"))
}

// A list of pieces that all lie over each other is longer than any memory.
func TestAWriteLongerThanTheMemoryIsRefused(t *testing.T) {
	a := misbehaving(onRequest(callWith(importFDWrite, 1, dataAt, 64, 0)))
	a.data = strings.Repeat("\x00\x00\x00\x00\x00\x80\x00\x00", 64) // 32 KiB from 0
	h, logs, err := startMisbehaving(t, a)
	require.NoError(t, err)
	assert.Equal(t, "200", visit(h, "/").Downstream().Status())
	assert.Empty(t, logs.take())
}

func TestAModuleOfAnotherFormIsRefused(t *testing.T) {
	hidden, imported := misbehaving(), misbehaving()
	hidden.hideMemory = true
	imported.importMemory = true
	signature := func(name, params, results string) assembly {
		return misbehaving(exportedFunc{name, funcType{params, results}, []byte{opUnreachable}})
	}
	wrongImport := misbehaving()
	wrongImport.imports[importLog].funcType = funcType{"ii", "l"}
	for _, c := range []struct {
		module assembly
		want   string
	}{
		{signature("proxy_on_response_headers", "iii", ""), "Bad function signature for: proxy_on_response_headers, want: i32 i32 i32 -> i32, but the module exports: i32 i32 i32 -> void"},
		{signature("proxy_on_response_headers", "ii", "i"), "Bad function signature for: proxy_on_response_headers"},
		{signature("proxy_on_response_headers", "iiiiiiiiii", "i"), "Bad function signature for: proxy_on_response_headers"},
		{signature("proxy_on_memory_allocate", "iii", "l"), "Bad function signature for: proxy_on_memory_allocate, want: i32 -> i32, but the module exports: i32 i32 i32 -> i64"},
		{signature("proxy_on_log", "l", ""), "Bad function signature for: proxy_on_log"},
		{signature("_initialize", "i", ""), "Bad function signature for: _initialize, want: void -> void, but the module exports: i32 -> void"},
		{wrongImport, "import type mismatch: env.proxy_log, want: i32 i32 -> i64, but host exports: i32 i32 i32 -> i32"},
		{hidden, "it exports no memory"},
		{imported, "it imports its memory"},
	} {
		t.Run(c.want, func(t *testing.T) {
			_, err := hostsim.Compile(t.Context(), c.module.wasm(), "")
			require.ErrorIs(t, err, hostsim.ErrModule)
			assert.ErrorContains(t, err, c.want)
		})
	}
}
