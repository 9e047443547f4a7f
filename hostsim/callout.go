package hostsim

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"gatehouse/hostsim/abi"
)

// ErrCalloutReset is what a Cluster's HTTP function returns for an exchange that
// ends without any response the guest gets to see, such as one that is larger
// than the proxy buffers: the callback has no headers, and proxy_get_status says
// "reset".
var ErrCalloutReset = errors.New("hostsim: callout reset")

// HTTPCall is an HTTP callout of a guest's.
type HTTPCall struct {
	Cluster string
	// Headers hold :method, :path and :authority too.
	Headers  *Headers
	Body     []byte
	Trailers *Headers
	// Timeout is 0 if there is none.
	Timeout time.Duration
	// Worker is the number of the worker that calls, or MainThread or Canary.
	Worker int
	// Plugin is the name of the plugin that calls.
	Plugin string
}

// HTTPReply answers a callout.
type HTTPReply struct {
	// Headers hold :status too.
	Headers  *Headers
	Body     []byte
	Trailers *Headers
}

// NewHTTPReply builds a reply; namesAndValues are as for H.
func NewHTTPReply(status int, body string, namesAndValues ...string) *HTTPReply {
	h := H(append([]string{":status", strconv.Itoa(status)}, namesAndValues...)...)
	return &HTTPReply{Headers: h, Body: []byte(body)}
}

// httpCallout is a callout that is under way.
type httpCallout struct {
	root        *guestContext
	token       uint32
	call        *HTTPCall
	cancel      context.CancelFunc
	stopTimeout func()
}

// proxyHTTPCall starts a callout on the plugin context.
func proxyHTTPCall(v *vm, c *guestContext, args []uint64) abi.Status {
	cluster, ok1 := v.bytes(args, 0)
	headers, ok2 := v.pairs(args, 2)
	body, ok3 := v.bytes(args, 4)
	trailers, ok4 := v.pairs(args, 6)
	if !ok1 || !ok2 || !ok3 || !ok4 || v.put32(args[9], 0) != abi.OK {
		return abi.InvalidMemoryAccess
	}
	timeout := int32(args[8])
	target, ok := v.host.opts.Clusters[string(cluster)]
	if timeout < 0 || !ok {
		return abi.BadArgument
	}
	call := &HTTPCall{
		Cluster: string(cluster),
		Headers: headersOf(headers, requestInline),
		Body:    append([]byte(nil), body...),
		Timeout: time.Duration(timeout) * time.Millisecond,
		Worker:  v.thread.number,
		Plugin:  c.pluginName(),
	}
	for _, name := range []string{":method", ":path", ":authority"} {
		if _, ok := call.Headers.Lookup(name); !ok {
			return abi.BadArgument
		}
	}
	if len(body) > 0 {
		call.Headers.Set("content-length", strconv.Itoa(len(body)))
	}
	if len(trailers) > 0 {
		call.Trailers = headersOf(trailers, nil)
	}
	o := &httpCallout{root: c.root, token: callToken(v, callHTTP), call: call}
	if target.HTTP == nil {
		return abi.InternalFailure // no host in the cluster
	}
	c.root.calls[o.token] = o
	v.host.dispatch(o, target)
	return v.put32(args[9], o.token)
}

// The kinds of callouts.
const (
	callHTTP uint32 = iota
	callGRPC
	callGRPCStream
)

// callToken makes the id of a callout, whose two low bits are its kind.
func callToken(v *vm, kind uint32) uint32 {
	v.callIDs[kind]++
	return v.callIDs[kind]<<2 | kind
}

// dispatch has the callout run as Options.Callouts says. The thread is locked.
func (h *Host) dispatch(o *httpCallout, target Cluster) {
	ctx, cancel := context.WithCancel(h.ctx)
	o.cancel = cancel
	if o.call.Timeout > 0 {
		o.stopTimeout = h.clock.AfterFunc(o.call.Timeout, func() {
			o.root.vm.thread.do(func() { o.deliver(timeoutReply, nil) })
		})
	}
	run := func() {
		if ctx.Err() != nil {
			return // its VM is gone already, as a canary's is
		}
		reply, err := target.HTTP(ctx, o.call)
		if errors.Is(err, context.DeadlineExceeded) {
			reply, err = timeoutReply, nil
		} else if err != nil && !errors.Is(err, ErrCalloutReset) {
			reply, err = unreachableReply, nil
		}
		o.root.vm.thread.do(func() { o.deliver(reply, err) })
	}
	switch h.opts.Callouts {
	case CalloutsHeld:
		h.held.add(&HeldCallout{HTTPCall: o.call, callout: o})
	case CalloutsConcurrent:
		h.running.Add(1)
		go func() {
			defer h.running.Done()
			run()
		}()
	default:
		h.post(run)
	}
}

