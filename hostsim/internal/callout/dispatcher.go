// Package callout runs the HTTP and gRPC callouts of guests. It knows guests only as an interface.
package callout

import (
	"context"
	"sync"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/clock"
	"gatehouse/hostsim/internal/fields"
)

// Mode says when callouts run.
type Mode int

// The modes; the host's options explain them.
const (
	Inline Mode = iota
	Held
	Concurrent
)

// Cluster is an upstream that callouts can reach. A nil function means that the cluster has no
// host.
type Cluster struct {
	HTTP func(ctx context.Context, call *HTTPCall) (*HTTPReply, error)
	GRPC func(ctx context.Context, call *GRPCCall) GRPCStatus
}

// Dispatcher runs the callouts of one process.
type Dispatcher struct {
	// Context is what clusters get; each callout can be cancelled by itself.
	Context  context.Context
	Clock    clock.Clock
	Clusters map[string]Cluster
	Mode     Mode
	// Post queues a function to run under no thread's lock before the call into the host returns.
	Post func(func())

	running sync.WaitGroup
	held    heldList
}

// Knows reports whether there is a cluster of that name.
func (d *Dispatcher) Knows(cluster string) bool {
	_, ok := d.Clusters[cluster]
	return ok
}

// Wait waits until no callout runs.
func (d *Dispatcher) Wait() { d.running.Wait() }

// Guest is a plugin context whose callouts are in a Set.
type Guest interface {
	// Do runs f on the guest's thread, and then whatever f made due. Only does not do the latter.
	Do(f func())
	Only(f func())
	// Gone reports that the guest can't be called any more.
	Gone() bool
	// Hears reports whether the guest has that callback.
	Hears(e Event) bool
	// Tell runs a callback; token and args are its arguments.
	Tell(e Event, token uint32, args ...int)
	// AfterCall puts f off until the callback that is running, or the next one, has returned.
	AfterCall(f func())
}

// Event is a callback about a callout.
type Event int

// The events.
const (
	HTTPResponse Event = iota
	GRPCInitialMetadata
	GRPCMessage
	GRPCTrailingMetadata
	GRPCClose
)

// The kinds of callouts.
const (
	kindHTTP uint32 = iota
	kindGRPC
	kindGRPCStream
)

// Tokens are the tokens that the callouts of one VM were given.
type Tokens struct{ last [3]uint32 }

// next makes a token. Its two low bits are the kind.
func (t *Tokens) next(kind uint32) uint32 {
	t.last[kind]++
	return t.last[kind]<<2 | kind
}

// Set holds the callouts of one plugin context, and what the guest can read of them. Everything in
// it is guarded by the guest's thread.
type Set struct {
	guest      Guest
	dispatcher *Dispatcher
	tokens     *Tokens
	http       map[uint32]*httpCallout
	grpc       map[uint32]*grpcCallout

	// Reply is set during the callback about an HTTP response.
	Reply *HTTPReply
	// Message, InitialMetadata and TrailingMetadata are set during the gRPC callbacks about them.
	Message                           []byte
	InitialMetadata, TrailingMetadata *fields.Headers
	// StatusCode and StatusMessage are what proxy_get_status reads.
	StatusCode    uint32
	StatusMessage string
}

// NewSet returns a set without callouts.
func NewSet(guest Guest, d *Dispatcher, tokens *Tokens) *Set {
	return &Set{guest: guest, dispatcher: d, tokens: tokens,
		http: map[uint32]*httpCallout{}, grpc: map[uint32]*grpcCallout{}}
}

// Cancel ends all callouts without a callback.
func (s *Set) Cancel() {
	for _, o := range s.http {
		o.release()
	}
	for _, o := range s.grpc {
		o.release()
	}
}

// brokenConnection is the status code of an exchange without a response.
const brokenConnection = uint32(abi.BrokenConnection)
