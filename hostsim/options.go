package hostsim

import (
	"context"
	"io"
	"time"

	"gatehouse/hostsim/abi"
)

// Options configure a Host. Only Plugins is required.
type Options struct {
	// Plugins are the filter instances, each with its own configuration. Those
	// with the same VMID and VMConfig live in one VM per thread, as in Envoy.
	Plugins []Plugin
	// Workers is the number of worker threads, each with a VM; 0 means 1. The
	// main thread has a VM too, which serves no streams.
	Workers int
	// Clock is the source of time; nil means SystemClock.
	Clock Clock
	// Random is the source of the guest's random numbers and of request ids;
	// nil means crypto/rand. Reads are serialised.
	Random io.Reader
	// Log receives what the guests log, and what the host has to say of failed
	// VMs; nil drops it. Threads call it at the same time, and while they are
	// locked: it must be safe for concurrent use and not call into the Host.
	Log func(LogEntry)
	// LogLevel is the least severe level that is logged; the guest may ask for
	// it. The zero value logs everything.
	LogLevel abi.LogLevel
	// Clusters are the upstreams that callouts can name.
	Clusters map[string]Cluster
	// Callouts says when callouts run.
	Callouts CalloutMode
	// Foreign adds foreign functions to those that every Envoy has, or replaces
	// them; a nil function takes one away.
	Foreign map[string]ForeignFunction
	// BufferLimit is how many bytes of a body a filter may have buffered, per
	// direction, before the host answers 413 (request) or 500 (response); 0
	// means 1 MiB, Envoy's per_connection_buffer_limit_bytes.
	BufferLimit int
	// SharedData and Metrics, if given, are used instead of new ones.
	SharedData *SharedData
	Metrics    *Metrics
	// Faults are the failures to inject.
	Faults Faults
}

// Plugin is one configured filter instance (envoy.extensions.wasm.v3.PluginConfig).
type Plugin struct {
	Name   string
	RootID string
	// VMID names the VM and its shared data. Istio leaves it empty.
	VMID string
	// Config is the plugin configuration, VMConfig that of the VM.
	Config   []byte
	VMConfig []byte
	// Env are the environment variables of the VM.
	Env map[string]string
	// Failure says what happens to requests once the VM has failed.
	Failure FailurePolicy
	// ReloadInterval is the base of FailReload's back-off; 0 means one second.
	ReloadInterval time.Duration
}

// FailurePolicy says what happens to requests once a VM has failed
// (envoy.extensions.wasm.v3.FailurePolicy).
type FailurePolicy int

// The failure policies. The zero value refuses.
const (
	// FailClosed answers 503 until the process restarts.
	FailClosed FailurePolicy = iota
	// FailOpen lets requests pass unfiltered. Those that were in the filter when
	// its VM failed get 503 all the same.
	FailOpen
	// FailReload answers 503 until a new VM is up. A new one is tried when a
	// request arrives and the plugin was last loaded at least ReloadInterval,
	// plus up to half of it at random, before.
	FailReload
)

// LogEntry is one line of a guest's or the host's log.
type LogEntry struct {
	Level abi.LogLevel
	// Worker is the worker's number, or MainThread or Canary.
	Worker int
	// Plugin is the name of the plugin whose context logged; it is empty for
	// what is logged outside of any.
	Plugin  string
	Message string
}

// The threads that are not workers.
const (
	// MainThread is the main thread, whose VM gets ticks but no streams.
	MainThread = -1
	// Canary is the throw-away VM that tries a configuration out.
	Canary = -2
)

// Faults are failures to inject. The zero value injects none.
type Faults struct {
	// MissingHostFunctions are imports that this host lacks, by name without
	// module, for example "proxy_get_log_level". New refuses a module that
	// imports one.
	MissingHostFunctions []string
	// HostCall is asked before each host function of the ABI runs. Threads call
	// it at the same time, and while they are locked: it must be safe for
	// concurrent use and not call into the Host.
	HostCall func(HostCall) Fault
}

// HostCall describes a host function that a guest is calling.
type HostCall struct {
	// Name is the function's, for example "proxy_set_shared_data".
	Name string
	// Subject is the function's first string: the key, property path, cluster
	// or metric name. It is empty where there is none.
	Subject string
	Worker  int
	Plugin  string
}

// Fault says what becomes of a host call. The zero value lets it run.
type Fault struct {
	// Status, if not OK, is returned to the guest in place of running the call.
	Status abi.Status
	// Trap ends the VM at this call, as a bug in the guest would.
	Trap bool
}

// CalloutMode says when the callouts of guests run.
type CalloutMode int

// The callout modes.
const (
	// CalloutsInline runs a callout, and delivers its answer, before the call
	// into the Host returns that made the guest dispatch it. Nothing is
	// concurrent as long as one goroutine drives the Host, so tests repeat
	// exactly.
	CalloutsInline CalloutMode = iota
	// CalloutsHeld keeps HTTP callouts until the test answers them, see
	// Host.HeldCallouts; they time out as the clock moves. gRPC runs as with
	// CalloutsConcurrent.
	CalloutsHeld
	// CalloutsConcurrent runs each callout on a goroutine of its own.
	CalloutsConcurrent
)

// Cluster is an upstream that callouts can reach. Without an HTTP or GRPC
// function calls of that kind find no host in the cluster.
type Cluster struct {
	// HTTP answers an HTTP callout. An error makes the answer that Envoy gives
	// itself: 504 for one that wraps context.DeadlineExceeded, none at all for
	// ErrCalloutReset or without either, and 503 for any other. It must not call
	// into the Host.
	HTTP func(ctx context.Context, call *HTTPCall) (*HTTPReply, error)
	// GRPC answers a gRPC call or stream; what it returns is the status. It must
	// not call into the Host. With CalloutsInline it runs until it waits for a
	// message or returns, and may wait for nothing else.
	GRPC func(ctx context.Context, call *GRPCCall) GRPCStatus
}

// ForeignFunction is a function that guests call by name. The result is
// returned to the guest whatever the status.
type ForeignFunction func(args []byte) (result []byte, status abi.Status)
