package hostsim

import (
	"context"
	"time"

	"gatehouse/hostsim/abi"
)

// GRPCStatus is how a gRPC exchange ended.
type GRPCStatus struct {
	Code    int
	Message string
	// Details are Envoy's response code details, which it adds to the message;
	// empty means "via_upstream".
	Details string
}

// text is the message as the guest reads it.
func (s GRPCStatus) text() string {
	details := or(s.Details, "via_upstream")
	if s.Message == "" {
		return details
	}
	return s.Message + "{" + details + "}"
}

// GRPCCall is a gRPC call or stream of a guest's as the upstream sees it. Its
// methods may be used on one goroutine.
type GRPCCall struct {
	Cluster  string
	Service  string
	Method   string
	Metadata *Headers
	// Timeout is 0 if there is none.
	Timeout time.Duration
	Worker  int
	Plugin  string

	callout *grpcCallout
	answer  []byte // what a call's upstream sent
}

// Recv returns the next message of the guest's, and io.EOF after its last one.
// It waits for a message of a stream, until that is cancelled.
func (c *GRPCCall) Recv() ([]byte, error) { return c.callout.inbox.next() }

// Streaming reports whether this is a stream. The guest sees of a call only its
// one message, if the status is OK, or else the status; of a stream it sees all.
func (c *GRPCCall) Streaming() bool { return c.callout.isStream() }

// SendHeader sends initial metadata.
func (c *GRPCCall) SendHeader(h *Headers) {
	if c.Streaming() {
		c.callout.deliver(func() { c.callout.onMetadata(h, true) })
	}
}

// Send sends a message to the guest. That of a call waits for the status.
func (c *GRPCCall) Send(msg []byte) {
	if c.Streaming() {
		c.callout.deliver(func() { c.callout.onMessage(msg) })
		return
	}
	c.answer = append([]byte{}, msg...)
}

// SendTrailer sends trailing metadata.
func (c *GRPCCall) SendTrailer(h *Headers) {
	if c.Streaming() {
		c.callout.deliver(func() { c.callout.onMetadata(h, false) })
	}
}

// grpcCallout is a gRPC call or stream that is under way.
type grpcCallout struct {
	root        *guestContext
	token       uint32
	call        *GRPCCall
	inbox       *inbox
	cancel      context.CancelFunc
	stopTimeout func()
	// localClosed is set once the guest has closed a stream.
	localClosed bool
	// remoteClosed is set once the guest has heard of the end.
	remoteClosed bool
}

func (o *grpcCallout) isStream() bool { return o.token&3 == callGRPCStream }

// grpcCluster reads the upstream's name: an envoy.config.core.v3.GrpcService
// message, or just the cluster's name.
func grpcCluster(service []byte) (name string, isMessage bool) {
	fields, ok := protoFields(service)
	if ok && len(fields) > 0 {
		for _, f := range fields {
			if inner, ok := protoFields(f.bytes); ok && f.number == 1 {
				for _, g := range inner {
					if g.number == 1 {
						name = string(g.bytes)
					}
				}
			}
		}
		return name, true
	}
	return string(service), false
}

func proxyGRPCCall(v *vm, c *guestContext, args []uint64) abi.Status {
	msg, ok := v.bytes(args, 8)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	timeout := time.Duration(uint32(args[10])) * time.Millisecond
	o, status := startGRPC(v, c, args, callGRPC, timeout)
	if status != abi.OK {
		return status
	}
	o.inbox.put(append([]byte(nil), msg...))
	o.inbox.close()
	return v.host.runGRPC(o, uint32(args[11]))
}

func proxyGRPCStream(v *vm, c *guestContext, args []uint64) abi.Status {
	o, status := startGRPC(v, c, args, callGRPCStream, 0)
	if status != abi.OK {
		return status
	}
	return v.host.runGRPC(o, uint32(args[8]))
}

// startGRPC registers a call or stream; the first eight arguments of both are
// the same.
func startGRPC(v *vm, c *guestContext, args []uint64, kind uint32, timeout time.Duration) (*grpcCallout, abi.Status) {
	upstream, ok1 := v.bytes(args, 0)
	service, ok2 := v.bytes(args, 2)
	method, ok3 := v.bytes(args, 4)
	metadata, ok4 := v.pairs(args, 6)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return nil, abi.InvalidMemoryAccess
	}
	cluster, isMessage := grpcCluster(upstream)
	if _, known := v.host.opts.Clusters[cluster]; !known && !isMessage {
		return nil, abi.ParseFailure
	}
	o := &grpcCallout{root: c.root, token: callToken(v, kind), inbox: newInbox()}
	o.call = &GRPCCall{
		Cluster: cluster, Service: string(service), Method: string(method), Metadata: headersOf(metadata, nil),
		Timeout: timeout, Worker: v.thread.number, Plugin: c.pluginName(), callout: o,
	}
	c.root.grpc[o.token] = o
	return o, abi.OK
}

