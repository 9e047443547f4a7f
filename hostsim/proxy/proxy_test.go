package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/hostsimtest"
	"gatehouse/hostsim/proxy"
)

// nobody listens at this address: port 1 is not among those that the system gives away, and taking
// it needs privileges.
const nobody = "127.0.0.1:1"

// patience bounds each wait for something that is bound to happen. It is generous because CI
// machines are slow.
const patience = time.Minute

// client talks to a proxy over its protocols, with connections of its own.
func client(h2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2)
	protocols.SetUnencryptedHTTP2(h2)
	return &http.Client{Transport: &http.Transport{Protocols: protocols, DisableCompression: true}, Timeout: patience}
}

// running is a proxy with the probe as its filter.
type running struct {
	url  string
	host *hostsim.Host
	stop func() error
	log  *bytes.Buffer
}

func start(t *testing.T, upstream string, change func(*proxy.Options)) *running {
	t.Helper()
	host, err := hostsim.New(t.Context(), hostsimtest.Module(t, "../..", "./hostsim/internal/probe"), hostsim.Options{
		Plugins:  []hostsim.Plugin{{Name: "probe", VMID: "vm"}},
		Workers:  2,
		Callouts: hostsim.CalloutsConcurrent,
	})
	require.NoError(t, err)
	t.Cleanup(host.Close)
	log := &bytes.Buffer{}
	opts := proxy.Options{AccessLog: log, AccessLogState: "wasm.probe_state", DrainTimeout: patience}
	if upstream != "" {
		opts.Upstream, err = url.Parse(upstream)
		require.NoError(t, err)
	}
	if change != nil {
		change(&opts)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- proxy.New(host, opts).Serve(ctx, l) }()
	stop := sync.OnceValue(func() error { cancel(); return <-served })
	t.Cleanup(func() { _ = stop() })
	return &running{url: "http://" + l.Addr().String(), host: host, stop: stop, log: log}
}

func upstream(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := c.Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp, string(body)
}

func TestRequestsPassOverHTTP1AndHTTP2(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s %s", r.Proto, r.Host, r.RequestURI, r.Header.Get("User-Agent"))
	})
	p := start(t, up, nil)
	for _, h2 := range []bool{false, true} {
		resp, body := get(t, client(h2), p.url+"/plain%2Fencoded//x?q=%20")
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, h2, resp.ProtoMajor == 2)
		assert.Equal(t, "HTTP/1.1 "+strings.TrimPrefix(p.url, "http://")+" /plain%2Fencoded//x?q=%20 Go-http-client/"+map[bool]string{false: "1.1", true: "2.0"}[h2], body)
	}
	p2 := start(t, strings.Replace(up, "http://", "h2c://", 1), nil)
	_, body := get(t, client(false), p2.url+"/plain")
	assert.Contains(t, body, "HTTP/2.0")
}

func TestBodiesStreamBothWays(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		buf := make([]byte, 5)
		for {
			n, err := io.ReadFull(r.Body, buf)
			_, _ = w.Write(bytes.ToUpper(buf[:n]))
			_ = rc.Flush()
			if err != nil {
				return
			}
		}
	})
	p := start(t, up, nil)
	for _, h2 := range []bool{false, true} {
		r, w := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/plain", r)
		require.NoError(t, err)
		answered := make(chan *http.Response, 1)
		go func() {
			resp, err := client(h2).Do(req)
			assert.NoError(t, err)
			answered <- resp
		}()
		_, err = w.Write([]byte("hello"))
		require.NoError(t, err)
		resp := <-answered
		got := make([]byte, 5)
		_, err = io.ReadFull(resp.Body, got)
		require.NoError(t, err)
		assert.Equal(t, "HELLO", string(got), "it came back before the request ended")
		_, err = w.Write([]byte("world"))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		rest, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "WORLD", string(rest))
		require.NoError(t, resp.Body.Close())
	}
}

func TestALargeBodyArrivesWhole(t *testing.T) {
	const size = 8 << 20
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(w, r.Body)
		if err != nil || n != size {
			panic(http.ErrAbortHandler)
		}
	})
	p := start(t, up, nil)
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/plain", bytes.NewReader(data))
	require.NoError(t, err)
	resp, err := client(true).Do(req)
	require.NoError(t, err)
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.True(t, bytes.Equal(data, got))
}

