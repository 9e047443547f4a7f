package hostsim

import (
	"context"

	wapi "github.com/tetratelabs/wazero/api"

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

// wasiClockTimeGet reads the host's clocks: 0 is the wall clock, 1 the monotonic
// one, and there are no others.
func wasiClockTimeGet(ctx context.Context, mod wapi.Module, stack []uint64) {
	clock := vmOf(ctx).host.clock
	var now uint64
	switch uint32(stack[0]) {
	case 0:
		now = uint64(clock.Now().UnixNano())
	case 1:
		now = uint64(clock.Monotonic())
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
	v, mem := vmOf(ctx), mod.Memory()
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
		v.current.log(level, string(line))
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
