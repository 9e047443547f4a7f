package hostsim_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
)

// requireNothingAfterDelete fails if the guest was called for a stream whose
// context it had been told was gone.
func requireNothingAfterDelete(t *testing.T, msgs []string, name string) {
	t.Helper()
	require.NotEmpty(t, msgs)
	require.Equal(t, name+" delete", msgs[len(msgs)-1], "all of it: %q", msgs)
}

func TestAStreamThatEndsAsItGoesOnShowsTheFilterNoTrailers(t *testing.T) {
	trailers := []hostsim.Header{{Name: "x-t", Value: "1"}}
	over := []byte("0123456789x")
	request := func(s *hostsim.Stream) {
		s.RequestHeaders(false)
		s.RequestBody(over, false)
		s.RequestTrailers(trailers)
		require.True(t, s.State().RequestPaused)
	}
	response := func(s *hostsim.Stream) {
		s.RequestHeaders(true)
		s.ResponseHeaders([]hostsim.Header{{Name: ":status", Value: "200"}}, false)
		s.ResponseBody(over, false)
		s.ResponseTrailers(trailers)
		require.True(t, s.State().ResponsePaused)
	}
	for _, tt := range []struct {
		name   string
		arrive func(*hostsim.Stream)
		want   hostsim.State
	}{
		{"tick-body", request, hostsim.State{Replied: true, Over: true, Code: 413, Details: "request_payload_too_large"}},
		{"tick-close", request, hostsim.State{Over: true, Reset: true, Details: "wasm_close_stream"}},
		{"tick-body-response", response, hostsim.State{Over: true, Reset: true, Code: 200, Details: "response_payload_too_large"}},
		{"tick-close-response", response, hostsim.State{Over: true, Reset: true, Code: 200, Details: "via_upstream"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, clock, logs := probeHost(t, func(o *hostsim.Options) { o.BufferLimit = len(over) - 1 })
			s := h.Stream(0, hostsim.Request{Method: "POST", Path: "/" + tt.name})
			tt.arrive(s)
			clock.Advance(50 * time.Millisecond)
			assert.Equal(t, tt.want, s.State())
			msgs := logs.take()
			requireNothingAfterDelete(t, msgs, tt.name)
			for _, m := range msgs {
				assert.NotContains(t, m, "_trailers ")
			}
			assert.Nil(t, s.Upstream().Trailers)
			assert.Nil(t, s.Downstream().Trailers)
		})
	}
}

func TestAStreamClosedAfterAReplyInOneCallbackGetsNoReply(t *testing.T) {
	h, _, logs := probeHost(t, nil)
	s := visit(h, "/reply-close")
	assert.Equal(t, hostsim.State{Over: true, Reset: true, Details: "probe_details_here"}, s.State())
	assert.Nil(t, s.Downstream().Headers)
	requireNothingAfterDelete(t, logs.take(), "reply-close")
}

func TestAStreamClosedAsItsContextIsCreatedIsNotShown(t *testing.T) {
	h, _, logs := probeHost(t, func(o *hostsim.Options) { o.Plugins[0].Config = []byte("close") })
	s := visit(h, "/plain")
	assert.Equal(t, hostsim.State{Over: true, Reset: true, Details: "wasm_close_stream"}, s.State())
	assert.Nil(t, s.Upstream().Headers)
	requireNothingAfterDelete(t, logs.take(), "plain")
}
