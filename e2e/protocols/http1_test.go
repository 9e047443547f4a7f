package protocols_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"gatehouse/e2e/envoytest"
)

func TestHTTP1AndHTTP2(t *testing.T) {
	g := startGate(t, "")
	for name, test := range map[string]func(*testing.T, *gate){
		"pipelined requests are judged one by one":              pipelining,
		"a chunked body passes, trailers that name users don't": chunkedTrailers,
		"a refused client that expects 100-continue":            expectContinue,
		"HTTP/1.0":                            http10,
		"CONNECT":                             connect,
		"HTTP/2 streams of one connection":    http2Streams,
		"a websocket":                         websocket,
		"a websocket over HTTP/2":             websocketOverHTTP2,
		"a websocket that outlives its token": websocketOutlivesItsToken,
	} {
		t.Run(name, func(t *testing.T) { test(t, g) })
	}
	const undecided = 0
	g.Settled(t, g.requests, undecided)
}

func pipelining(t *testing.T, g *gate) {
	w := envoytest.Dial(t, g.Address("gate"))
	bearer := "\nAuthorization: Bearer " + g.Token(t, "piper")
	_, err := io.WriteString(w, envoytest.Head("GET /pipelined/1 HTTP/1.1\nHost: a")+
		envoytest.Head("POST /pipelined/2 HTTP/1.1\nHost: a\nContent-Length: 4"+bearer)+"body"+
		envoytest.Head("GET /pipelined/3 HTTP/1.1\nHost: a"+bearer)+
		envoytest.Head("POST /pipelined/4 HTTP/1.1\nHost: a\nContent-Length: 4")+"body"+
		envoytest.Head("GET /pipelined/5 HTTP/1.1\nHost: a"+bearer))
	require.NoError(t, err)
	for i, want := range []string{"401", "200", "200", "401", "none"} {
		assert.Equal(t, want, w.Receive(http.MethodGet).Outcome(), i)
	}
	for i, want := range []string{"auth_failure 401 missing_token", "auth_success 200", "auth_success 200", "auth_failure 401 missing_token"} {
		g.judged(t, fmt.Sprint("/pipelined/", i+1), want)
	}
	assert.Equal(t, "body", g.upstream.of("/pipelined/2").body)
	assert.Zero(t, g.upstream.of("/pipelined/4").times)
	assert.Empty(t, g.Events.Of("/pipelined/5"), "Envoy reads no further behind a body that nobody wanted")
}

func chunkedTrailers(t *testing.T, g *gate) {
	w := envoytest.Dial(t, g.Address("gate"))
	w.Send(t, "POST /chunked HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTrailer: x-checksum\nAuthorization: Bearer "+g.Token(t, "chunker"),
		"4\r\nbody\r\n0\r\nX-Checksum: 1\r\nX-Gatehouse-User-Id: mallory\r\nx_gatehouse_caller: machine\r\n\r\n")
	assert.Equal(t, "200", w.Receive(http.MethodPost).Outcome())
	g.judged(t, "/chunked", "auth_success 200")
	got := g.upstream.of("/chunked")
	assert.Equal(t, "body", got.body)
	assert.Equal(t, http.Header{"X-Checksum": {"1"}}, got.trailer)
}

func expectContinue(t *testing.T, g *gate) {
	for path, c := range map[string]struct{ token, status, event string }{
		"/expect/refused":  {"", "401", "auth_failure 401 missing_token"},
		"/expect/admitted": {g.Token(t, "expecter"), "200", "auth_success 200"},
	} {
		w := envoytest.Dial(t, g.Address("gate"))
		head := "POST " + path + " HTTP/1.1\nHost: a\nContent-Length: 4\nExpect: 100-continue"
		if c.token != "" {
			head += "\nAuthorization: Bearer " + c.token
		}
		w.Send(t, head)
		first := w.Receive(http.MethodPost)
		require.Equal(t, "100", first.Outcome(), "Envoy answers that itself, whatever the gate will say")
		_, err := io.WriteString(w, "body")
		require.NoError(t, err)
		assert.Equal(t, c.status, w.Receive(http.MethodPost).Outcome())
		g.judged(t, path, c.event)
	}
	assert.Zero(t, g.upstream.of("/expect/refused").times)
	assert.Equal(t, "body", g.upstream.of("/expect/admitted").body)
}

