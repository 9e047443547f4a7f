package embedded

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// patience bounds each wait for an event that must happen.
const patience = 60 * time.Second

// bench is a gate between an issuer and an upstream.
type bench struct {
	*Gate
	issuer *toy.Issuer
	audit  *envoy.Log
	seen   int // how many audit lines have been read
}

// start runs the gate until the test ends, unless it stops it itself.
func start(t *testing.T, upstream http.Handler, change func(*Options)) *bench {
	t.Helper()
	wasm, err := envoy.BuildFilter(t.Context())
	require.NoError(t, err)
	b := &bench{audit: envoy.NewLog()}
	b.issuer, err = toy.StartIssuer("", "https://idp.example")
	require.NoError(t, err)
	t.Cleanup(b.issuer.Stop)
	o := Options{
		AuditState: "gatehouse_audit",
		Wasm:       wasm, Listen: "127.0.0.1:0", Metrics: "127.0.0.1:0", Workers: 2, Upstream: serveUpstream(t, upstream),
		Clusters: map[string]*url.URL{"idp": {Scheme: "http", Host: b.issuer.Address()}},
		Config: []byte(`{
			"tokens": {"providers": [{
				"name": "main", "issuer": "https://idp.example", "audiences": ["orders"], "algorithms": ["RS256"],
				"jwks": {"cluster": "idp", "uri": "https://idp.example/jwks.json"}
			}]},
			"routes": [
				{"name": "open", "path": "/open/**", "auth": "none"},
				{"name": "rest", "path": "/**"}
			],
			"rate_limits": [{"name": "all", "max_requests": 1000, "window_seconds": 3600}]
		}`),
		Audit: func(line string) { _, _ = io.WriteString(b.audit, line+"\n") },
		Logf:  t.Logf,
	}
	if change != nil {
		change(&o)
	}
	b.Gate, err = Start(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		select {
		case <-b.Done():
		default:
			assert.NoError(t, b.Stop())
		}
	})
	return b
}

// serveUpstream serves HTTP/1.1 on a port of its own.
func serveUpstream(t *testing.T, handler http.Handler) *url.URL {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	return u
}

// client speaks HTTP/1.1, or HTTP/2 without TLS.
func client(t *testing.T, h2c bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2c)
	protocols.SetUnencryptedHTTP2(h2c)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// inBothProtocols runs a test with a client of each.
func inBothProtocols(t *testing.T, test func(t *testing.T, client *http.Client, major int)) {
	t.Run("HTTP 1.1", func(t *testing.T) { test(t, client(t, false), 1) })
	t.Run("h2c", func(t *testing.T) { test(t, client(t, true), 2) })
}

func (b *bench) url(path string) string { return "http://" + b.Address() + path }

// event is what the tests read of an audit line.
type event struct {
	Type     string  `json:"event_type"`
	UserID   *string `json:"user_id"`
	Path     string
	Status   *int   `json:"status_code"`
	IP       string `json:"ip_address"`
	Metadata struct {
		Reason *string
		Route  string
	}
}

// event waits for the next audit line.
func (b *bench) event(t *testing.T) event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	line, next, err := b.audit.Wait(ctx, b.seen, func(string) bool { return true })
	require.NoError(t, err)
	b.seen = next
	var e event
	require.NoError(t, json.Unmarshal([]byte(line), &e), line)
	return e
}

func TestRequestsAreDecidedForwardedAndAudited(t *testing.T) {
	upstream := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Saw", r.Header.Get("X-Gatehouse-User-Id")+"@"+r.Host+r.RequestURI)
		w.WriteHeader(http.StatusCreated)
	})
	b := start(t, upstream, nil)
	token, err := b.issuer.Sign(b.issuer.Human("alice", "orders", time.Hour))
	require.NoError(t, err)
	inBothProtocols(t, func(t *testing.T, client *http.Client, major int) {
		for _, test := range []struct {
			path, token string
			status      int
			saw, event  string
			reason      string
		}{
			{"/a?b=c", token, 201, "alice@" + b.Address() + "/a?b=c", "auth_success", ""},
			{"/a", "", 401, "", "auth_failure", "missing_token"},
			{"/a", token[:len(token)-10], 401, "", "auth_failure", "invalid_signature"},
			{"/open/x", "", 201, "@" + b.Address() + "/open/x", "request", ""},
		} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url(test.path), nil)
			require.NoError(t, err)
			request.Header.Set("X-Gatehouse-User-Id", "mallory")
			if test.token != "" {
				request.Header.Set("Authorization", "Bearer "+test.token)
			}
			response, err := client.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, major, response.ProtoMajor)
			assert.Equal(t, test.status, response.StatusCode, test.path)
			assert.Equal(t, test.saw, response.Header.Get("X-Saw"))

			got := b.event(t)
			assert.Equal(t, test.event, got.Type)
			require.NotNil(t, got.Status)
			assert.Equal(t, test.status, *got.Status)
			assert.Equal(t, "127.0.0.1", got.IP)
			if test.reason != "" {
				require.NotNil(t, got.Metadata.Reason)
				assert.Equal(t, test.reason, *got.Metadata.Reason)
			}
		}
	})

	t.Run("what they come to is in the metrics", func(t *testing.T) {
		require.EventuallyWithT(t, func(c *assert.CollectT) { // counters may lag by a second
			page := b.metricsPage(t)
			for _, series := range []string{
				`gatehouse_requests_total{route="rest",decision="admitted"} 2`,
				`gatehouse_requests_total{route="rest",decision="missing_token"} 2`,
				`gatehouse_requests_total{route="open",decision="admitted"} 2`,
				`gatehouse_tokens_failed_total{reason="invalid_signature",provider="main"} 2`,
				`gatehouse_rate_limit_decisions_total{rule="all",decision="admitted"} 2`,
				`gatehouse_jwks_fetches_total{provider="main",result="success"} 1`,
				`gatehouse_audit_events_total{event_type="auth_failure"} 4`,
				`gatehouse_validation_duration_us_bucket{le="+Inf"} 4`,
				`gatehouse_validation_duration_us_count{} 4`,
			} {
				assert.Contains(c, page, "\n"+series+"\n")
			}
			// How many of them a busy machine has taken longer for is not for the test to say.
			assert.Contains(c, page, "\n"+`gatehouse_validation_duration_us_bucket{le="50000"} `)
		}, patience, 50*time.Millisecond)
	})
}

