package plugin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/proxy/proxytest"
)

// TestRequestsThatEndWithoutTheirCallbackHaveTheirEvents has a proxy delete the contexts of streams
// and never call Done, as Envoy does with HTTP/3.
func TestRequestsThatEndWithoutTheirCallbackHaveTheirEvents(t *testing.T) {
	px, p := start(t, inline)
	ask := func(id uint32, path string) {
		x := px.Open(id, proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: path}, proxytest.Header{Name: ":authority", Value: "a"})
		x.Properties["source\x00address"] = []byte("192.0.2.1:4711")
		px.Context = id
		s := p.NewStream(id)
		if s.RequestHeaders() == proxy.Continue {
			x.Headers[proxy.ResponseHeaders] = []proxytest.Header{{Name: ":status", Value: "204"}}
			x.Properties["response\x00code_details"] = []byte("via_upstream")
		} else {
			x.Headers[proxy.ResponseHeaders] = []proxytest.Header{{Name: ":status", Value: "401"}}
		}
		x.Properties["request\x00protocol"] = []byte("HTTP/3")
		s.ResponseHeaders(true)
		px.Context = pluginID
	}
	const first, second = 10, 11
	gone := map[uint32]bool{}
	px.Lost = func(id uint32) bool { return gone[id] }
	sweep := func() {
		p.Tick()
		p.Tick() // what is missed once may be a call that failed
	}
	ask(first, "/refused")
	sweep()
	assert.Empty(t, eventLines(px), "it has not ended")
	gone[first] = true
	sweep()
	ask(second, "/public/x")
	gone[second] = true
	sweep()
	got := eventLines(px)
	require.Len(t, got, 2)
	assert.Contains(t, got[0], `"event_type":"auth_failure"`)
	assert.Contains(t, got[0], `"status_code":401`)
	assert.Contains(t, got[1], `"event_type":"request"`)
	assert.Contains(t, got[1], `"status_code":204`)
	sweep()
	assert.Len(t, eventLines(px), 2, "each has one event")

	kept := px.Streams[second].FilterState[state]
	assert.Equal(t, 2, strings.Count(kept, `"event_id"`), "the access log gets the line of the first with the second's: %s", kept)
}

// TestAHeldRequestThatEndsWithoutItsCallbackLeavesItsPlace is for the places of waiting requests.
func TestAHeldRequestThatEndsWithoutItsCallbackLeavesItsPlace(t *testing.T) {
	px, p := start(t, remote)
	token := newIssuer(t, 0, "a").token(t, px)
	px.Lost = func(id uint32) bool { return id != pluginID }
	for id := range uint32(3000) {
		px.Open(100+id, proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: "/x"},
			proxytest.Header{Name: ":authority", Value: "a"}, proxytest.Header{Name: "authorization", Value: "Bearer " + token})
		px.Context = 100 + id
		require.Equal(t, proxy.Pause, p.NewStream(100+id).RequestHeaders())
		px.Context = pluginID
		if id%500 == 499 {
			for range 30 {
				p.Tick()
			}
		}
	}
	lines := eventLines(px)
	assert.Len(t, lines, 3000)
	for _, line := range lines {
		require.Contains(t, line, `"reason":null`, "none was refused for want of a place")
	}
}

// eventLines are the audit lines in the log.
func eventLines(px *proxytest.Proxy) (lines []string) {
	for _, l := range px.Logs {
		if strings.HasPrefix(l.Text, `{"timestamp"`) {
			lines = append(lines, l.Text)
		}
	}
	return lines
}
