package wasm

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	wapi "github.com/tetratelabs/wazero/api"

	"gatehouse/hostsim/abi"
)

// HostFunction is a function that the host provides in the module "env".
type HostFunction struct {
	Name string
	// Params has a letter for each parameter: i for i32, l for i64.
	Params string
	// Since and Until are the first and the last ABI version that have the function.
	Since, Until abi.Version
	// Run runs the function for the guest whose Instance was made with ctx's values. A panic with
	// an error ends the guest.
	Run func(ctx context.Context, args []uint64) abi.Status
}

func (f HostFunction) signature() signature { return signatureOf(f.Params, "i") }

// Call implements wazero's GoModuleFunction.
func (f HostFunction) Call(ctx context.Context, _ wapi.Module, stack []uint64) {
	stack[0] = uint64(f.Run(ctx, stack)) // without parameters there is still a slot for the result
}

// hostFunction returns the signature of the function of that name in the module "env" of a host of
// that version, and whether there is one.
func (m *Module) hostFunction(name string, version abi.Version) (signature, bool) {
	switch name {
	case "emscripten_notify_memory_growth":
		return signatureOf("i", ""), true
	case "pthread_equal":
		return signatureOf("ii", "i"), true
	}
	for _, f := range m.functions {
		if f.Name == name && f.Since <= version && version <= f.Until {
			return f.signature(), true
		}
	}
	return signature{}, false
}

// instantiateHostFunctions provides the module "env". One such module serves every guest: the
// context of a call says which guest calls.
func instantiateHostFunctions(ctx context.Context, r wazero.Runtime, functions []HostFunction) error {
	i32 := wapi.ValueTypeI32
	b := r.NewHostModuleBuilder("env")
	for _, f := range functions {
		s := f.signature()
		b.NewFunctionBuilder().WithGoModuleFunction(f, s.params, s.results).Export(f.Name)
	}
	// Emscripten's C library imports these two beside the ABI.
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
