//go:build wasip1

package host

import (
	"encoding/binary"
	"unsafe"
)

// Status is the ABI's result of a call.
type Status int32

// The results that the filter tells apart.
const (
	OK          Status = 0
	NotFound    Status = 1
	CasMismatch Status = 8
)

func stringPtr(s string) (*byte, int32) { return unsafe.StringData(s), int32(len(s)) }
func bytesPtr(b []byte) (*byte, int32)  { return unsafe.SliceData(b), int32(len(b)) }

// fetchedBytes is where the host leaves what a call returns.
type fetchedBytes struct {
	data *byte
	size int32
	cas  uint32
	time uint64
}

// fetched serves all calls: a VM has one thread, and a call that returns bytes re-enters the module only to allocate
// them. As a variable of the package it stays off each caller's heap.
var fetched fetchedBytes

func (f *fetchedBytes) bytes() []byte {
	if f.data == nil || f.size <= 0 {
		return nil
	}
	return unsafe.Slice(f.data, f.size)
}

// Now is the wall clock, in nanoseconds since 1970.
func Now() int64 {
	proxyGetCurrentTime(&fetched.time)
	return int64(fetched.time)
}

// Monotonic is the host's monotonic clock in nanoseconds, the same for all workers of a process (WASI's clock id 1).
func Monotonic() int64 {
	wasiClockTimeGet(1, 1, &fetched.time)
	return int64(fetched.time)
}

// Random fills b with the host's randomness and reports whether it could.
func Random(b []byte) bool {
	p, n := bytesPtr(b)
	return wasiRandomGet(p, n) == 0
}

// Level is a log level of the proxy.
type Level int32

// The proxy's log levels.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
	Critical
)

// Log writes a line to the proxy's log.
func Log(level Level, msg string) {
	p, n := stringPtr(msg)
	proxyLog(int32(level), p, n)
}

// LogBytes is Log for a line that was built in a buffer.
func LogBytes(level Level, msg []byte) {
	p, n := bytesPtr(msg)
	proxyLog(int32(level), p, n)
}

// Path is a property's path in the ABI's form: elements joined by NUL bytes.
type Path string

// NewPath joins the elements of a property path.
func NewPath(elements ...string) Path {
	var p []byte
	for i, e := range elements {
		if i > 0 {
			p = append(p, 0)
		}
		p = append(p, e...)
	}
	return Path(p)
}

// Property reads a property: NotFound where it is absent, another status where it isn't a leaf (a structure is read member by
// member; null counts as one).
func Property(path Path) (value []byte, s Status) {
	p, n := stringPtr(string(path))
	fetched = fetchedBytes{}
	s = Status(proxyGetProperty(p, n, unsafe.Pointer(&fetched.data), &fetched.size))
	return fetched.bytes(), s
}

// PropertyUint reads a property that Envoy keeps as a number (response.code).
func PropertyUint(path Path) (uint64, bool) {
	b, s := Property(path)
	if s != OK || len(b) != 8 {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b), true
}

// SetProperty writes filter state: "x" becomes wasm.x for access loggers.
func SetProperty(path Path, value []byte) Status {
	p, n := stringPtr(string(path))
	v, size := bytesPtr(value)
	return Status(proxySetProperty(p, n, v, size))
}
