package hostsim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

func TestAWholeExchangePassesWithItsCallbacksInEnvoysOrder(t *testing.T) {
	h, _, logs := probeHost(t, nil)
	s := h.RoundTrip(0, hostsim.Request{Method: "POST", Path: "/plain", Body: []byte("question"), Trailers: []hostsim.Header{{Name: "x-t", Value: "1"}}},
		func(m hostsim.Message) *hostsim.Message {
			assert.Equal(t, "question", string(m.Body))
			assert.Equal(t, "1", m.Trailers.Get("x-t"))
			return &hostsim.Message{Headers: hostsim.H(":status", "201"), Body: []byte("answer"), Trailers: hostsim.H("x-r", "2")}
		})
	down := s.Downstream()
	assert.Equal(t, "201", down.Status())
	assert.Equal(t, "answer", string(down.Body))
	assert.Equal(t, "2", down.Trailers.Get("x-r"))
	assert.True(t, down.Ended)
	assert.Equal(t, hostsim.State{Over: true, Code: 201, Details: "via_upstream"}, s.State())
	assert.Equal(t, []string{
		"context_create stream parent root", "plain request_headers 6 0", "plain response_headers 1 0",
		`plain log code "\xc9\x00\x00\x00\x00\x00\x00\x00" 0 "via_upstream" 0`, "plain done", "plain delete",
	}, callbacks(logs.take()))
}

func TestARequestPausedAtItsHeadersGoesOnWithItsBody(t *testing.T) {
	h, clock, logs := probeHost(t, nil)
	s := h.Stream(0, hostsim.Request{Method: "POST", Path: "/tick"})
	s.RequestHeaders(false)
	s.RequestBody([]byte("one "), false)
	s.RequestBody([]byte("two"), false)
	s.RequestTrailers([]hostsim.Header{{Name: "x-t", Value: "1"}})
	assert.Equal(t, hostsim.State{RequestPaused: true, RequestBuffered: 7}, s.State())
	assert.Nil(t, s.Upstream().Headers)
	clock.Advance(49 * time.Millisecond)
	assert.NotContains(t, logs.take(), "tick tick root")
	clock.Advance(time.Millisecond)
	up := s.Upstream()
	assert.Equal(t, "yes", up.Headers.Get("x-resumed"))
	assert.Empty(t, up.Headers.Get("x-late"), "what is added after the continue comes too late")
	assert.Equal(t, "one two", string(up.Body))
	assert.Equal(t, "1", up.Trailers.Get("x-t"))
	assert.True(t, up.Ended)
}

func TestABodyThatAFilterBuffersIsBounded(t *testing.T) {
	h, _, _ := probeHost(t, func(o *hostsim.Options) { o.BufferLimit = 10 })
	s := h.Stream(0, hostsim.Request{Method: "POST", Path: "/body"})
	s.RequestHeaders(false)
	s.RequestBody([]byte("0123456789"), false)
	assert.True(t, s.State().RequestPaused)
	s.RequestBody([]byte("x"), false)
	assert.Equal(t, "413", s.Downstream().Status())
	assert.Equal(t, "request_payload_too_large", s.State().Details)
	assert.True(t, s.State().Over)

	s = h.Stream(0, hostsim.Request{Path: "/body"})
	s.RequestHeaders(true)
	s.ResponseHeaders([]hostsim.Header{{Name: ":status", Value: "200"}}, false)
	s.ResponseBody([]byte("0123456789x"), false)
	assert.True(t, s.State().Reset, "the headers had left: there is no way back")
	assert.Equal(t, "response_payload_too_large", s.State().Details)
}

func TestARefusalAheadOfTheFilterHasOnlyALog(t *testing.T) {
	h, _, logs := probeHost(t, nil)
	s := h.Stream(0, hostsim.Request{Path: "/plain"})
	s.RefuseBefore(hostsim.LocalReply{Status: 401, Details: "jwt_authn_access_denied{Jwt_is_expired}", Body: []byte("Jwt is expired"), GRPCStatus: hostsim.GRPCUnset})
	assert.Equal(t, "401", s.Downstream().Status())
	assert.Equal(t, []string{
		"context_create stream parent root",
		`plain log code "\x91\x01\x00\x00\x00\x00\x00\x00" 0 "jwt_authn_access_denied{Jwt_is_expired}" 0`, "plain done", "plain delete",
	}, logs.take())
	s.RequestHeaders(true)
	assert.Empty(t, logs.take())
}

