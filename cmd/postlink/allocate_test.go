package main

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"gatehouse/cmd/postlink/module"
)

// The parts of a module as Go's linker makes them, as far as postlink reads them: one import, a
// function of its own that returns 1 for any size, its export, a memory, and an arena's variable at
// address 64.
var (
	types     = "\x01\x09\x02" + "\x60\x00\x00" + "\x60\x01\x7f\x01\x7f"
	imports   = "\x02\x08\x01" + "\x01e" + "\x02fn" + "\x00\x00"
	functions = "\x03\x02\x01\x01"
	memory    = "\x05\x03\x01\x00\x01"
	code      = "\x0a\x06\x01\x04\x00\x41\x01\x0b"
)

func exportsOf(t *testing.T, exports ...export) string {
	m := &sections{all: []section{{id: exportSection}}}
	require.NoError(t, m.setExports(exports))
	return string(m.bytes()[len(module.Header):])
}

func dataOf(segments ...string) string {
	content := binary.AppendUvarint(nil, uint64(len(segments)))
	for i, s := range segments {
		content = append(appendInt32(append(content, 0, opConst), int32(64+64*i)), opEnd)
		content = append(binary.AppendUvarint(content, uint64(len(s))), s...)
	}
	return "\x0b" + string(binary.AppendUvarint(nil, uint64(len(content)))) + string(content)
}

func linkedModule(t *testing.T, data string) []byte {
	exports := exportsOf(t, export{"proxy_on_memory_allocate", functionKind, 1}, export{"proxy_on_queue_ready", functionKind, 1},
		export{"memory", 2, 0})
	return []byte(module.Header + types + imports + functions + memory + exports + code + data)
}

func arenaVariable(next, end uint32) string {
	b := binary.LittleEndian.AppendUint32([]byte(arenaMark), next)
	return string(binary.LittleEndian.AppendUint32(b, end))
}

// start starts the finished module in a runtime of somebody else's.
func start(t *testing.T, finished []byte) api.Module {
	t.Helper()
	runtime := wazero.NewRuntime(t.Context())
	t.Cleanup(func() { _ = runtime.Close(t.Context()) })
	_, err := runtime.NewHostModuleBuilder("e").NewFunctionBuilder().WithFunc(func() {}).Export("fn").Instantiate(t.Context())
	require.NoError(t, err)
	m, err := runtime.Instantiate(t.Context(), finished)
	require.NoError(t, err)
	return m
}

func TestTheArenaServesUntilItIsFull(t *testing.T) {
	finished, err := finish(linkedModule(t, dataOf("something else", "padding!"+arenaVariable(1000, 1100))))
	require.NoError(t, err)
	m := start(t, finished)
	allocate := func(size uint32) uint32 {
		results, err := m.ExportedFunction("proxy_on_memory_allocate").Call(t.Context(), uint64(size))
		require.NoError(t, err)
		return uint32(results[0])
	}
	const original = 1
	assert.EqualValues(t, 1000, allocate(3))
	assert.EqualValues(t, 1008, allocate(8), "each begins at a multiple of eight")
	assert.EqualValues(t, 1016, allocate(0))
	for _, size := range []uint32{85, 1 << 31, 1<<32 - 1, 1<<32 - 1016, 1<<32 - 1015} {
		assert.EqualValues(t, original, allocate(size), "%d is more than there is", size)
	}
	assert.EqualValues(t, 1016, allocate(84), "up to the last byte")
	assert.EqualValues(t, original, allocate(0), "the next address is past the end")
	assert.EqualValues(t, original, allocate(1))
	variables := uint32(128 + len("padding!") + len(arenaMark))
	require.True(t, m.Memory().WriteUint32Le(variables, 2000))
	require.True(t, m.Memory().WriteUint32Le(variables+4, 2010))
	assert.EqualValues(t, 2000, allocate(10), "the module opens it again")
	require.True(t, m.Memory().WriteUint32Le(variables+4, 0))
	assert.EqualValues(t, original, allocate(1), "a closed arena serves nothing")
}

func TestUnusedCallbacksAreNotExported(t *testing.T) {
	finished, err := finish(linkedModule(t, dataOf(arenaVariable(0, 0))))
	require.NoError(t, err)
	m := start(t, finished)
	assert.NotNil(t, m.ExportedFunction("proxy_on_memory_allocate"))
	assert.Nil(t, m.ExportedFunction("proxy_on_queue_ready"))
}

func TestAModuleThatIsNotUnderstoodIsRefused(t *testing.T) {
	good := linkedModule(t, dataOf(arenaVariable(0, 0)))
	for what, c := range map[string]struct {
		module []byte
		err    string
	}{
		"no arena":    {linkedModule(t, dataOf("nothing")), "no arena"},
		"two arenas":  {linkedModule(t, dataOf(arenaVariable(0, 0), arenaVariable(0, 0))), "twice"},
		"no data":     {linkedModule(t, ""), "no section 11"},
		"no export":   {[]byte(module.Header + types + imports + functions + memory + exportsOf(t) + code + dataOf(arenaVariable(0, 0))), "doesn't export"},
		"an import":   {[]byte(module.Header + types + imports + functions + memory + exportsOf(t, export{"proxy_on_memory_allocate", functionKind, 0}) + code + dataOf(arenaVariable(0, 0))), "is an import"},
		"not a wasm":  {[]byte("ELF"), "not a WebAssembly module"},
		"linked once": {slices.Concat(good, []byte("\x00\x12\x11gatehouse.version")), "already"},
	} {
		_, err := finish(c.module)
		assert.ErrorContains(t, err, c.err, what)
	}
	for n := range good { // cut short anywhere
		_, err := finish(good[:n])
		assert.Error(t, err, n)
	}
	_, err := finish(good)
	assert.NoError(t, err)
}
