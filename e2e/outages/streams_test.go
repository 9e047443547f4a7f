package outages_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// manyStreams lets a connection, to the gate and to the upstream, carry as many streams as these
// tests need.
func manyStreams(b envoy.Bootstrap) error {
	manager, err := b.ConnectionManager("gate")
	if err != nil {
		return err
	}
	manager["http2_protocol_options"] = map[string]any{"max_concurrent_streams": 10_000}
	cluster, err := b.Cluster("upstream")
	if err != nil {
		return err
	}
	cluster["typed_extension_protocol_options"] = map[string]any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": map[string]any{
		"@type":                "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
		"explicit_http_config": map[string]any{"http2_protocol_options": map[string]any{}},
	}}
	return nil
}

// resident is Envoy's resident memory in bytes.
func (s *scene) resident() int {
	s.t.Helper()
	n, err := s.RSS()
	require.NoError(s.t, err)
	return int(n)
}

// TestFiveThousandStreamsAtOnce holds 5,000 streams open, over one connection and over many, and
// more are refused meanwhile.
func TestFiveThousandStreamsAtOnce(t *testing.T) {
	t.Parallel()
	const users, each, refused = 500, 10, 2
	// perStream is what a stream may take, Envoy's own part included: its buffers, its two HTTP/2
	// streams, what the access log needs, and what earlier rounds leave behind. The first round
	// takes 28 kB, the fifth 43 to 46: the bound leaves room for how heaps happen to grow.
	const perStream = 64 << 10
	s := start(t, func(s *scene, o *envoy.Options) {
		o.Edits = append(o.Edits, s.gate("gate", fmt.Sprintf(`{
			"routes": [{"name": "rest", "path": "/**"}],
			"rate_limits": [{"name": "per-caller", "max_requests": %d, "window_seconds": 86400, "identifier": ["user_id", "header:x-round"]}]}`, each)), manyStreams)
	})
	tokens := make([]string, users)
	for i := range tokens {
		tokens[i] = s.token(fmt.Sprintf("user%d", i))
	}
	before := s.resident()
	rounds := []int{1, 50, 1, 1, 50}
	if long() {
		rounds = []int{1, 50, 1, 1, 50, 1, 1, 50, 1}
	}
	opened := 0
	for round, connections := range rounds {
		opened += connections
		clients := make([]*http.Client, connections)
		for i := range clients {
			clients[i] = connection(t)
			require.Equal(t, http.StatusUnauthorized, ask(clients[i], s.URL("gate", "/x"), "").status) // it is open
		}
		answers := make([][]answer, users)
		var all sync.WaitGroup
		for i := range users {
			answers[i] = make([]answer, each+refused)
			for n := range answers[i] {
				all.Go(func() {
					answers[i][n] = ask(clients[(i+n)%connections], s.URL("gate", "/held"), tokens[i], "X-Round", strconv.Itoa(round))
				})
			}
		}
		require.Eventually(t, func() bool { return s.upstream.waiting.Load() == users*each }, patience, 20*time.Millisecond)
		during := s.resident()
		s.stat("cluster.upstream.upstream_rq_active", users*each)
		s.upstream.release()
		all.Wait()
		for i, of := range answers {
			met := map[int]int{}
			for _, a := range of {
				require.NoError(t, a.err)
				met[a.status]++
				if a.status == http.StatusOK {
					require.Equal(t, fmt.Sprintf("user%d", i), a.header.Get("X-Caller"))
				}
			}
			require.Equal(t, map[int]int{http.StatusOK: each, http.StatusTooManyRequests: refused}, met)
		}
		t.Logf("%d connections: %d kB resident before, %d kB with %d streams open: %d bytes a stream", connections, before>>10, during>>10, users*each, (during-before)/(users*each))
		assert.Less(t, (during-before)/(users*each), perStream, "in later rounds too: what streams took is used again")
		for _, c := range clients {
			c.CloseIdleConnections()
		}
	}
	want := len(rounds)*users*(each+refused) + opened
	require.Eventually(t, func() bool { return len(events(t, s.auditLog("gate"))) >= want }, patience, 100*time.Millisecond)
	assert.Equal(t, want, numbersIn(t, s.auditLog("gate")), "one event each")
	assert.Len(t, events(t, s.auditLog("gate")), want)
	assert.True(t, verify(t, s.auditLog("gate")).OK)
}

// TestRequestsHeldForKeys sends more requests over one connection than a worker may hold while the
// first JWK Set is fetched.
func TestRequestsHeldForKeys(t *testing.T) {
	t.Parallel()
	const requests, mayWait = 3000, 1024
	keys := startKeys(t)
	s := start(t, func(s *scene, o *envoy.Options) {
		keys.set = s.issuer.JWKS
		o.Edits = append(o.Edits, s.gate("gate", `{"tokens": {"providers": [{"name": "main", "issuer": "`+issuerName+`", "audiences": ["orders"],
			"algorithms": ["RS256"], "jwks": {"cluster": "keys", "uri": "http://idp.example/jwks.json", "timeout_seconds": 60}}]}, "rate_limits": null}`),
			cluster("keys", keys.Listener.Addr().String()), manyStreams)
	})
	c, token := connection(t), s.token("alice")
	require.Equal(t, http.StatusOK, ask(c, s.URL("gate", "/open/x"), "").status)
	answers := make(chan answer, requests)
	for range requests {
		go func() { answers <- ask(c, s.URL("gate", "/x"), token) }()
	}
	for range requests - mayWait {
		a := <-answers
		require.NoError(t, a.err)
		require.Equal(t, http.StatusServiceUnavailable, a.status)
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
	require.Equal(t, 1, int(keys.fetches.Load()), "one fetch for all of them")
	s.stat("http.gate.downstream_rq_active", mayWait)
	close(keys.opened)
	for range mayWait {
		a := <-answers
		require.NoError(t, a.err)
		require.Equal(t, http.StatusOK, a.status)
		require.Equal(t, "alice", a.header.Get("X-Caller"))
	}
	require.Eventually(t, func() bool { return len(events(t, s.auditLog("gate"))) == requests+1 }, patience, 50*time.Millisecond, "one event each")
}
