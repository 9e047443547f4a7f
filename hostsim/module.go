package hostsim

import (
	"context"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/hostcall"
	"gatehouse/hostsim/internal/wasm"
)

// ErrModule is wrapped by every error that says a module can't be used as it is: it has no ABI
// marker, no allocator, no memory, a callback with another signature, or an import that the host
// lacks.
var ErrModule = wasm.ErrModule

// Module is a compiled filter. Compiling is the slow part of a start, so one Module serves any
// number of hosts, at the same time too.
type Module struct{ compiled *wasm.Module }

// Compile compiles a filter and checks that it speaks an ABI version this host knows. With a
// cacheDir the machine code is kept there (the directory is made if need be), and the next Compile
// of the same bytes takes milliseconds; with "" nothing is kept.
//
// The error wraps ErrModule if the module is no filter of a known ABI version, has callbacks with
// other signatures than that version's, or imports something that no host of that version provides.
// A module that imports its memory, which Envoy would take, is refused too.
func Compile(ctx context.Context, filter []byte, cacheDir string) (*Module, error) {
	m, err := wasm.Compile(ctx, filter, cacheDir, hostcall.Functions())
	if err != nil {
		return nil, err
	}
	return &Module{m}, nil
}

// ABIVersion returns the ABI version that the module declares.
func (m *Module) ABIVersion() abi.Version { return m.compiled.ABIVersion() }

// Close frees the compiled code. Hosts of the module must be closed before.
func (m *Module) Close(ctx context.Context) error { return m.compiled.Close(ctx) }
