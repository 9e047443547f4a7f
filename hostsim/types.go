package hostsim

import (
	"time"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/callout"
	"gatehouse/hostsim/internal/clock"
	"gatehouse/hostsim/internal/fields"
	"gatehouse/hostsim/internal/metrics"
	"gatehouse/hostsim/internal/shared"
)

// Header is one HTTP field: a lower-case name and its value.
type Header = abi.Pair

// Headers is a map of HTTP fields that keeps their order, as an Envoy header map does. Its methods
// are Add, Set, Del, Get, Lookup, Values, All, Len, ByteSize and Clone. The zero value is empty and
// ready; a nil map reads as empty. It is not safe for concurrent use.
type Headers = fields.Headers

// H builds Headers from names and values in turn; it panics on an odd number of arguments. It is
// meant for tests and examples.
func H(namesAndValues ...string) *Headers { return fields.H(namesAndValues...) }

// Clock is where a host's time comes from. The guest's wall clock, its monotonic clock, ticks,
// callout time-outs and the back-off of a reload all use it.
//
// Implementations must be safe for concurrent use.
type Clock interface {
	// Now is the wall time (WASI's clock 0, proxy_get_current_time_nanoseconds).
	Now() time.Time
	// Monotonic is the time since some fixed start (WASI's clock 1). It never goes back, whatever
	// the wall clock does.
	Monotonic() time.Duration
	// AfterFunc calls f once when Monotonic has grown by d, and returns a function that prevents a
	// call that has not begun.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// SystemClock returns the machine's clock.
func SystemClock() Clock { return clock.System() }

// ManualClock is a Clock that moves only when told to: Advance moves both clocks and runs the
// timers that fall due, SetWall moves the wall clock alone. It is safe for concurrent use.
type ManualClock = clock.Manual

// NewManualClock returns a clock whose wall time is wall and whose monotonic time is one hour: a
// filter that takes zero for "never" must not pass by luck.
func NewManualClock(wall time.Time) *ManualClock { return clock.NewManual(wall) }

// SharedData is the store behind proxy_get_shared_data and proxy_set_shared_data. Its methods are
// Get, Set, Keys and Bytes. Hosts that are given the same SharedData model one process after
// another configuration, for example an update that keeps the vm_id. It is safe for concurrent use.
type SharedData = shared.Data

// NewSharedData returns an empty store.
func NewSharedData() *SharedData { return shared.NewData() }

// Metrics holds the counters, gauges and histograms of a process. Its methods are Counter, Gauge,
// Histogram and Snapshot. It is safe for concurrent use.
type Metrics = metrics.Registry

// Metric is one metric's state at a moment: Name and Type; Value, of a counter or gauge; Buckets,
// Count and Sum, of a histogram.
type Metric = metrics.Metric

// Bucket counts a histogram's samples up to and including a bound: UpperBound and Cumulative.
type Bucket = metrics.Bucket

// NewMetrics returns an empty registry. buckets gives the upper bounds, in ascending order, of the
// histograms that don't have Envoy's default buckets, by exact name (histogram_bucket_settings).
func NewMetrics(buckets map[string][]float64) *Metrics { return metrics.New(buckets) }

// HTTPCall is an HTTP callout of a guest: Cluster, Headers (:method, :path and :authority too),
// Body, Trailers, Timeout (0 if there is none), and the Worker and the Plugin that call.
type HTTPCall = callout.HTTPCall

// HTTPReply answers an HTTP callout: Headers (:status too), Body and Trailers.
type HTTPReply = callout.HTTPReply

// NewHTTPReply builds a reply; namesAndValues are as for H.
func NewHTTPReply(status int, body string, namesAndValues ...string) *HTTPReply {
	return callout.NewHTTPReply(status, body, namesAndValues...)
}

// ErrCalloutReset is what a Cluster's HTTP function returns for an exchange that ends without any
// response the guest gets to see, such as one that is larger than the proxy buffers: the callback
// has no headers, and proxy_get_status says "reset".
var ErrCalloutReset = callout.ErrReset

// HeldCallout is an HTTPCall that waits for an answer, with CalloutsHeld. Reply answers it,
// Unreachable answers as Envoy does when it can't connect, Break ends it as ErrCalloutReset does.
type HeldCallout = callout.HeldCallout

// GRPCCall is a gRPC call or stream of a guest as the upstream sees it: Cluster, Service, Method,
// Metadata, Timeout, Worker and Plugin. Recv returns the guest's messages; Send, SendHeader and
// SendTrailer answer it; Streaming tells a stream from a call. Its methods may be used on one
// goroutine.
type GRPCCall = callout.GRPCCall

// GRPCStatus is how a gRPC exchange ended: Code, Message and Envoy's response code Details, which
// are "via_upstream" if empty.
type GRPCStatus = callout.GRPCStatus