func TestARefusalBehindTheFilterIsAResponseToIt(t *testing.T) {
	h, _, logs := probeHost(t, nil)
	s := h.Stream(0, hostsim.Request{Path: "/plain"})
	s.RequestHeaders(true)
	s.LocalReply(hostsim.LocalReply{Status: 429, Details: "request_rate_limited", GRPCStatus: hostsim.GRPCUnset})
	assert.Contains(t, logs.take(), "plain response_headers 1 1")
	assert.Equal(t, "429", s.Downstream().Status())
}

func TestAnUpstreamThatCannotBeReachedIsA503(t *testing.T) {
	h, _, logs := probeHost(t, nil)
	s := h.RoundTrip(0, hostsim.Request{Path: "/plain"}, func(hostsim.Message) *hostsim.Message { return nil })
	assert.Equal(t, "503", s.Downstream().Status())
	assert.True(t, s.State().Replied)
	assert.Contains(t, logs.take(), "plain response_headers 3 0")
}

func TestAResetStreamIsLoggedWithoutACode(t *testing.T) {
	h, _, logs := probeHost(t, nil)
	s := h.Stream(0, hostsim.Request{Path: "/plain"})
	s.RequestHeaders(true)
	logs.take()
	s.Reset("downstream_remote_disconnect")
	assert.Equal(t, []string{`plain log code "" 1 "downstream_remote_disconnect" 0`, "plain done", "plain delete"}, logs.take())
	assert.True(t, s.State().Reset)
	s.ResponseHeaders([]hostsim.Header{{Name: ":status", Value: "200"}}, true)
	s.Reset("again")
	s.LocalReply(hostsim.LocalReply{Status: 500})
	assert.Empty(t, logs.take(), "the stream is over")
	assert.Nil(t, s.Downstream().Headers)
}

func TestTheFirstLocalReplyCountsAndTheLastDetails(t *testing.T) {
	h, _, _ := probeHost(t, nil)
	s := visit(h, "/reply-twice")
	assert.Equal(t, "first", string(s.Downstream().Body))
	assert.Equal(t, hostsim.State{Replied: true, Over: true, Code: 403, Details: "second"}, s.State())
	assert.Nil(t, s.Upstream().Headers)
	assert.Equal(t, "yes", s.Downstream().Headers.Get("x-added"), "the response headers callback ran")
}

func TestAReplyInTheResponseGoesPastTheFilter(t *testing.T) {
	h, _, logs := probeHost(t, nil)
	s := visit(h, "/reply-in-response")
	assert.Equal(t, "502", s.Downstream().Status())
	assert.Equal(t, "replaced", string(s.Downstream().Body))
	assert.Equal(t, 1, strings.Count(strings.Join(logs.take(), "\n"), "response_headers"))
}

func TestAReplyToHEADHasNoBody(t *testing.T) {
	h, _, _ := probeHost(t, nil)
	s := h.RoundTrip(0, hostsim.Request{Method: "HEAD", Path: "/reply"}, answer)
	assert.Equal(t, "403", s.Downstream().Status())
	assert.Empty(t, s.Downstream().Body)
	assert.True(t, s.Downstream().Ended)
}

func TestAReplyToGRPCIsATrailersOnlyResponse(t *testing.T) {
	h, _, _ := probeHost(t, nil)
	grpc := []hostsim.Header{{Name: "content-type", Value: "application/grpc+proto"}}
	for path, want := range map[string]string{"/reply-grpc": "14", "/reply-grpc-status": "9"} {
		s := h.RoundTrip(0, hostsim.Request{Method: "POST", Path: path, Headers: grpc}, answer)
		down := s.Downstream()
		assert.Equal(t, "200", down.Status())
		assert.Equal(t, want, down.Headers.Get("grpc-status"))
		assert.Equal(t, "100%25 %C3%BCber", down.Headers.Get("grpc-message"))
		assert.Empty(t, down.Body)
	}
}

