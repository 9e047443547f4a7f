package callout

import (
	"context"
	"time"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/fields"
	"gatehouse/hostsim/internal/protobuf"
)

// unavailable is gRPC's status 14.
const unavailable = 14

// GRPCStatus is how a gRPC exchange ended.
type GRPCStatus struct {
	Code    int
	Message string
	// Details are Envoy's response code details, which it adds to the message; empty means
	// "via_upstream".
	Details string
}

// text is the message as the guest reads it.
func (s GRPCStatus) text() string {
	details := s.Details
	if details == "" {
		details = "via_upstream"
	}
	if s.Message == "" {
		return details
	}
	return s.Message + "{" + details + "}"
}

// GRPCCall is a gRPC call or stream of a guest as the upstream sees it. Its methods may be used on
// one goroutine.
type GRPCCall struct {
	Cluster  string
	Service  string
	Method   string
	Metadata *fields.Headers
	// Timeout is 0 if there is none.
	Timeout time.Duration
	Worker  int
	Plugin  string

	callout *grpcCallout
	answer  []byte // what the upstream of a call sent
}

// Recv returns the guest's next message, and io.EOF after its last one. It waits for a message of a
// stream, until the stream is cancelled.
func (c *GRPCCall) Recv() ([]byte, error) { return c.callout.inbox.next() }

// Streaming reports whether this is a stream. Of a call the guest sees only its one message, if the
// status is OK, or else the status; of a stream it sees everything.
func (c *GRPCCall) Streaming() bool { return c.callout.isStream() }

// SendHeader sends initial metadata.
func (c *GRPCCall) SendHeader(h *fields.Headers) {
	if c.Streaming() {
		c.callout.deliver(func() { c.callout.onMetadata(h, GRPCInitialMetadata) })
	}
}

// Send sends a message to the guest. The message of a call waits for the status.
func (c *GRPCCall) Send(msg []byte) {
	if c.Streaming() {
		c.callout.deliver(func() { c.callout.onMessage(msg) })
		return
	}
	c.answer = append([]byte{}, msg...)
}

// SendTrailer sends trailing metadata.
func (c *GRPCCall) SendTrailer(h *fields.Headers) {
	if c.Streaming() {
		c.callout.deliver(func() { c.callout.onMetadata(h, GRPCTrailingMetadata) })
	}
}

// grpcCallout is a gRPC call or stream that is under way.
type grpcCallout struct {
	set         *Set
	token       uint32
	call        *GRPCCall
	inbox       *inbox
	cancel      context.CancelFunc
	stopTimeout func()
	// localClosed is set once the guest has closed a stream, remoteClosed once it has heard of the
	// end.
	localClosed, remoteClosed bool
}

func (o *grpcCallout) isStream() bool { return o.token&3 == kindGRPCStream }

// GRPCCluster reads the cluster from the upstream that a guest names: an
// envoy.config.core.v3.GrpcService message, or just the cluster's name.
func GRPCCluster(service []byte) (name string, isMessage bool) {
	message, ok := protobuf.Parse(service)
	if !ok || len(message) == 0 {
		return string(service), false
	}
	for _, f := range message {
		if inner, ok := protobuf.Parse(f.Bytes); ok && f.Number == 1 {
			for _, g := range inner {
				if g.Number == 1 {
					name = string(g.Bytes)
				}
			}
		}
	}
	return name, true
}

// GRPC starts a call with its one message, GRPCStream a stream. store gives the guest the token
// before anything happens; its failure ends the callout.
func (s *Set) GRPC(call *GRPCCall, message []byte, store func(token uint32) abi.Status) abi.Status {
	o := s.newGRPC(call, kindGRPC)
	o.inbox.put(append([]byte(nil), message...))
	o.inbox.close()
	return o.run(store)
}

// GRPCStream is explained at GRPC.
func (s *Set) GRPCStream(call *GRPCCall, store func(token uint32) abi.Status) abi.Status {
	return s.newGRPC(call, kindGRPCStream).run(store)
}

func (s *Set) newGRPC(call *GRPCCall, kind uint32) *grpcCallout {
	o := &grpcCallout{set: s, token: s.tokens.next(kind), inbox: newInbox(), call: call}
	call.callout = o
	s.grpc[o.token] = o
	return o
}