func http10(t *testing.T, g *gate) {
	for path, c := range map[string]struct{ more, status, event string }{
		"/old/refused":  {"\nHost: a", "401", "auth_failure 401 missing_token"},
		"/old/admitted": {"\nHost: a\nAuthorization: Bearer " + g.Token(t, "elder"), "200", "auth_success 200"},
		"/old/no-host":  {"\nAuthorization: Bearer " + g.Token(t, "elder"), "400", ""},
	} {
		w := envoytest.Dial(t, g.Address("gate"))
		w.Send(t, "GET "+path+" HTTP/1.0"+c.more)
		a := w.Receive(http.MethodGet)
		assert.Equal(t, c.status, a.Outcome(), path)
		_, err := w.Reader.ReadByte()
		require.ErrorIs(t, err, io.EOF, "%s: the connection ends", path)
		if c.event != "" {
			g.judged(t, path, c.event)
		}
	}
	assert.Empty(t, g.Events.Of("/old/no-host"), "Envoy refuses that before any filter")
}

func connect(t *testing.T, g *gate) {
	w := envoytest.Dial(t, g.Address("gate"))
	w.Send(t, "CONNECT a:443 HTTP/1.1\nHost: a:443\nAuthorization: Bearer "+g.Token(t, "tunneller"))
	assert.Equal(t, "400", w.Receive(http.MethodGet).Outcome())
	h := envoytest.DialHTTP2(t, g.Address("gate"))
	h.Open(t, 1, true, ":method", "CONNECT", ":authority", "a:443", "authorization", "Bearer "+g.Token(t, "tunneller"))
	assert.Equal(t, "400", statuses(t, h, 1)[1])
	for _, event := range g.Events.Await(t, "", 2) {
		assert.Equal(t, "access_denied 400 unsafe_method CONNECT", fmt.Sprint(event.Type, " ", event.Status, " ", event.Metadata.Reason, " ", event.Method))
		g.requests++
	}
}

func http2Streams(t *testing.T, g *gate) {
	h := envoytest.DialHTTP2(t, g.Address("gate"))
	token := g.Token(t, "streamer")
	const streams = 60
	var refused []uint32
	for i := range uint32(streams) {
		id := 2*i + 1
		fields := []string{":method", "GET", ":scheme", "http", ":path", fmt.Sprint("/streams/", id), ":authority", "a"}
		if i%3 == 0 {
			refused = append(refused, id)
		} else {
			fields = append(fields, "authorization", "Bearer "+token)
		}
		h.Open(t, id, true, fields...)
	}
	got := statuses(t, h, streams)
	for _, id := range refused {
		assert.Equal(t, "401", got[id], id)
		g.judged(t, fmt.Sprint("/streams/", id), "auth_failure 401 missing_token")
		delete(got, id)
	}
	for id, status := range got {
		assert.Equal(t, "200", status, id)
		g.judged(t, fmt.Sprint("/streams/", id), "auth_success 200")
	}
}

const upgradeHeaders = "\nHost: a\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

func websocket(t *testing.T, g *gate) {
	w := envoytest.Dial(t, g.Address("gate"))
	w.Send(t, "GET /socket/refused HTTP/1.1"+upgradeHeaders)
	assert.Equal(t, "401", w.Receive(http.MethodGet).Outcome())
	g.judged(t, "/socket/refused", "auth_failure 401 missing_token")
	assert.Zero(t, g.upstream.of("/socket/refused").times)

	w = openSocket(t, g, "/socket/admitted", g.Token(t, "talker"))
	echoes(t, w.Reader, w, "ping")
	assert.Empty(t, g.Events.Of("/socket/admitted"), "the event comes at the end")
	require.NoError(t, w.Close())
	g.judged(t, "/socket/admitted", "auth_success 101")
	assert.Equal(t, []string{"talker"}, g.upstream.of("/socket/admitted").header["X-Gatehouse-User-Id"])
}

// openSocket upgrades a connection.
func openSocket(t *testing.T, g *gate, path, token string) *envoytest.Wire {
	t.Helper()
	w := envoytest.Dial(t, g.Address("gate"))
	require.Equal(t, http.StatusSwitchingProtocols, upgrade(t, w, path, token))
	return w
}

