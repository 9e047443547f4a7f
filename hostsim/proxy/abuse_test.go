package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim/proxy"
)

// dial connects to a proxy, for what no client of net/http would send.
func dial(t *testing.T, p *running) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c, bufio.NewReader(c)
}

// exchangeRaw sends a request as it stands and returns the response and its body.
func exchangeRaw(t *testing.T, p *running, request string) (*http.Response, string) {
	t.Helper()
	c, r := dial(t, p)
	_, err := io.WriteString(c, request)
	require.NoError(t, err)
	return readResponse(t, r)
}

// readResponse returns the next response and its body.
func readResponse(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp, string(body)
}

func TestWhatIsLeftOfAnAnsweredRequestIsNoRequest(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			t.Error("the rest of a body was taken for a request")
		}
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Content-Length", "5")
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "early")
	})
	for framing, framed := range map[string]string{
		"length":  "Content-Length: 60\r\n\r\n1234",
		"chunked": "Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n40\r\n",
	} {
		t.Run(framing, func(t *testing.T) {
			p := start(t, up, nil)
			c, r := dial(t, p)
			_, err := io.WriteString(c, "POST /plain HTTP/1.1\r\nHost: a\r\n"+framed)
			require.NoError(t, err)
			resp, body := readResponse(t, r)
			assert.Equal(t, "early", body)
			assert.True(t, resp.Close, "the connection is of no more use")
			_, _ = io.WriteString(c, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
			rest, _ := io.ReadAll(r)
			assert.Empty(t, rest)
		})
	}
}

func TestEveryRequestPassesTheFilter(t *testing.T) {
	resp, _ := exchangeRaw(t, start(t, "", nil), "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
	assert.Equal(t, 404, resp.StatusCode, "the proxy's answer, not net/http's own")
}

func TestAnExpectationIsMetHere(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%q %s", r.Header.Values("Expect"), body)
	})
	p := start(t, up, nil)
	c, r := dial(t, p)
	_, err := io.WriteString(c, "POST /plain HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	require.NoError(t, err)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = r.ReadString('\n')
	require.NoError(t, err)
	_, err = io.WriteString(c, "body")
	require.NoError(t, err)
	_, body := readResponse(t, r)
	assert.Equal(t, "[] body", body)
}

func TestUpgradesAndTunnelsAreRefused(t *testing.T) {
	p := start(t, upstream(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was reached") }), nil)
	for _, request := range []string{
		"GET /headers HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
	} {
		resp, body := exchangeRaw(t, p, request)
		assert.Equal(t, 403, resp.StatusCode)
		assert.Empty(t, body)
	}
}

// Envoy takes no notice of an upgrade to HTTP/2 either.
func TestAnUpgradeToH2CIsIgnored(t *testing.T) {
	p := start(t, upstream(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, len(r.Header["Upgrade"])) }), nil)
	resp, body := exchangeRaw(t, p, "GET /plain HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	assert.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, "0", body)
}

// stuckUpload sends a body to an upstream that doesn't read it, until nothing
// more fits between them.
func stuckUpload(t *testing.T, p *running, up *deafUpstream) {
	t.Helper()
	c, _ := dial(t, p)
	_, err := io.WriteString(c, "POST /headers HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
	require.NoError(t, err)
	<-up.asked
	require.NoError(t, c.SetWriteDeadline(time.Now().Add(500*time.Millisecond)))
	_, err = c.Write(make([]byte, 100<<20))
	require.Error(t, err)
	require.NoError(t, c.Close())
}

// deafUpstream neither reads nor answers until the test's end.
type deafUpstream struct {
	url   string
	asked chan struct{} // a request's head has come
}

func deaf(t *testing.T) *deafUpstream {
	t.Helper()
	release, asked := make(chan struct{}), make(chan struct{}, 1)
	url := upstream(t, func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	})
	t.Cleanup(func() { close(release) })
	return &deafUpstream{url, asked}
}

func TestAStopCutsOffAStuckUploadWhoseClientIsGone(t *testing.T) {
	up := deaf(t)
	p := start(t, up.url, func(o *proxy.Options) { o.DrainTimeout = time.Millisecond })
	stuckUpload(t, p, up)
	require.ErrorIs(t, p.stop(), context.DeadlineExceeded)
	assert.Equal(t, "from log\n", p.log.String())
}

func TestAStreamThatStandsStillEnds(t *testing.T) {
	// Long enough for a busy machine to bring each request to where it stands still.
	idle := func(o *proxy.Options) { o.Timeout, o.IdleTimeout = -1, 2*time.Second }

	t.Run("the client says no more", func(t *testing.T) {
		t.Parallel()
		p := start(t, deaf(t).url, idle)
		resp, body := exchangeRaw(t, p, "POST /headers HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
		assert.Equal(t, 408, resp.StatusCode)
		assert.Equal(t, "stream timeout", body)
		assert.True(t, resp.Close)
	})
	t.Run("the upstream says nothing", func(t *testing.T) {
		t.Parallel()
		p := start(t, deaf(t).url, idle)
		resp, body := exchangeRaw(t, p, "DELETE /headers HTTP/1.1\r\nHost: a\r\n\r\n")
		assert.Equal(t, 504, resp.StatusCode)
		assert.Equal(t, "stream timeout", body)
	})
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("the client reads no more, HTTP/2 %t", h2), func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			p := start(t, upstream(t, func(w http.ResponseWriter, _ *http.Request) {
				for err := error(nil); err == nil; {
					_, err = w.Write(make([]byte, 1<<20))
				}
				close(ended)
			}), idle)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/plain", nil)
			require.NoError(t, err)
			resp, err := client(h2).Do(req)
			require.NoError(t, err)
			<-ended
			require.NoError(t, p.stop())
			require.NoError(t, resp.Body.Close())
		})
	}
	t.Run("the upstream reads no more", func(t *testing.T) {
		t.Parallel()
		up := deaf(t)
		p := start(t, up.url, idle)
		stuckUpload(t, p, up)
		require.NoError(t, p.stop())
	})
}