// The replies that Envoy makes itself.
var (
	timeoutReply = NewHTTPReply(504, "upstream request timeout",
		"content-length", "24", "content-type", "text/plain")
	unreachableReply = NewHTTPReply(503, unreachableText,
		"content-length", strconv.Itoa(len(unreachableText)), "content-type", "text/plain")
)

const unreachableText = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"

// deliver runs the callback of a callout, if it is still waited for. The thread
// is locked.
func (o *httpCallout) deliver(reply *HTTPReply, err error) {
	c := o.root
	v := c.vm
	if c.calls[o.token] != o {
		return
	}
	o.release()
	if v.failed || c.deleted || !v.guest.httpCallResponse.exported() {
		return
	}
	var headers, body, trailers int
	if err != nil || reply == nil {
		c.statusCode, c.statusMessage = uint32(abi.BrokenConnection), "reset"
	} else {
		// The guest reads the reply, but a Cluster may hand out one reply twice.
		c.reply = &HTTPReply{
			Headers:  headersOf(reply.Headers.All(), responseInline),
			Body:     slices.Clone(reply.Body),
			Trailers: reply.Trailers.Clone(),
		}
		headers, body, trailers = reply.Headers.Len(), len(reply.Body), reply.Trailers.Len()
	}
	v.afterCall(func() { c.reply, c.statusMessage = nil, "" })
	v.callback(c, v.guest.httpCallResponse,
		uint64(c.id), uint64(o.token), uint64(headers), uint64(body), uint64(trailers))
}

// release forgets the callout and stops what belongs to it.
func (o *httpCallout) release() {
	delete(o.root.calls, o.token)
	if o.stopTimeout != nil {
		o.stopTimeout()
	}
	o.cancel()
}

// cancelCallouts ends all callouts of a plugin context without a callback.
func (c *guestContext) cancelCallouts() {
	for _, o := range c.calls {
		o.release()
	}
	for _, o := range c.grpc {
		o.release()
	}
}

// heldCallouts are those that wait for a test's answer.
type heldCallouts struct {
	mu   sync.Mutex
	list []*HeldCallout
}

func (l *heldCallouts) add(c *HeldCallout) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, c)
}

// HeldCallout is an HTTP callout that waits for an answer, with CalloutsHeld.
type HeldCallout struct {
	*HTTPCall
	callout *httpCallout
}

// HeldCallouts returns the callouts that wait for an answer, oldest first.
// Those that have timed out or whose VM failed are no longer among them.
func (h *Host) HeldCallouts() []*HeldCallout {
	// A thread that dispatches takes the list's lock while it holds its own, so
	// the threads can't be asked under the list's.
	h.held.mu.Lock()
	list := slices.Clone(h.held.list)
	h.held.mu.Unlock()
	var waiting []*HeldCallout
	gone := map[*HeldCallout]bool{}
	for _, c := range list {
		if c.waiting() {
			waiting = append(waiting, c)
		} else {
			gone[c] = true
		}
	}
	h.held.mu.Lock()
	h.held.list = slices.DeleteFunc(h.held.list, func(c *HeldCallout) bool { return gone[c] })
	h.held.mu.Unlock()
	return waiting
}

func (c *HeldCallout) waiting() bool {
	root := c.callout.root
	root.vm.thread.mu.Lock()
	defer root.vm.thread.mu.Unlock()
	return root.calls[c.callout.token] == c.callout
}

// Reply answers the callout; nil is the same as Break. It does nothing if nobody
// waits any more.
func (c *HeldCallout) Reply(reply *HTTPReply) {
	c.callout.root.vm.thread.do(func() { c.callout.deliver(reply, nil) })
}

// Unreachable answers the callout with the 503 that Envoy makes when it can't
// connect.
func (c *HeldCallout) Unreachable() { c.Reply(unreachableReply) }

// Break ends the callout as ErrCalloutReset does.
func (c *HeldCallout) Break() {
	c.callout.root.vm.thread.do(func() { c.callout.deliver(nil, ErrCalloutReset) })
}
