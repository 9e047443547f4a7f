package hostsim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
)

// upstreams are clusters that answer what the probe asks.
func upstreams(http func(context.Context, *hostsim.HTTPCall) (*hostsim.HTTPReply, error)) map[string]hostsim.Cluster {
	return map[string]hostsim.Cluster{"upstream": {HTTP: http}, "dead": {HTTP: http}, "nohosts": {}}
}

func TestAnInlineCalloutIsAnsweredBeforeTheCallReturns(t *testing.T) {
	var got *hostsim.HTTPCall
	h, _, logs := probeHost(t, func(o *hostsim.Options) {
		o.Clusters = upstreams(func(_ context.Context, c *hostsim.HTTPCall) (*hostsim.HTTPReply, error) {
			got = c
			reply := hostsim.NewHTTPReply(200, "pong", "x-r", "1")
			reply.Trailers = hostsim.H("x-t", "2")
			return reply, nil
		})
	})
	s := visit(h, "/call")
	assert.Equal(t, "200", s.Downstream().Status(), "the answer resumed the request")
	require.NotNil(t, got)
	assert.Equal(t, "upstream", got.Cluster)
	assert.Equal(t, "ping", string(got.Body))
	assert.Equal(t, "4", got.Headers.Get("content-length"))
	assert.Equal(t, "callout.test", got.Headers.Get(":authority"))
	assert.Equal(t, 5*time.Second, got.Timeout)
	assert.Equal(t, "probe", got.Plugin)
	all := logs.take()
	assert.Contains(t, all, "call call_response root 4 2 4 1")
	assert.Contains(t, all, `call call body "pong" 0`)
	assert.Contains(t, all, `call call trailers x-t="2" 0`)
}

func TestACalloutThatFailsGetsTheAnswerThatEnvoyMakes(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"unreachable": {errors.New("refused"), `call call headers :status="503" content-length="98" content-type="text/plain" 0`},
		"timed out":   {fmt.Errorf("late: %w", context.DeadlineExceeded), `call call headers :status="504" content-length="24" content-type="text/plain" 0`},
		"reset":       {hostsim.ErrCalloutReset, "call call status 11 reset 0"},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, logs := probeHost(t, func(o *hostsim.Options) {
				o.Clusters = upstreams(func(context.Context, *hostsim.HTTPCall) (*hostsim.HTTPReply, error) { return nil, c.err })
			})
			visit(h, "/call")
			assert.Contains(t, logs.take(), c.want)
		})
	}
}

func TestAHeldCalloutWaitsForTheTest(t *testing.T) {
	h, _, logs := probeHost(t, func(o *hostsim.Options) {
		o.Callouts = hostsim.CalloutsHeld
		o.Clusters = upstreams(func(context.Context, *hostsim.HTTPCall) (*hostsim.HTTPReply, error) {
			t.Error("a held callout must not run")
			return nil, io.EOF
		})
	})
	s := h.Stream(0, hostsim.Request{Path: "/call"})
	s.RequestHeaders(true)
	held := h.HeldCallouts()
	require.Len(t, held, 1)
	assert.Equal(t, "ping", string(held[0].Body))
	assert.True(t, s.State().RequestPaused)
	held[0].Reply(hostsim.NewHTTPReply(200, "pong"))
	assert.False(t, s.State().RequestPaused)
	assert.Contains(t, logs.take(), `call call body "pong" 0`)
	assert.Empty(t, h.HeldCallouts())
	held[0].Reply(hostsim.NewHTTPReply(200, "again"))
	assert.Empty(t, logs.take())

	for _, c := range []struct {
		end  func(*hostsim.HeldCallout)
		want string
	}{
		{(*hostsim.HeldCallout).Unreachable, ":status=\"503\""},
		{(*hostsim.HeldCallout).Break, "11 reset"},
		{func(c *hostsim.HeldCallout) { c.Reply(nil) }, "11 reset"},
	} {
		h.Stream(0, hostsim.Request{Path: "/call"}).RequestHeaders(true)
		c.end(h.HeldCallouts()[0])
		assert.Contains(t, strings.Join(logs.take(), "\n"), c.want)
	}
}

func TestAHeldCalloutTimesOutOnTheTestsClock(t *testing.T) {
	h, clock, logs := probeHost(t, func(o *hostsim.Options) {
		o.Callouts = hostsim.CalloutsHeld
		o.Clusters = upstreams(func(context.Context, *hostsim.HTTPCall) (*hostsim.HTTPReply, error) { return nil, io.EOF })
	})
	h.Stream(0, hostsim.Request{Path: "/call"}).RequestHeaders(true)
	held := h.HeldCallouts()
	logs.take()
	clock.Advance(5*time.Second - 1)
	assert.Empty(t, logs.take())
	clock.Advance(1)
	assert.Contains(t, logs.take(), `call call body "upstream request timeout" 0`)
	assert.Empty(t, h.HeldCallouts())
	held[0].Reply(hostsim.NewHTTPReply(200, "late"))
	assert.Empty(t, logs.take())
}

