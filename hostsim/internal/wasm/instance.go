package wasm

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/tetratelabs/wazero"
	wapi "github.com/tetratelabs/wazero/api"

	"gatehouse/hostsim/abi"
)

// Instance is a guest: one instance of a module with its memory. It is not safe for concurrent use.
type Instance struct {
	ctx       context.Context
	module    wapi.Module
	memory    wapi.Memory
	callbacks [callbacks]Function
	stack     [8]uint64
}

// Function is one of the guest's functions.
type Function struct {
	Name string
	f    wapi.Function
}

// Exported reports whether the guest has the function.
func (f Function) Exported() bool { return f.f != nil }

// NewInstance makes a guest. Host functions see ctx's values. None of the guest's code runs yet.
func NewInstance(ctx context.Context, m *Module, env map[string]string, random io.Reader, s System) (*Instance, error) {
	i := &Instance{ctx: context.WithValue(ctx, systemKey{}, s)}
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(random)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cfg = cfg.WithEnv(name, env[name])
	}
	var err error
	if i.module, err = m.runtime.InstantiateModule(i.ctx, m.compiled, cfg); err != nil {
		return nil, fmt.Errorf("%w: instantiate: %w", ErrModule, err)
	}
	i.memory = i.module.Memory()
	for _, e := range exportsOf(m.version) {
		if f := i.Export(e.name); e.callback != start && f.Exported() {
			i.callbacks[e.callback] = f
		}
	}
	return i, nil
}

// Close gives the guest's memory back. None of its code may be running.
func (i *Instance) Close() {
	_ = i.module.Close(i.ctx) // the guest has nothing to flush: an error here says nothing
}

// Export looks a function up by its name.
func (i *Instance) Export(name string) Function {
	return Function{name, i.module.ExportedFunction(name)}
}

// Callback returns the guest's function for a callback.
func (i *Instance) Callback(c Callback) Function { return i.callbacks[c] }

// Start runs a start function: _initialize, _start or main. Each parameter is 0.
func (i *Instance) Start(f Function) error {
	_, err := f.f.Call(i.ctx, make([]uint64, len(f.f.Definition().ParamTypes()))...)
	return err
}

// Call runs f. An error is a trap: the guest must not be called again. Calls don't nest, but for
// CallAllocator.
func (i *Instance) Call(f Function, args ...uint64) (result uint64, err error) {
	stack := i.stack[:]
	copy(stack, args)
	err = f.f.CallWithStack(i.ctx, stack)
	return stack[0], err
}

// CallAllocator asks the guest for size bytes while a host function runs, and returns their
// address; 0 means that the guest has none.
func (i *Instance) CallAllocator(size uint32) (address uint32, err error) {
	stack := [1]uint64{uint64(size)}
	err = i.callbacks[Allocate].f.CallWithStack(i.ctx, stack[:])
	return uint32(stack[0]), err
}

// MemoryBytes returns the size of the guest's memory.
func (i *Instance) MemoryBytes() uint32 { return i.memory.Size() }

// Read returns size bytes at an address, and whether they lie in the guest's memory. They are that
// memory itself: copy them before anything is allocated.
func (i *Instance) Read(address, size uint32) ([]byte, bool) { return i.memory.Read(address, size) }

// Bytes reads what args[n] points to; args[n+1] is the size.
func (i *Instance) Bytes(args []uint64, n int) ([]byte, bool) {
	return i.memory.Read(uint32(args[n]), uint32(args[n+1]))
}

// Pairs reads a serialised map as Bytes does. As in Envoy a malformed map is empty.
func (i *Instance) Pairs(args []uint64, n int) ([]abi.Pair, bool) {
	b, ok := i.Bytes(args, n)
	if !ok {
		return nil, false
	}
	pairs, _ := abi.ParsePairs(b)
	return pairs, true
}

// Write copies b to an address and reports whether it lies in the guest's memory.
func (i *Instance) Write(address uint32, b []byte) bool { return i.memory.Write(address, b) }

// Put32 stores a 32-bit result.
func (i *Instance) Put32(at uint64, value uint32) abi.Status {
	if !i.memory.WriteUint32Le(uint32(at), value) {
		return abi.InvalidMemoryAccess
	}
	return abi.OK
}

// Put64 stores a 64-bit result.
func (i *Instance) Put64(at uint64, value uint64) abi.Status {
	if !i.memory.WriteUint64Le(uint32(at), value) {
		return abi.InvalidMemoryAccess
	}
	return abi.OK
}
