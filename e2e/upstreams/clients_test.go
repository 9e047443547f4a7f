package upstreams_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/e2e/envoytest"
)

// A stage is where a client leaves.
type stage struct {
	name string
	// head and body are what the client sends of its request.
	head, body string
	// upstream says whether the request reaches the upstream, and answers whether an answer begins.
	upstream, answers bool
	event             string // type and status
}

var stages = []stage{
	{name: "within-the-request-body", head: "POST %s HTTP/1.1\nHost: a\nContent-Length: 100000", body: "x", upstream: true, event: "request_error 0"},
	{name: "before-the-answer", head: "GET %s HTTP/1.1\nHost: a", upstream: true, event: "request_error 0"},
	{name: "within-the-answer", head: "GET %s HTTP/1.1\nHost: a", upstream: true, answers: true, event: "auth_success 200"},
	{name: "while-keys-are-fetched", head: "POST %s HTTP/1.1\nHost: a\nContent-Length: 100000", body: "x", event: "request_error 0"},
}

// leavers has a gate whose second provider's keys never come, and an upstream that answers and then
// waits for the client to leave.
type leavers struct {
	*envoytest.Gate
	u    *rawUpstream
	came moments // when a request has reached the upstream, by its path
	left moments // when the upstream has seen it end

	requests int // so far
}

// moments are things that happen once each.
type moments struct {
	mu   sync.Mutex
	each map[string]chan struct{}
}

// of returns a channel that is closed when a thing happens.
func (m *moments) of(name string) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.each == nil {
		m.each = map[string]chan struct{}{}
	}
	if m.each[name] == nil {
		m.each[name] = make(chan struct{})
	}
	return m.each[name]
}

// await waits for a thing to happen.
func (m *moments) await(t *testing.T, name string) {
	t.Helper()
	select {
	case <-m.of(name):
	case <-time.After(envoytest.Patience):
		assert.Fail(t, "it never happened", name)
	}
}

func startLeavers(t *testing.T) *leavers {
	t.Helper()
	l := &leavers{u: startUpstream(t)}
	answers := map[string]bool{}
	for _, s := range stages {
		answers[s.name] = s.answers
		l.u.on(s.name, func(e *exchange) {
			if answers[s.name] {
				e.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
			}
			close(l.came.of(e.request.URL.Path))
			e.gone()
			close(l.left.of(e.request.URL.Path))
		})
	}
	keys := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(func() {
		keys.CloseClientConnections()
		keys.Close()
	})
	waiting := strings.Replace(config, `"providers": [`, `"providers": [{
		"name": "silent", "issuer": "https://silent.example", "audiences": ["orders"], "algorithms": ["RS256"],
		"jwks": {"cluster": "silent", "uri": "http://silent.example/jwks.json", "timeout_seconds": 60}
	}, `, 1)
	l.Gate = envoytest.Start(t, waiting, envoy.Endpoint("upstream", l.u.address), envoy.AddCluster(`{name: silent}`),
		envoy.Endpoint("silent", keys.Listener.Addr().String()),
		envoytest.Cluster("upstream", `circuit_breakers: {thresholds: [{max_connections: 10000, max_pending_requests: 10000, max_requests: 10000}]}`))
	return l
}

// token is one for a stage: of the issuer whose keys don't come where the client is to leave while
// they are fetched.
func (l *leavers) token(t *testing.T, s *stage) string {
	t.Helper()
	if s.upstream {
		return l.Token(t, s.name)
	}
	token, err := l.Issuer.Sign(l.Issuer.Human(s.name, "orders", time.Hour).With("iss", "https://silent.example"))
	require.NoError(t, err)
	return token
}

// await waits until a request has got as far as the stage says.
func (l *leavers) await(t *testing.T, s *stage, path string, open int) {
	t.Helper()
	if s.upstream {
		l.came.await(t, path)
		return
	}
	l.open(t, open)
}

// open waits until Envoy has as many requests open.
func (l *leavers) open(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		stats, err := l.Stats(t.Context(), `^http\.gate\.downstream_rq_active$`)
		require.NoError(t, err)
		return stats["http.gate.downstream_rq_active"] == uint64(n)
	}, envoytest.Patience, 10*time.Millisecond)
}

func TestClientsThatLeave(t *testing.T) {
	l := startLeavers(t)
	t.Run("at each stage leave one event", l.leaveAtEachStage)
	t.Run("by the thousand take no memory", l.leaveByTheThousand)
}