func (b *bench) metricsPage(t *testing.T) string {
	t.Helper()
	response, err := http.Get("http://" + b.MetricsAddress() + "/stats/prometheus")
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

// random is n bytes that nobody could make up, and writes them into the hash.
func random(n int64, sum hash.Hash) io.Reader {
	return io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), n), sum)
}

func TestLargeBodiesArriveWhole(t *testing.T) {
	const size = 24 << 20
	b := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.Copy(w, random(size, sha256.New()))
			return
		}
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		_, _ = fmt.Fprintf(w, "%d %v %x", n, err, sum.Sum(nil))
	}), nil)
	inBothProtocols(t, func(t *testing.T, client *http.Client, _ int) {
		sent := sha256.New()
		response, err := client.Post(b.url("/open/up"), "application/octet-stream", random(size, sent))
		require.NoError(t, err)
		answer, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		want := fmt.Sprintf("%x", sent.Sum(nil))
		assert.Equal(t, fmt.Sprintf("%d <nil> %s", size, want), string(answer))

		response, err = client.Get(b.url("/open/down"))
		require.NoError(t, err)
		got := sha256.New()
		n, err := io.Copy(got, response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.EqualValues(t, size, n)
		assert.Equal(t, want, fmt.Sprintf("%x", got.Sum(nil)))
	})
}

func TestStreamsFlowBothWaysPieceByPiece(t *testing.T) {
	b := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		_ = control.Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintln(w, "echo", lines.Text())
			_ = control.Flush()
		}
	}), nil)
	inBothProtocols(t, func(t *testing.T, client *http.Client, _ int) {
		body, pen := io.Pipe()
		response, err := client.Post(b.url("/open/chat"), "text/plain", body)
		require.NoError(t, err)
		answers := bufio.NewReader(response.Body)
		for i := range 20 { // the next piece goes out when the last has come back
			_, err := fmt.Fprintln(pen, i)
			require.NoError(t, err)
			line, err := answers.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("echo %d\n", i), line)
		}
		require.NoError(t, pen.Close())
		_, err = answers.ReadByte()
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, response.Body.Close())
	})
}

func TestAnUpstreamThatIsDownIs503AndAnError(t *testing.T) {
	// The system never hands out port 1, and listening on it needs privileges.
	b := start(t, nil, func(o *Options) { o.Upstream = &url.URL{Scheme: "http", Host: "127.0.0.1:1"} })
	inBothProtocols(t, func(t *testing.T, client *http.Client, _ int) {
		response, err := client.Get(b.url("/open/x"))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		got := b.event(t)
		assert.Equal(t, "request_error", got.Type)
		require.NotNil(t, got.Status)
		assert.Equal(t, http.StatusServiceUnavailable, *got.Status)
	})
}

func TestAClientThatLeavesTakesItsRequestWithIt(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	b := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	}), nil)
	inBothProtocols(t, func(t *testing.T, client *http.Client, _ int) {
		ctx, leave := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url("/open/x"), nil)
		require.NoError(t, err)
		failed := make(chan error, 1)
		go func() {
			_, err := client.Do(request)
			failed <- err
		}()
		<-arrived
		leave()
		require.ErrorIs(t, <-failed, context.Canceled)
		<-left
		assert.Equal(t, "request_error", b.event(t).Type)
	})
}

func TestEveryEventHasALineOfItsOwn(t *testing.T) {
	b := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("X-Audit-Event", `{"event_type": "sensitive_operation", "what": "export"}`)
	}), nil)
	response, err := client(t, false).Get(b.url("/open/x"))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Empty(t, response.Header.Values("X-Audit-Event"))
	assert.ElementsMatch(t, []string{"request", "sensitive_operation"}, []string{b.event(t).Type, b.event(t).Type})
}

func TestAnUpstreamThatBreaksOffBreaksTheResponseOff(t *testing.T) {
	b := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "the beginning")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), nil)
	inBothProtocols(t, func(t *testing.T, client *http.Client, _ int) {
		response, err := client.Get(b.url("/open/x"))
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.Error(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, "the beginning", string(text))
		assert.Equal(t, "request", b.event(t).Type, "a response had reached the client")
	})
}