func TestTheCalloutsOfAFailedVMAreForgotten(t *testing.T) {
	h, clock, logs := probeHost(t, func(o *hostsim.Options) {
		o.Callouts = hostsim.CalloutsHeld
		o.Clusters = upstreams(func(context.Context, *hostsim.HTTPCall) (*hostsim.HTTPReply, error) { return nil, io.EOF })
	})
	h.Stream(0, hostsim.Request{Path: "/call"}).RequestHeaders(true)
	held := h.HeldCallouts()
	h.Trap(0, "")
	logs.take()
	assert.Empty(t, h.HeldCallouts())
	held[0].Reply(hostsim.NewHTTPReply(200, "late"))
	clock.Advance(time.Minute)
	assert.Empty(t, logs.take())
}

func TestACalloutFromTheStartRunsForAllButTheCanary(t *testing.T) {
	var workers []int
	probeHost(t, func(o *hostsim.Options) {
		o.Plugins[0].Config = []byte("call")
		o.Workers = 2
		o.Clusters = upstreams(func(_ context.Context, c *hostsim.HTTPCall) (*hostsim.HTTPReply, error) {
			workers = append(workers, c.Worker)
			return hostsim.NewHTTPReply(200, ""), nil
		})
	})
	assert.Equal(t, []int{hostsim.MainThread, 0, 1}, workers)
}

func TestAConcurrentCalloutIsCancelledWithItsHost(t *testing.T) {
	started := make(chan struct{})
	h, _, _ := probeHost(t, func(o *hostsim.Options) {
		o.Callouts = hostsim.CalloutsConcurrent
		o.Clusters = upstreams(func(ctx context.Context, _ *hostsim.HTTPCall) (*hostsim.HTTPReply, error) {
			close(started)
			<-ctx.Done()
			return nil, ctx.Err()
		})
	})
	h.Stream(0, hostsim.Request{Path: "/call"}).RequestHeaders(true)
	<-started
	h.Close()
}

// echo answers a call, and each message of a stream.
func echo(ctx context.Context, c *hostsim.GRPCCall) hostsim.GRPCStatus {
	if c.Method == "Fail" {
		return hostsim.GRPCStatus{Code: 7, Message: "no"}
	}
	c.SendHeader(hostsim.H("x-initial", "i"))
	for {
		msg, err := c.Recv()
		if err != nil {
			c.SendTrailer(hostsim.H("x-trailing", c.Metadata.Get("x-md")))
			return hostsim.GRPCStatus{}
		}
		c.Send(append([]byte("echo "), msg...))
	}
}

func TestGRPCCallsAndStreamsReachTheirCallbacks(t *testing.T) {
	for _, mode := range []hostsim.CalloutMode{hostsim.CalloutsInline, hostsim.CalloutsConcurrent} {
		h, _, logs := probeHost(t, func(o *hostsim.Options) {
			o.Callouts = mode
			o.Clusters = map[string]hostsim.Cluster{"grpc": {GRPC: func(ctx context.Context, c *hostsim.GRPCCall) hostsim.GRPCStatus {
				return echo(ctx, c)
			}}}
		})
		play := func(path string, last string) []string {
			s := h.Stream(0, hostsim.Request{Path: path})
			s.RequestHeaders(true)
			require.Eventually(t, func() bool { return len(logs.of(0, last)) > 0 }, time.Minute, time.Millisecond)
			return logs.take()
		}
		call := play("/grpc", "grpc effective")
		assert.Contains(t, call, `grpc grpc_receive root 5 10 "echo hello" 0`)
		assert.NotContains(t, strings.Join(call, "\n"), "metadata", "a call shows its message only")
		assert.Contains(t, play("/grpc-error", "grpc-error grpc_close"), "grpc-error grpc_close root 9 7 status 7 no{via_upstream} 0")
		stream := play("/grpc-stream", "grpc-stream grpc_close")
		assert.Contains(t, stream, `grpc-stream grpc_initial_metadata root 6 1 x-initial="i" 0`)
		assert.Contains(t, stream, `grpc-stream grpc_receive root 6 8 "echo one" 0`)
		assert.Contains(t, stream, `grpc-stream grpc_receive root 6 8 "echo two" 0`)
		assert.Contains(t, stream, `grpc-stream grpc_trailing_metadata root 6 1 x-trailing="1" 0`)
		assert.Contains(t, stream, "grpc-stream grpc_close root 6 0 status 0 via_upstream 0")
	}
}

func TestAGRPCCallTimesOutOnTheTestsClock(t *testing.T) {
	h, clock, logs := probeHost(t, func(o *hostsim.Options) {
		o.Callouts = hostsim.CalloutsHeld
		o.Clusters = map[string]hostsim.Cluster{"grpc": {GRPC: func(ctx context.Context, _ *hostsim.GRPCCall) hostsim.GRPCStatus {
			<-ctx.Done()
			return hostsim.GRPCStatus{Code: 1}
		}}}
	})
	s := h.Stream(0, hostsim.Request{Path: "/grpc-timeout"})
	s.RequestHeaders(true)
	clock.Advance(100 * time.Millisecond)
	assert.Contains(t, logs.take(), "grpc-timeout grpc_close root 5 14 status 14 upstream request timeout{response_timeout} 0")
	assert.False(t, s.State().RequestPaused)
}