// run makes the upstream answer. The thread is locked.
func (o *grpcCallout) run(store func(token uint32) abi.Status) abi.Status {
	d := o.set.dispatcher
	cluster, known := d.Clusters[o.call.Cluster]
	handler := cluster.GRPC
	ctx, cancel := context.WithCancel(d.Context)
	o.cancel = cancel
	if handler == nil {
		// As in Envoy the call fails, and a close with a token that the guest never got comes right
		// after the callback.
		message := "Cluster not available"
		if known {
			message = "no healthy upstream{no_healthy_upstream}"
		}
		o.set.guest.AfterCall(func() { o.onClose(unavailable, message) })
		return abi.InternalFailure
	}
	if status := store(o.token); status != abi.OK {
		o.release()
		return status
	}
	if o.call.Timeout > 0 {
		o.stopTimeout = d.Clock.AfterFunc(o.call.Timeout, func() {
			o.deliver(func() { o.onClose(unavailable, "upstream request timeout{response_timeout}") })
		})
	}
	d.running.Add(1)
	run := func() {
		defer d.running.Done()
		defer o.inbox.finish()
		if ctx.Err() != nil {
			return // its VM is gone already, as a canary's is
		}
		status := handler(ctx, o.call)
		o.deliver(func() {
			if !o.isStream() && status.Code == 0 {
				o.onMessage(o.call.answer)
				return
			}
			o.onClose(status.Code, status.text())
		})
	}
	if d.Mode == Inline {
		d.Post(func() {
			go run()
			o.inbox.settle()
		})
	} else {
		go run()
	}
	return abi.OK
}

// deliver runs f on the callout's thread, if the callout is still under way.
func (o *grpcCallout) deliver(f func()) {
	enter := o.set.guest.Do
	if o.set.dispatcher.Mode == Inline {
		// The goroutine that waits in settle runs what f makes due. It must not run here, because
		// it might wait for this very goroutine.
		enter = o.set.guest.Only
	}
	enter(func() {
		if o.set.grpc[o.token] == o && !o.remoteClosed && !o.set.guest.Gone() {
			f()
		}
	})
}

func (o *grpcCallout) onMetadata(h *fields.Headers, e Event) {
	s := o.set
	if !s.guest.Hears(e) {
		return
	}
	where := &s.InitialMetadata
	if e == GRPCTrailingMetadata {
		where = &s.TrailingMetadata
	}
	*where = h.Clone()
	s.guest.Tell(e, o.token, h.Len())
	*where = nil
}

func (o *grpcCallout) onMessage(msg []byte) {
	s := o.set
	if !o.isStream() {
		// A call is over with its answer: no close follows.
		defer o.release()
	}
	if s.guest.Hears(GRPCMessage) {
		s.Message = append([]byte{}, msg...)
		s.guest.AfterCall(func() { s.Message = nil })
		s.guest.Tell(GRPCMessage, o.token, len(msg))
	}
}

func (o *grpcCallout) onClose(code int, message string) {
	s := o.set
	o.remoteClosed = true
	if !o.isStream() || o.localClosed {
		o.release()
	}
	if s.guest.Hears(GRPCClose) {
		s.StatusCode, s.StatusMessage = uint32(code), message
		s.guest.AfterCall(func() { s.StatusMessage = "" })
		s.guest.Tell(GRPCClose, o.token, code)
	}
}

// release forgets the callout and stops what belongs to it.
func (o *grpcCallout) release() {
	delete(o.set.grpc, o.token)
	if o.stopTimeout != nil {
		o.stopTimeout()
	}
	o.cancel()
	o.inbox.close()
}

// find returns the call or stream with that token.
func (s *Set) find(token uint32) (*grpcCallout, abi.Status) {
	if kind := token & 3; kind != kindGRPC && kind != kindGRPCStream {
		return nil, abi.BadArgument
	}
	o := s.grpc[token]
	if o == nil {
		return nil, abi.NotFound
	}
	return o, abi.OK
}

// GRPCSend sends a message on a stream; end closes the guest's side of it.
func (s *Set) GRPCSend(token uint32, msg []byte, end bool) abi.Status {
	if token&3 != kindGRPCStream {
		return abi.BadArgument
	}
	o, status := s.find(token)
	if status != abi.OK {
		return status
	}
	o.inbox.put(append([]byte(nil), msg...))
	if end {
		o.inbox.close()
	}
	o.settle()
	return abi.OK
}

// settle lets an inline upstream act on what the guest did before the current call into the host
// returns.
func (o *grpcCallout) settle() {
	if d := o.set.dispatcher; d.Mode == Inline {
		d.Post(o.inbox.settle)
	}
}

// GRPCEnd ends a call, and the guest's side of a stream.
func (s *Set) GRPCEnd(token uint32) abi.Status {
	o, status := s.find(token)
	if status != abi.OK {
		return status
	}
	if !o.isStream() || o.remoteClosed {
		o.release()
		return abi.OK
	}
	o.localClosed = true
	o.inbox.close()
	o.settle()
	return abi.OK
}

// GRPCCancel ends a call or stream at once.
func (s *Set) GRPCCancel(token uint32) abi.Status {
	o, status := s.find(token)
	if status != abi.OK {
		return status
	}
	o.release()
	return abi.OK
}