// upgrade asks for an upgrade and returns the answer's status.
func upgrade(t *testing.T, w *envoytest.Wire, path, token string) int {
	t.Helper()
	w.Send(t, "GET "+path+" HTTP/1.1"+upgradeHeaders+"\nAuthorization: Bearer "+token)
	response, err := http.ReadResponse(w.Reader, nil)
	require.NoError(t, err)
	_ = response.Body.Close()
	return response.StatusCode
}

// echoes sends text and waits for it to come back.
func echoes(t *testing.T, from io.Reader, to io.Writer, text string) {
	t.Helper()
	_, err := io.WriteString(to, text)
	require.NoError(t, err)
	got := make([]byte, len(text))
	_, err = io.ReadFull(from, got)
	require.NoError(t, err)
	assert.Equal(t, text, string(got))
}

// websocketOutlivesItsToken: a request is judged once, at its beginning.
func websocketOutlivesItsToken(t *testing.T, g *gate) {
	w, path, token := openSocketOfAShortToken(t, g)
	opened, tried := time.Now(), 0
	require.Eventually(t, func() bool {
		tried++
		path := fmt.Sprint("/socket/expired/", tried)
		again := envoytest.Dial(t, g.Address("gate"))
		defer func() { _ = again.Close() }()
		again.Send(t, "GET "+path+" HTTP/1.1\nHost: a\nAuthorization: Bearer "+token)
		if again.Receive(http.MethodGet).Outcome() == "200" {
			g.judged(t, path, "auth_success 200")
			return false
		}
		g.judged(t, path, "auth_failure 401 expired_token")
		return true
	}, envoytest.Patience, 200*time.Millisecond)
	echoes(t, w.Reader, w, "still here")
	open := time.Since(opened)
	require.NoError(t, w.Close())
	event := g.judged(t, path, "auth_success 101")
	assert.GreaterOrEqual(t, event.Metadata.DurationMS, open.Milliseconds()-1, "up to its end, less what is cut off")
}

// openSocketOfAShortToken opens a socket with a token that has not expired by then, however slow
// the machine is.
func openSocketOfAShortToken(t *testing.T, g *gate) (w *envoytest.Wire, path, token string) {
	t.Helper()
	for lifetime := 3 * time.Second; lifetime < envoytest.Patience; lifetime *= 2 {
		path, token = fmt.Sprint("/socket/long/", lifetime), g.TokenFor(t, "sleeper", lifetime)
		w = envoytest.Dial(t, g.Address("gate"))
		if upgrade(t, w, path, token) == http.StatusSwitchingProtocols {
			return w, path, token
		}
		g.judged(t, path, "auth_failure 401 expired_token")
	}
	require.Fail(t, "each token had expired")
	return nil, "", ""
}

func websocketOverHTTP2(t *testing.T, g *gate) {
	open := func(h *envoytest.Frames, path string, more ...string) {
		h.Open(t, 1, false, append([]string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", path, ":authority", "a",
			"sec-websocket-version", "13"}, more...)...)
	}
	h := envoytest.DialHTTP2(t, g.Address("gate"))
	open(h, "/socket2/refused")
	assert.Equal(t, "401", statuses(t, h, 1)[1])
	event := g.judged(t, "/socket2/refused", "auth_failure 401 missing_token")
	assert.Equal(t, http.MethodGet, event.Method)

	h = envoytest.DialHTTP2(t, g.Address("gate"))
	open(h, "/socket2/admitted", "authorization", "Bearer "+g.Token(t, "talker"))
	assert.Equal(t, "200", statuses(t, h, 1)[1])
	require.NoError(t, h.WriteData(1, false, []byte("ping")))
	assert.Equal(t, "ping", data(t, h, 1))
	require.NoError(t, h.WriteRSTStream(1, http2.ErrCodeCancel))
	g.judged(t, "/socket2/admitted", "auth_success 101") // as Envoy's own log has it: it is an upgrade
}

// statuses waits for those of n responses.
func statuses(t *testing.T, f *envoytest.Frames, n int) map[uint32]string {
	t.Helper()
	out := map[uint32]string{}
	for len(out) < n {
		id, status := f.Status(t)
		out[id] = status
	}
	return out
}

// data waits for a part of a response's body.
func data(t *testing.T, f *envoytest.Frames, id uint32) string {
	t.Helper()
	for {
		frame, err := f.ReadFrame()
		require.NoError(t, err)
		if d, ok := frame.(*http2.DataFrame); ok && d.StreamID == id && len(d.Data()) > 0 {
			return string(d.Data())
		}
	}
}
