package wasm

import (
	"context"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	wapi "github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"gatehouse/hostsim/abi"
)

// The WASI error numbers that the specification names.
const (
	wasiSuccess = 0
	wasiBadF    = 8
	wasiFault   = 21
	wasiInval   = 28
	wasiNotSup  = 58
)

// System is what WASI offers to one guest beside random numbers and its environment.
type System interface {
	// Now is the wall time and Monotonic the time since some fixed start.
	Now() time.Time
	Monotonic() time.Duration
	// Log takes a line that the guest writes to its standard output or error.
	Log(level abi.LogLevel, line string)
}

// systemKey is the key under which an Instance's context carries its System.
type systemKey struct{}

func systemOf(ctx context.Context) System { return ctx.Value(systemKey{}).(System) }

// wasiUnstable is the name of WASI's first version. Older filters import a few
// functions from it whose form has not changed since, and Envoy gives them the
// same functions under both names.
const wasiUnstable = "wasi_unstable"

// instantiateWASI provides WASI as Envoy does: with clocks, random bytes,
// environment and output of the VM that calls, and without files.
func instantiateWASI(ctx context.Context, r wazero.Runtime, name string) error {
	b := r.NewHostModuleBuilder(name)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(b)
	i32, i64 := wapi.ValueTypeI32, wapi.ValueTypeI64
	b.NewFunctionBuilder().
		WithGoModuleFunction(wapi.GoModuleFunc(wasiClockTimeGet), []wapi.ValueType{i32, i64, i32}, []wapi.ValueType{i32}).
		Export("clock_time_get")
	b.NewFunctionBuilder().
		WithGoModuleFunction(wapi.GoModuleFunc(wasiFDWrite), []wapi.ValueType{i32, i32, i32, i32}, []wapi.ValueType{i32}).
		Export("fd_write")
	b.NewFunctionBuilder().
		WithGoModuleFunction(wapi.GoModuleFunc(wasiPollOneoff), []wapi.ValueType{i32, i32, i32, i32}, []wapi.ValueType{i32}).
		Export("poll_oneoff")
	b.NewFunctionBuilder().
		WithGoModuleFunction(wapi.GoModuleFunc(wasiProcExit), []wapi.ValueType{i32}, nil).
		Export("proc_exit")
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("hostsim: %s: %w", name, err)
	}
	return nil
}

// wasiClockTimeGet reads the host's clocks: 0 is the wall clock, 1 the monotonic
// one, and there are no others.
func wasiClockTimeGet(ctx context.Context, mod wapi.Module, stack []uint64) {
	system := systemOf(ctx)
	var now uint64
	switch uint32(stack[0]) {
	case 0:
		now = uint64(system.Now().UnixNano())
	case 1:
		now = uint64(system.Monotonic())
	default:
		stack[0] = wasiNotSup
		return
	}
	errno := uint64(wasiSuccess)
	if !mod.Memory().WriteUint64Le(uint32(stack[2]), now) {
		errno = wasiFault
	}
	stack[0] = errno
}

// wasiFDWrite logs what the guest writes to its standard output (info) or
// standard error (error): one line a call, without its last newline. A line that
// is longer than the guest's memory is an error: pieces may overlap, and a list of
// them can be of any length.
func wasiFDWrite(ctx context.Context, mod wapi.Module, stack []uint64) {
	fd, iovs, count, writtenAt := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	mem := mod.Memory()
	var level abi.LogLevel
	switch fd {
	case 1:
		level = abi.LogInfo
	case 2:
		level = abi.LogError
	default:
		stack[0] = wasiBadF
		return
	}
	stack[0] = wasiFault
	var line []byte
	for i := range count {
		ptr, ok1 := mem.ReadUint32Le(iovs + 8*i)
		size, ok2 := mem.ReadUint32Le(iovs + 8*i + 4)
		b, ok3 := mem.Read(ptr, size)
		if !ok1 || !ok2 || !ok3 {
			return
		}
		if len(line)+len(b) > int(mem.Size()) {
			stack[0] = wasiInval
			return
		}
		line = append(line, b...)
	}
	if !mem.WriteUint32Le(writtenAt, uint32(len(line))) {
		return
	}
	stack[0] = wasiSuccess
	if n := len(line); n > 0 {
		if line[n-1] == '\n' {
			line = line[:n-1]
		}
		systemOf(ctx).Log(level, string(line))
	}
}

// wasiPollOneoff reports at once that nothing happened, as Envoy does: a guest
// must not sleep on a thread that serves requests.
func wasiPollOneoff(_ context.Context, mod wapi.Module, stack []uint64) {
	errno := uint64(wasiSuccess)
	if !mod.Memory().WriteUint32Le(uint32(stack[3]), 0) {
		errno = wasiFault
	}
	stack[0] = errno
}

// wasiProcExit returns, as it does in Envoy: no guest ends the process. Those that
// mean it go on to an unreachable instruction.
func wasiProcExit(context.Context, wapi.Module, []uint64) {}
