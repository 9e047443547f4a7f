package callout

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/fields"
)

// ErrReset is what a Cluster's HTTP function returns for an exchange that ends without a response
// that the guest gets to see.
var ErrReset = errors.New("hostsim: callout reset")

// HTTPCall is an HTTP callout of a guest.
type HTTPCall struct {
	Cluster string
	// Headers hold :method, :path and :authority too.
	Headers  *fields.Headers
	Body     []byte
	Trailers *fields.Headers
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
	Headers  *fields.Headers
	Body     []byte
	Trailers *fields.Headers
}

// NewHTTPReply builds a reply; namesAndValues are as for fields.H.
func NewHTTPReply(status int, body string, namesAndValues ...string) *HTTPReply {
	h := fields.H(append([]string{":status", strconv.Itoa(status)}, namesAndValues...)...)
	return &HTTPReply{Headers: h, Body: []byte(body)}
}

// The replies that Envoy makes itself.
var (
	timeoutReply = NewHTTPReply(504, "upstream request timeout",
		"content-length", "24", "content-type", "text/plain")
	unreachableReply = NewHTTPReply(503, unreachableText,
		"content-length", strconv.Itoa(len(unreachableText)), "content-type", "text/plain")
)

const unreachableText = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"

// httpCallout is a callout that is under way.
type httpCallout struct {
	set         *Set
	token       uint32
	call        *HTTPCall
	cancel      context.CancelFunc
	stopTimeout func()
}

// HTTP starts a callout and returns its token. The cluster must be known.
func (s *Set) HTTP(call *HTTPCall) (token uint32, status abi.Status) {
	for _, name := range []string{":method", ":path", ":authority"} {
		if _, ok := call.Headers.Lookup(name); !ok {
			return 0, abi.BadArgument
		}
	}
	if len(call.Body) > 0 {
		call.Headers.Set("content-length", strconv.Itoa(len(call.Body)))
	}
	o := &httpCallout{set: s, token: s.tokens.next(kindHTTP), call: call}
	target := s.dispatcher.Clusters[call.Cluster].HTTP
	if target == nil {
		return 0, abi.InternalFailure // no host in the cluster
	}
	s.http[o.token] = o
	o.dispatch(target)
	return o.token, abi.OK
}

// dispatch makes the callout run as the mode says. The thread is locked.
func (o *httpCallout) dispatch(target func(context.Context, *HTTPCall) (*HTTPReply, error)) {
	d := o.set.dispatcher
	ctx, cancel := context.WithCancel(d.Context)
	o.cancel = cancel
	if o.call.Timeout > 0 {
		o.stopTimeout = d.Clock.AfterFunc(o.call.Timeout, func() {
			o.set.guest.Do(func() { o.deliver(timeoutReply, nil) })
		})
	}
	run := func() {
		if ctx.Err() != nil {
			return // its VM is gone already, as a canary's is
		}
		reply, err := target(ctx, o.call)
		if errors.Is(err, context.DeadlineExceeded) {
			reply, err = timeoutReply, nil
		} else if err != nil && !errors.Is(err, ErrReset) {
			reply, err = unreachableReply, nil
		}
		o.set.guest.Do(func() { o.deliver(reply, err) })
	}
	switch d.Mode {
	case Held:
		d.held.add(&HeldCallout{HTTPCall: o.call, callout: o})
	case Concurrent:
		d.running.Go(run)
	default:
		d.Post(run)
	}
}

// deliver runs the callback of a callout, if the guest still waits for it. The thread is locked.
func (o *httpCallout) deliver(reply *HTTPReply, err error) {
	s := o.set
	if s.http[o.token] != o {
		return
	}
	o.release()
	if s.guest.Gone() || !s.guest.Hears(HTTPResponse) {
		return
	}
	var headers, body, trailers int
	if err != nil || reply == nil {
		s.StatusCode, s.StatusMessage = brokenConnection, "reset"
	} else {
		// The guest reads the reply, but a Cluster may hand out one reply twice.
		s.Reply = &HTTPReply{
			Headers:  fields.New(reply.Headers.All(), fields.ResponseInline),
			Body:     slices.Clone(reply.Body),
			Trailers: reply.Trailers.Clone(),
		}
		headers, body, trailers = reply.Headers.Len(), len(reply.Body), reply.Trailers.Len()
	}
	s.guest.AfterCall(func() { s.Reply, s.StatusMessage = nil, "" })
	s.guest.Tell(HTTPResponse, o.token, headers, body, trailers)
}

// release forgets the callout and stops what belongs to it.
func (o *httpCallout) release() {
	delete(o.set.http, o.token)
	if o.stopTimeout != nil {
		o.stopTimeout()
	}
	o.cancel()
}
