package plugin_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/filter/internal/plugin"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/proxy/proxytest"
)

// TestAnAdmittedRequestCallsTheProxyNoOftenerThanNeeded holds the price of a request: most of it is
// the proxy's side of calls.
func TestAnAdmittedRequestCallsTheProxyNoOftenerThanNeeded(t *testing.T) {
	tokens := `"tokens": {"providers": [{"name": "main", "issuer": "https://idp.example", "audiences": ["orders"], "algorithms": ["HS256"],
		"jwks": {"inline": {"keys": [{"kty": "oct", "k": "` + base64.RawURLEncoding.EncodeToString([]byte(secret)) + `"}]}}}]},`
	const (
		open   = `"routes": [{"path": "/**", "auth": "none"}],`
		closed = `"routes": [{"path": "/**"}],`
		quiet  = `"audit": {"enabled": false},`
		events = `"audit": {"log": "none"},`
		mute   = `"identity_headers": "none"`
		limits = `"rate_limits": [{"name": "calls", "max_requests": 100, "window_seconds": 60}],`
	)
	for name, c := range map[string]struct{ config, calls string }{
		"nothing": {open + quiet + mute, "Headers 2 RemoveHeader"},
		"a token": {tokens + closed + quiet + mute, "Now Monotonic Headers Monotonic 2 RemoveHeader"},
		"a limit by address": {strings.Replace(open, `"none"`, `"none", "rate_limits": ["calls"]`, 1) + strings.Replace(limits, `60}`, `60, "identifier": ["ip"]}`, 1) + quiet + mute,
			"Monotonic Headers Property 2 SharedGet SharedSet 2 RemoveHeader 5 SetHeader"},
		"audit": {open + events + mute,
			"Now Monotonic Headers Property Header RemoveHeader Monotonic 2 Property SetProperty"},
		"a token, a limit, audit and identity headers": {tokens + closed + limits + events + `"identity_headers": {"prefix": "x-gatehouse-"}`,
			"Now Monotonic Headers Property Monotonic 2 SharedGet SharedSet 3 SetHeader Header RemoveHeader 5 SetHeader Monotonic 2 Property SetProperty"},
	} {
		t.Run(name, func(t *testing.T) {
			px, p := start(t, "{"+c.config+"}")
			for range 3 {
				px.Calls = nil
				x := px.Open(streamID, proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: "/orders"},
					proxytest.Header{Name: ":authority", Value: "api.example"},
					proxytest.Header{Name: "authorization", Value: "Bearer " + token(t, px, "orders")})
				x.Properties["source\x00address"] = []byte("192.0.2.1:4711")
				x.Headers[proxy.ResponseHeaders] = []proxytest.Header{{Name: ":status", Value: "200"}}
				s := p.NewStream(streamID)
				require.Equal(t, proxy.Continue, s.RequestHeaders())
				require.Equal(t, proxy.Continue, s.ResponseHeaders(false))
				s.Done()
			}
			assert.Equal(t, c.calls, summary(px.Calls))
		})
	}
}

// summary lists calls in their order, with the number of equal ones in a row.
func summary(calls []proxytest.Invocation) string {
	var out []string
	for i := 0; i < len(calls); {
		n := 1
		for i+n < len(calls) && calls[i+n].Name == calls[i].Name {
			n++
		}
		if n > 1 {
			out = append(out, string(rune('0'+n)))
		}
		out = append(out, calls[i].Name)
		i += n
	}
	return strings.Join(out, " ")
}

func TestAStreamIsUsedAgain(t *testing.T) {
	px := proxytest.New()
	p := plugin.NewVM().New(px, pluginID)
	require.True(t, p.Start([]byte(inline)))
	px.Open(streamID)
	first := p.NewStream(streamID)
	first.Done()
	assert.Same(t, first, p.NewStream(streamID+1))
}

// TestTheMemoryOfABurstIsGivenBack has many streams at once. Only so many of them are kept for
// others.
func TestTheMemoryOfABurstIsGivenBack(t *testing.T) {
	const burst, kept = 3000, 1024
	px := proxytest.New()
	p := plugin.NewVM().New(px, pluginID)
	require.True(t, p.Start([]byte(inline)))
	open := func() (streams []proxy.Stream) {
		for id := range uint32(burst) {
			px.Open(streamID + id)
			streams = append(streams, p.NewStream(streamID+id))
		}
		return streams
	}
	seen := map[proxy.Stream]bool{}
	for _, s := range open() {
		seen[s] = true
		s.Done()
	}
	again := 0
	for _, s := range open() {
		if seen[s] {
			again++
		}
	}
	assert.Equal(t, kept, again)
}