func (l *leavers) leaveAtEachStage(t *testing.T) {
	ways := map[string]func(*envoytest.Wire){
		"close": func(w *envoytest.Wire) { _ = w.Close() },
		"reset": (*envoytest.Wire).Leave,
	}
	requests := 0
	for _, s := range stages {
		for how, leave := range ways {
			t.Run(s.name+"/"+how, func(t *testing.T) {
				path := "/" + s.name + "/" + how
				w := envoytest.Dial(t, l.Address("gate"))
				w.Send(t, fmt.Sprintf(s.head, path)+"\nAuthorization: Bearer "+l.token(t, &s), s.body)
				l.await(t, &s, path, 1)
				if s.answers {
					response, err := http.ReadResponse(w.Reader, nil)
					require.NoError(t, err)
					_, err = io.ReadFull(response.Body, make([]byte, 2))
					require.NoError(t, err)
					defer func() { _ = response.Body.Close() }()
				}
				leave(w)
				l.isOver(t, &s, path)
				requests++
			})
		}
		t.Run(s.name+"/http2", func(t *testing.T) {
			path := "/" + s.name + "/http2"
			h := envoytest.DialHTTP2(t, l.Address("gate"))
			h.Open(t, 1, s.body == "", post(path, l.token(t, &s))...)
			if s.body != "" {
				require.NoError(t, h.WriteData(1, false, []byte(s.body)))
			}
			l.await(t, &s, path, 1)
			if s.answers {
				h.Status(t)
			}
			require.NoError(t, h.WriteRSTStream(1, http2.ErrCodeCancel))
			l.isOver(t, &s, path)
			requests++
		})
	}
	t.Run("within-the-headers", func(t *testing.T) {
		for _, leave := range ways {
			w := envoytest.Dial(t, l.Address("gate"))
			_, err := io.WriteString(w, "GET /within-the-headers HTTP/1.1\r\nHost: a\r\nAuthor")
			require.NoError(t, err)
			leave(w)
		}
		h := envoytest.DialHTTP2(t, l.Address("gate"))
		require.NoError(t, h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.Block(t, post("/within-the-headers", "x")...)[:3]}))
		_ = h.Wire.Close()
	})
	const undecided = 3 // those that left while keys were fetched
	l.Settled(t, requests, undecided)
	assert.Empty(t, l.Events.Of("/within-the-headers"), "what was never a request is judged by nobody")
	for _, s := range stages {
		if s.upstream {
			assert.Equal(t, 3, charged(t, l.Gate, s.name))
		}
	}
	const asked = 3 // by charged
	l.Counts(t, "rate_limit_decisions_total.rule.each.decision.admitted", uint64(requests-undecided+asked))
	l.requests = requests + asked
}

// isOver waits for the end of a request, and holds it against what the stage says.
func (l *leavers) isOver(t *testing.T, s *stage, path string) {
	t.Helper()
	event := l.Events.One(t, path)
	assert.Equal(t, s.event, fmt.Sprint(event.Type, " ", event.Status))
	if s.upstream {
		l.left.await(t, path) // it doesn't go on without the client
	}
	l.open(t, 0)
}

// leaveByTheThousand has clients leave at every stage, again and again: what a gate keeps of a
// request is free when the client has gone.
func (l *leavers) leaveByTheThousand(t *testing.T) {
	rounds, each := 4, 500
	if envoytest.Long() {
		rounds, each = 20, 2000
	}
	tokens := map[string]string{}
	for _, s := range stages {
		tokens[s.name] = l.token(t, &s)
	}
	var sent atomic.Int64
	round := func(n int) {
		var clients sync.WaitGroup
		work := make(chan int)
		for range 32 {
			clients.Go(func() {
				for i := range work {
					s := &stages[i%len(stages)]
					conn, err := net.Dial("tcp", l.Address("gate"))
					if err != nil {
						continue
					}
					path := fmt.Sprintf("/%s/%d/%d", s.name, n, i)
					_, _ = io.WriteString(conn, envoytest.Head(fmt.Sprintf(s.head, path)+"\nAuthorization: Bearer "+tokens[s.name])+s.body)
					sent.Add(1)
					if s.upstream {
						l.came.await(t, path)
					} else {
						time.Sleep(20 * time.Millisecond) // a held request shows itself nowhere
					}
					_ = conn.Close()
				}
			})
		}
		for i := range each {
			work <- i
		}
		close(work)
		clients.Wait()
		l.open(t, 0)
	}
	resident := func() int64 {
		rss, err := l.RSS()
		require.NoError(t, err)
		return rss
	}
	round(0)
	round(1)
	before := resident()
	for n := range rounds {
		round(2 + n)
	}
	grown := resident() - before
	t.Logf("%d requests; %d kB more after the last %d", sent.Load(), grown>>10, rounds*each)
	assert.Less(t, grown, int64(8<<20))
	all := l.requests + (2+rounds)*each
	require.Eventually(t, func() bool { return l.Events.Len() >= all }, envoytest.Patience, 50*time.Millisecond)
	l.Settled(t, all, l.Events.Count(leftUndecided))
	assert.Equal(t, http.StatusOK, status(t, l.Gate, "/plain", l.Token(t, "after")), "none of the waiting places is taken for ever")
}

// leftUndecided tells the event of a client that left while keys were fetched. On a machine so slow
// that their fetch has ended meanwhile, others after that were refused.
func leftUndecided(e *envoytest.Event) bool {
	return strings.HasPrefix(e.Path, "/while-keys-are-fetched/") && e.Status == 0
}

// status asks for a path.
func status(t *testing.T, g *envoytest.Gate, path, token string) int {
	t.Helper()
	w := envoytest.Dial(t, g.Address("gate"))
	defer func() { _ = w.Close() }()
	w.Send(t, "GET "+path+" HTTP/1.1\nHost: a\nAuthorization: Bearer "+token)
	a := w.Receive(http.MethodGet)
	require.NoError(t, a.Err)
	return a.StatusCode
}

// post is the headers of a request with a body.
func post(path, token string) []string {
	return []string{":method", "POST", ":scheme", "http", ":path", path, ":authority", "a", "authorization", "Bearer " + token}
}