func TestARefusalDoesNotWaitForTheRequest(t *testing.T) {
	p := start(t, upstream(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was reached") }), nil)
	for _, h2 := range []bool{false, true} {
		r, w := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/reply", r)
		require.NoError(t, err)
		resp, err := client(h2).Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, 403, resp.StatusCode)
		assert.Equal(t, "no", string(body))
		assert.Equal(t, []string{"1", "2"}, resp.Header.Values("X-Reply"))
		require.NoError(t, w.Close())
	}
}

func TestAnUpstreamThatFailsIsAnsweredAsEnvoyDoes(t *testing.T) {
	garbage, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = garbage.Close() })
	go func() {
		for {
			c, err := garbage.Accept()
			if err != nil {
				return
			}
			// What comes before the request, or with a reset after it, is another
			// failure.
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = c.Write([]byte("garbage\r\n\r\n"))
			_ = c.Close()
		}
	}()
	slow := upstream(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	dropped := upstream(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	const inTime = time.Minute // however busy the machine
	for name, c := range map[string]struct {
		upstream string
		timeout  time.Duration
		status   int
		body     string
	}{
		"no route":           {"", inTime, 404, ""},
		"connection refused": {"http://" + nobody, inTime, 503, "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"},
		"connection dropped": {dropped, inTime, 503, "upstream connect error or disconnect/reset before headers. reset reason: connection termination"},
		"time-out":           {slow, 50 * time.Millisecond, 504, "upstream request timeout"},
		"not HTTP":           {"http://" + garbage.Addr().String(), inTime, 502, "upstream connect error or disconnect/reset before headers. reset reason: protocol error"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, c.upstream, func(o *proxy.Options) { o.Timeout, o.ConnectTimeout = c.timeout, inTime })
			resp, body := get(t, client(false), p.url+"/headers")
			assert.Equal(t, c.status, resp.StatusCode)
			assert.Equal(t, c.body, body)
			assert.Equal(t, []string{"1", "2"}, resp.Header.Values("X-Out"), "the filter saw the response")
			require.NoError(t, p.stop())
			assert.Equal(t, "from log\n", p.log.String())
		})
	}
}

func TestAResponseThatBreaksOffIsCutOffForTheClientToo(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	p := start(t, up, nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/plain", nil)
	require.NoError(t, err)
	resp, err := client(false).Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "half", string(body))
}

func TestAClientThatLeavesEndsTheStreamAndTheUpstreamRequest(t *testing.T) {
	arrived, ended := make(chan struct{}), make(chan struct{})
	up := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(ended)
	})
	p := start(t, up, nil)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/headers", nil)
	require.NoError(t, err)
	failed := make(chan error, 1)
	go func() {
		resp, err := client(false).Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	<-arrived
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	<-ended
	require.NoError(t, p.stop())
	assert.Equal(t, "from log\n", p.log.String(), "the filter's log callback ran")
}

func TestAStopWaitsForOpenRequests(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	up := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = w.Write([]byte("finished"))
	})
	p := start(t, up, nil)
	body := make(chan string, 1)
	go func() {
		_, b := get(t, client(false), p.url+"/plain")
		body <- b
	}()
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- p.stop() }()
	require.Eventually(t, func() bool {
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(p.url, "http://"), patience)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, patience, time.Millisecond, "it must accept no more")
	close(release)
	assert.Equal(t, "finished", <-body)
	assert.NoError(t, <-stopped)
}

func TestAStopCutsOffWhatTakesTooLong(t *testing.T) {
	arrived := make(chan struct{})
	up := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	p := start(t, up, func(o *proxy.Options) { o.DrainTimeout = 50 * time.Millisecond })
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/plain", nil)
		resp, err := client(false).Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-arrived
	assert.ErrorIs(t, p.stop(), context.DeadlineExceeded)
}

func TestTheFilterSeesThePeersAddressAndTheForwardedFields(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Connection"))
	})
	for remote, want := range map[bool]string{false: "9.9.9.9 https ", true: "9.9.9.9,127.0.0.1 http "} {
		p := start(t, up, func(o *proxy.Options) { o.UseRemoteAddress = remote })
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/props", nil)
		require.NoError(t, err)
		req.Header.Set("X-Forwarded-For", "9.9.9.9")
		req.Header.Set("X-Forwarded-Proto", "https")
		req.Header.Set("Connection", "keep-alive")
		resp, err := client(false).Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, want, string(body))
	}
}

func TestParallelConnectionsUseAllWorkers(t *testing.T) {
	p := start(t, upstream(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }), nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c := client(false)
			for range 20 {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/metrics", nil)
				resp, err := c.Do(req)
				if !assert.NoError(t, err) {
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 8*20*15, p.host.Metrics().Counter("probe_counter"))
}

func TestUsedAsAPlainHandlerItServesToo(t *testing.T) {
	p := start(t, "", nil)
	rec := httptest.NewRecorder()
	proxy.New(p.host, proxy.Options{}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/reply", nil))
	assert.Equal(t, 403, rec.Code)
	assert.Equal(t, "no", rec.Body.String())
}