func TestFilterStateOutlivesTheStream(t *testing.T) {
	h, _, _ := probeHost(t, nil)
	s := h.RoundTrip(0, hostsim.Request{Path: "/headers"}, answer)
	state, ok := s.FilterState("wasm.probe_state")
	require.True(t, ok)
	assert.Equal(t, "from log", string(state))
	_, ok = s.FilterState("probe_state")
	assert.False(t, ok)
}

func TestTheHostAddsWhatEnvoyAddsToARequest(t *testing.T) {
	h, _, _ := probeHost(t, func(o *hostsim.Options) { o.Random = strings.NewReader(strings.Repeat("r", 1000)) })
	s := visit(h, "/plain")
	assert.Equal(t, "72727272-7272-4272-b272-727272727272", s.Upstream().Headers.Get("x-request-id"))
	assert.Equal(t, "http", s.Upstream().Headers.Get("x-forwarded-proto"))
	s = h.RoundTrip(0, hostsim.Request{Scheme: "https", Headers: []hostsim.Header{{Name: "X-Request-Id", Value: "mine"}, {Name: "Authorization", Value: "a"}, {Name: "authorization", Value: "b"}}}, answer)
	assert.Equal(t, "mine", s.Upstream().Headers.Get("x-request-id"))
	assert.Equal(t, []string{"a,b"}, s.Upstream().Headers.Values("authorization"), "Envoy joins them")
}

// discard is a Sink that counts.
type counting struct {
	hostsim.Sink
	headers, over int
}

func (c *counting) RequestHeaders(*hostsim.Headers, bool)  { c.headers++ }
func (c *counting) ResponseHeaders(*hostsim.Headers, bool) { c.headers++ }
func (c *counting) ResponseData([]byte, bool)              {}
func (c *counting) Over(bool)                              { c.over++ }

func TestASinkHearsWhatTheRecordWouldHold(t *testing.T) {
	h, _, _ := probeHost(t, nil)
	sink := &counting{}
	s := h.Stream(0, hostsim.Request{Path: "/plain", Sink: sink, NoRecord: true})
	s.RequestHeaders(true)
	s.Respond(answer(hostsim.Message{}))
	assert.Equal(t, 2, sink.headers)
	assert.Equal(t, 1, sink.over)
	assert.Nil(t, s.Downstream().Headers)
}

func TestAnUnknownPluginPanicsAndHarmsNothing(t *testing.T) {
	h, _, _ := probeHost(t, nil)
	assert.PanicsWithValue(t, "hostsim: no plugin named other", func() { h.Stream(0, hostsim.Request{Plugin: "other"}) })
	assert.Equal(t, "200", visit(h, "/plain").Downstream().Status())
}

func TestADurationIsTheMonotonicTimeOfTheStream(t *testing.T) {
	h, clock, _ := probeHost(t, nil)
	s := h.Stream(0, hostsim.Request{Path: "/plain"})
	s.RequestHeaders(true)
	clock.SetWall(epoch.Add(-time.Hour))
	clock.Advance(time.Second)
	s.Respond(answer(hostsim.Message{}))
	assert.Equal(t, time.Second, s.Duration())
}

func TestStatusesHaveTheSpecificationsNames(t *testing.T) {
	assert.Equal(t, "CAS_MISMATCH", abi.CasMismatch.String())
	assert.Equal(t, "UNKNOWN", abi.Status(99).String())
	assert.Equal(t, "error", abi.LogError.String())
}

func TestAPieceOfABodyIsTheCallersAgainAfterTheCall(t *testing.T) {
	h, clock, logs := probeHost(t, nil)
	s := h.Stream(0, hostsim.Request{Method: "POST", Path: "/keep"})
	s.RequestHeaders(false)
	data := []byte("mine")
	s.RequestBody(data, false)
	copy(data, "XXXX")
	clock.Advance(50 * time.Millisecond)
	assert.Contains(t, logs.take(), `keep tick body "mine" 0`)
}