// runGRPC has the upstream answer and stores the token. The thread is locked.
func (h *Host) runGRPC(o *grpcCallout, tokenAt uint32) abi.Status {
	cluster, known := h.opts.Clusters[o.call.Cluster]
	handler := cluster.GRPC
	ctx, cancel := context.WithCancel(h.ctx)
	o.cancel = cancel
	if handler == nil {
		// As in Envoy the call fails, and a close with a token that the guest
		// never got comes right after the callback.
		message := "Cluster not available"
		if known {
			message = "no healthy upstream{no_healthy_upstream}"
		}
		o.root.vm.afterCall(func() { o.onClose(GRPCUnavailable, message) })
		return abi.InternalFailure
	}
	if status := o.root.vm.put32(uint64(tokenAt), o.token); status != abi.OK {
		o.release()
		return status
	}
	if o.call.Timeout > 0 {
		o.stopTimeout = h.clock.AfterFunc(o.call.Timeout, func() {
			o.deliver(func() { o.onClose(GRPCUnavailable, "upstream request timeout{response_timeout}") })
		})
	}
	h.running.Add(1)
	run := func() {
		defer h.running.Done()
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
	if h.opts.Callouts == CalloutsInline {
		h.post(func() {
			go run()
			o.inbox.settle()
		})
	} else {
		go run()
	}
	return abi.OK
}

// deliver runs f on the callout's thread, if it is still under way.
func (o *grpcCallout) deliver(f func()) {
	t := o.root.vm.thread
	enter := t.do
	if t.host.opts.Callouts == CalloutsInline {
		// Whoever waits in settle runs what f makes due; it must not be done here,
		// where it might be to wait for this very goroutine.
		enter = t.only
	}
	enter(func() {
		if o.root.grpc[o.token] == o && !o.remoteClosed && !o.root.vm.failed && !o.root.deleted {
			f()
		}
	})
}

func (o *grpcCallout) onMetadata(h *Headers, initial bool) {
	c := o.root
	g, where := c.vm.guest.grpcTrailingMetadata, &c.trailingMetadata
	if initial {
		g, where = c.vm.guest.grpcInitialMetadata, &c.initialMetadata
	}
	if !g.exported() {
		return
	}
	*where = h.Clone()
	c.vm.callback(c, g, uint64(c.id), uint64(o.token), uint64(h.Len()))
	*where = nil
}

func (o *grpcCallout) onMessage(msg []byte) {
	c := o.root
	if !o.isStream() {
		// A call is over with its answer: no close follows.
		defer o.release()
	}
	if g := c.vm.guest.grpcReceive; g.exported() {
		c.message = append([]byte{}, msg...)
		c.vm.afterCall(func() { c.message = nil })
		c.vm.callback(c, g, uint64(c.id), uint64(o.token), uint64(len(msg)))
	}
}

func (o *grpcCallout) onClose(code int, message string) {
	c := o.root
	o.remoteClosed = true
	if !o.isStream() || o.localClosed {
		o.release()
	}
	if g := c.vm.guest.grpcClose; g.exported() {
		c.statusCode, c.statusMessage = uint32(code), message
		c.vm.afterCall(func() { c.statusMessage = "" })
		c.vm.callback(c, g, uint64(c.id), uint64(o.token), uint64(code))
	}
}

// release forgets the callout and stops what belongs to it.
func (o *grpcCallout) release() {
	delete(o.root.grpc, o.token)
	if o.stopTimeout != nil {
		o.stopTimeout()
	}
	o.cancel()
	o.inbox.close()
}

// grpcOf finds a call or stream of the plugin context.
func (c *guestContext) grpcOf(token uint32) (*grpcCallout, abi.Status) {
	if kind := token & 3; kind != callGRPC && kind != callGRPCStream {
		return nil, abi.BadArgument
	}
	o := c.root.grpc[token]
	if o == nil {
		return nil, abi.NotFound
	}
	return o, abi.OK
}

func proxyGRPCSend(v *vm, c *guestContext, args []uint64) abi.Status {
	msg, ok := v.bytes(args, 1)
	if !ok {
		return abi.InvalidMemoryAccess
	}
	if uint32(args[0])&3 != callGRPCStream {
		return abi.BadArgument
	}
	o, status := c.grpcOf(uint32(args[0]))
	if status != abi.OK {
		return status
	}
	o.inbox.put(append([]byte(nil), msg...))
	if args[3] != 0 {
		o.inbox.close()
	}
	v.host.settleGRPC(o)
	return abi.OK
}

// settleGRPC lets an inline upstream act on what the guest did before the
// current call into the Host returns.
func (h *Host) settleGRPC(o *grpcCallout) {
	if h.opts.Callouts == CalloutsInline {
		h.post(o.inbox.settle)
	}
}

// proxyGRPCClose ends a call, and the guest's side of a stream.
func proxyGRPCClose(v *vm, c *guestContext, args []uint64) abi.Status {
	o, status := c.grpcOf(uint32(args[0]))
	if status != abi.OK {
		return status
	}
	if !o.isStream() || o.remoteClosed {
		o.release()
		return abi.OK
	}
	o.localClosed = true
	o.inbox.close()
	v.host.settleGRPC(o)
	return abi.OK
}

// proxyGRPCCancel ends a call or stream at once.
func proxyGRPCCancel(_ *vm, c *guestContext, args []uint64) abi.Status {
	o, status := c.grpcOf(uint32(args[0]))
	if status != abi.OK {
		return status
	}
	o.release()
	return abi.OK
}
