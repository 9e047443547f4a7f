// Package proxy is what the filter knows of the proxy that it runs in: the calls that it may make
// (Proxy), the callbacks that it gets (Plugin, Stream), and the bytes in which the two exchange
// headers. Nothing here needs WebAssembly: package host implements Proxy inside the module, package
// proxytest in tests.
package proxy

import (
	"strconv"

	"gatehouse/core/clock"
)

// Proxy is the proxy's side of the ABI (proxy-wasm 0.2.1). Each call can fail, and no caller may
// drop an error: package plugin says what each failure means. Errors are of type Status. Bytes that
// a call returns in a callback of a Stream are valid until that callback ends: then their memory
// serves the next one. In a callback of a Plugin they stay.
type Proxy interface {
	// Log writes a line to the proxy's log.
	Log(level Level, line []byte) error
	// Now reads the wall clock.
	Now() (clock.Wall, error)
	// Monotonic reads the monotonic clock, which all workers of a process share.
	Monotonic() (clock.Mono, error)
	// Random fills b with random bytes.
	Random(b []byte) error
	// Headers reads all pairs of a header map, in the form that AppendHeaders takes apart.
	Headers(m Map) ([]byte, error)
	// Header reads the first value of a header; NotFound if there is none.
	Header(m Map, name string) (string, error)
	// SetHeader replaces all values of a header by one.
	SetHeader(m Map, name, value string) error
	// RemoveHeader removes all values of a header.
	RemoveHeader(m Map, name string) error
	// Reply answers in the upstream's place. Only the first reply of a stream counts.
	Reply(r *Reply) error
	// Resume lets a request go on that RequestHeaders held.
	Resume() error
	// Property reads a property: NotFound if it is absent, NotSerializable if it has no bytes (a
	// structure, or null).
	Property(path Path) ([]byte, error)
	// SetProperty writes filter state: "x" becomes wasm.x for access loggers.
	SetProperty(path Path, value []byte) error
	// SharedGet reads shared data, and the value to compare at the next SharedSet; NotFound if the
	// key is absent.
	SharedGet(key string) (value []byte, cas uint32, err error)
	// SharedSet writes shared data if its compare-and-set value is still cas, else it returns
	// CASMismatch.
	SharedSet(key string, value []byte, cas uint32) error
	// DefineMetric registers a metric, or finds it if it is there.
	DefineMetric(kind MetricKind, name string) (id uint32, err error)
	// AddMetric adds to a counter or a gauge.
	AddMetric(id uint32, delta int64) error
	// RecordMetric sets a gauge, or adds a value to a histogram.
	RecordMetric(id uint32, value uint64) error
	// Metric reads a counter or a gauge: its value over all workers.
	Metric(id uint32) (uint64, error)
	// CallForeign calls a function of the proxy's own by name; NotFound if the proxy lacks it.
	CallForeign(name string, arg []byte) ([]byte, error)
	// SetTick sets the time between ticks of the plugin.
	SetTick(milliseconds uint32) error
	// Stopped ends an instance whose Stop returned false.
	Stopped() error
	// SetContext makes later calls act on another stream, or on the plugin, by its id.
	SetContext(id uint32) error
	// Call sends an HTTP request through one of the proxy's clusters. done is called once when it
	// has ended. An error means that no request was sent, and that done won't be called. Call must
	// be called in a callback of the plugin, not of a stream: answers to streams that have ended
	// are dropped.
	Call(c *Call, done func(CallEnd)) error
	// CallBody reads the body of the answer, inside done.
	CallBody(size int) ([]byte, error)
}

// Map names a header map.
type Map int32

// The header maps that the filter reads and writes.
const (
	RequestHeaders   Map = 0
	RequestTrailers  Map = 1
	ResponseHeaders  Map = 2
	ResponseTrailers Map = 3
	CallHeaders      Map = 6 // of a Call's answer, inside done
)

// Reply is an answer in the upstream's place.
type Reply struct {
	Status  int
	Details string // becomes Envoy's response_code_details
	Headers []byte // as AppendPairs writes them
	Body    string
	GRPC    int32 // the gRPC status; NoGRPC for none
}

// NoGRPC is a Reply without gRPC status.
const NoGRPC = -1

// NoMatch is a compare-and-set value that no entry has: a set with it creates an absent key and
// leaves an existing one alone. The proxy ignores the value on an absent key, so that with any
// other two first writers would both succeed.
const NoMatch uint32 = 0xFFFFFFFF

// MetricKind is a metric's type, by the ABI's number: counter, gauge, histogram.
type MetricKind int32

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

// Path is a property's path in the ABI's form: elements with a NUL byte between them.
type Path string

// Status is the ABI's result of a call. It is an error, for all results but OK.
type Status int32

// The results that the filter tells apart.
const (
	OK              Status = 0
	NotFound        Status = 1
	BadArgument     Status = 2
	NotSerializable Status = 3
	CASMismatch     Status = 8
	InternalFailure Status = 10
)

// Err is nil for OK.
func (s Status) Err() error {
	if s == OK {
		return nil
	}
	return s
}

// Error names the result as the ABI does.
func (s Status) Error() string {
	switch s {
	case NotFound:
		return "not found"
	case BadArgument:
		return "bad argument"
	case NotSerializable:
		return "serialization failure"
	case CASMismatch:
		return "compare-and-set mismatch"
	case InternalFailure:
		return "internal failure"
	}
	return "proxy-wasm status " + strconv.Itoa(int(s))
}

// Absent reports whether a call found nothing. errors.Is would ask the same by reflection, in each
// request.
func Absent(err error) bool {
	status, ok := err.(Status) //nolint:errorlint // the proxy's errors are never wrapped
	return ok && status == NotFound
}
