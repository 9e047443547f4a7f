// Package wasm compiles filters and runs their code. It knows the form of the ABI, which is the
// functions that either side has and their types, but not what they mean.
package wasm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"gatehouse/hostsim/abi"
)

// maxMemoryPages is the most memory a VM may have, in pages of 64 KiB: 1 GiB,
// the limit of proxy-wasm-cpp-host.
const maxMemoryPages = 16384

// ErrModule is wrapped by every error that says a module can't be used as it
// is: no ABI marker, no allocator, no memory, a callback of another form, or an
// import that the host lacks.
var ErrModule = errors.New("hostsim: unusable module")

// Module is a compiled filter. Compiling is the slow part of a start, so one
// Module serves any number of hosts, at the same time too.
type Module struct {
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule
	version  abi.Version
	// functions are those of the module "env".
	functions []HostFunction
}

// Compile compiles a filter and checks that it speaks an ABI version this host knows. functions are
// what the host provides in the module "env". cacheDir is where machine code is kept, "" for
// nowhere.
func Compile(ctx context.Context, wasm []byte, cacheDir string, functions []HostFunction) (*Module, error) {
	cfg := wazero.NewRuntimeConfig().WithMemoryLimitPages(maxMemoryPages)
	m := &Module{functions: functions}
	if cacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(cacheDir)
		if err != nil {
			return nil, fmt.Errorf("hostsim: compilation cache: %w", err)
		}
		m.cache = cache
		cfg = cfg.WithCompilationCache(cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, cfg)
	if err := m.load(experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0)), wasm); err != nil {
		return nil, errors.Join(err, m.Close(ctx))
	}
	return m, nil
}

func (m *Module) load(ctx context.Context, wasm []byte) error {
	var err error
	if m.compiled, err = m.runtime.CompileModule(ctx, wasm); err != nil {
		return fmt.Errorf("%w: %w", ErrModule, err)
	}
	exports := m.compiled.ExportedFunctions()
	for name := range exports {
		m.version = max(m.version, abi.VersionOf(name))
	}
	if m.version == abi.VersionUnknown {
		return fmt.Errorf("%w: missing or unknown Proxy-Wasm ABI version", ErrModule)
	}
	if exports["malloc"] == nil && exports["proxy_on_memory_allocate"] == nil {
		return fmt.Errorf("%w: it exports neither proxy_on_memory_allocate nor malloc", ErrModule)
	}
	if len(m.compiled.ImportedMemories()) > 0 {
		return fmt.Errorf("%w: it imports its memory", ErrModule)
	}
	if len(m.compiled.ExportedMemories()) == 0 {
		return fmt.Errorf("%w: it exports no memory", ErrModule)
	}
	if err := checkExports(exports, m.version); err != nil {
		return err
	}
	if err := m.CheckImports(nil); err != nil {
		return err
	}
	if err := instantiateHostFunctions(ctx, m.runtime, m.functions); err != nil {
		return err
	}
	for _, name := range []string{wasi_snapshot_preview1.ModuleName, wasiUnstable} {
		if err := instantiateWASI(ctx, m.runtime, name); err != nil {
			return err
		}
	}
	return nil
}

// CheckImports reports the first import that a host of the module's ABI version
// does not provide, or not in this form, or that is listed in missing. Envoy
// refuses such a module when it loads it.
func (m *Module) CheckImports(missing []string) error {
	for _, f := range m.compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		lacks := slices.Contains(missing, name)
		switch module {
		case "env":
			has, ok := m.hostFunction(name, m.version)
			lacks = lacks || !ok
			if wants := signatureOfDefinition(f); !lacks && !wants.equal(has) {
				return fmt.Errorf("%w: failed to load due to an import type mismatch: %s.%s, want: %s, but host exports: %s",
					ErrModule, module, name, wants, has)
			}
		case wasi_snapshot_preview1.ModuleName, wasiUnstable:
		default:
			lacks = true
		}
		if lacks {
			return fmt.Errorf("%w: failed to load due to a missing import: %s.%s", ErrModule, module, name)
		}
	}
	return nil
}

// ABIVersion returns the ABI version that the module declares.
func (m *Module) ABIVersion() abi.Version { return m.version }

// Close frees the compiled code. Hosts of the module must be closed before.
func (m *Module) Close(ctx context.Context) error {
	err := m.runtime.Close(ctx)
	if m.cache != nil {
		err = errors.Join(err, m.cache.Close(ctx))
	}
	return err
}
