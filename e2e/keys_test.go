package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/toy"
)

// outage is for how long an issuer is down during traffic.
func outage() time.Duration {
	if os.Getenv("GATEHOUSE_LONG") != "" {
		return 30 * time.Second
	}
	return 6 * time.Second
}

func TestRemoteKeysInEnvoy(t *testing.T) {
	t.Parallel()
	fresh := func(i *toy.Issuer) { i.Misbehave(toy.Fault{CacheControl: "max-age=1"}) }
	held, noting := startKeyServer(t, ""), startKeyServer(t, "public, max-age=2")
	quick := `, "timeout_seconds": 1`
	gates := startKeyGates(t, map[string]keySetup{
		"held":     {server: held.Listener.Addr().String(), settings: `, "timeout_seconds": 60`},
		"late":     {settings: quick, prepare: func(i *toy.Issuer) { i.Misbehave(toy.Fault{Reset: true}) }},
		"rotation": {settings: `, "min_refetch_seconds": 1` + patient},
		"renewed":  {settings: `, "min_refetch_seconds": 1` + patient},
		"flood":    {settings: `, "min_refetch_seconds": 10` + patient},
		"outage":   {settings: `, "min_refetch_seconds": 1` + patient, prepare: fresh},
		"stale":    {settings: `, "min_refetch_seconds": 1, "refresh_seconds": 10, "max_stale_seconds": 10, "timeout_seconds": 3`, prepare: fresh},
		"elected":  {server: noting.Listener.Addr().String(), settings: `, "min_refetch_seconds": 1, "refresh_seconds": 86400` + patient},
		"broken":   {settings: `, "min_refetch_seconds": 1` + patient, prepare: fresh},
		"partial": {settings: patient, prepare: func(i *toy.Issuer) {
			i.Misbehave(toy.Fault{Body: []byte(strings.Replace(string(i.JWKS()), `"keys":[`, `"keys":[{"kty":"RSA","kid":"weak","n":"AQAB","e":"AQAB"},`, 1))})
		}},
		"alone": {settings: `, "min_refetch_seconds": 1` + patient, edit: withoutVMID},

		// Here no request can be sent at all, or only to an address where no program listens.
		"unknown": {settings: quick, cluster: "none"},
		"refused": {settings: quick, server: deadAddress},
		"empty":   {settings: quick, cluster: `{name: NAME, load_assignment: {cluster_name: NAME}}`},
		"unhealthy": {settings: quick, server: deadAddress, cluster: strings.Replace(staticCluster, "{name", `{common_lb_config:
			{healthy_panic_threshold: {value: 0}}, health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1,
			healthy_threshold: 1, tcp_health_check: {}}], name`, 1)},
		"breaker": {settings: quick, cluster: strings.Replace(staticCluster, "{name", `{circuit_breakers:
			{thresholds: [{max_pending_requests: 0, max_requests: 0, max_connections: 0}]}, name`, 1)},
	})
	noting.open(gates["elected"].issuer)

	// Most of these wait for something most of the time, so they run all at once, whatever
	// -parallel says.
	var all sync.WaitGroup
	for name, test := range map[string]func(*testing.T, *keyGate){
		"late": keysThatComeLate, "rotation": keysThatRotate, "renewed": keysThatAreRenewed, "flood": keysThatAreForged, "outage": keysDuringAnOutage, "stale": keysThatGetStale,
		"broken": setsThatAreBroken, "partial": aSetWithOneBadKey, "alone": keysWithoutVMID,
		"held":    func(t *testing.T, g *keyGate) { requestsBeforeTheFirstSet(t, g, held) },
		"elected": func(t *testing.T, g *keyGate) { fetchesOfOneWorker(t, g, noting) },
		"unknown": noKeys, "refused": noKeys, "empty": noKeys, "unhealthy": noKeys, "breaker": noKeys,
	} {
		all.Go(func() { t.Run(name, func(t *testing.T) { test(t, gates[name]) }) })
	}
	all.Wait()
}

// requestsBeforeTheFirstSet has more requests than a worker may hold wait for the first set.
func requestsBeforeTheFirstSet(t *testing.T, g *keyGate, server *keyServer) {
	const requests, mayWait = 2300, 2 * 1024
	token := g.token(t)
	answers := make(chan answer, requests)
	for i := range requests {
		go func() {
			c := client()
			defer c.CloseIdleConnections()
			answers <- exchangeBody(c, g.address(), fmt.Sprintf("body %d", i), token)
		}()
	}
	// Requests for which there is no room are refused at once.
	active := func() int {
		stats, err := g.p.Stats(t.Context(), `^http\.held\.downstream_rq_(active|total)$`)
		require.NoError(t, err)
		require.LessOrEqual(t, stats["http.held.downstream_rq_active"], uint64(requests))
		if stats["http.held.downstream_rq_total"] < requests {
			return requests
		}
		return int(stats["http.held.downstream_rq_active"])
	}
	require.Eventually(t, func() bool { return active() <= mayWait }, patience, 50*time.Millisecond)
	waiting := active()
	for range requests - waiting {
		a := <-answers
		require.NoError(t, a.err)
		require.Equal(t, http.StatusServiceUnavailable, a.status, a.body)
	}
	assert.Greater(t, waiting, mayWait/4, "hardly any waits")
	assert.Len(t, server.fetches(), 1, "one fetch for all of them")

	server.open(g.issuer)
	for range waiting {
		a := <-answers
		require.NoError(t, a.err)
		require.Equal(t, http.StatusOK, a.status, a.body)
		require.Contains(t, a.body, `"body":"body `, "the body arrives after the wait")
	}
}

// keysThatComeLate starts with an issuer that cuts every connection. (One that doesn't listen yet
// could lose its port to Envoy; nobody listens for the gate "refused".)
func keysThatComeLate(t *testing.T, g *keyGate) {
	c, token := client(), g.token(t)
	a := get(c, g.address(), "/", token)
	require.NoError(t, a.err)
	unavailable(t, a)
	g.issuer.Misbehave(toy.Fault{})
	require.Eventually(t, func() bool { return get(c, g.address(), "/", token).status == http.StatusOK }, patience, 100*time.Millisecond)
	require.Eventually(t, func() bool { return g.fetches(t, "failure") > 0 && g.fetches(t, "success") == 1 }, patience, 100*time.Millisecond)
}

func unavailable(t *testing.T, a answer) {
	t.Helper()
	assert.Equal(t, http.StatusServiceUnavailable, a.status)
	assert.Equal(t, `{"detail": "Service unavailable"}`, a.body)
	assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	assert.Equal(t, "1", a.header.Get("Retry-After"))
	assert.Empty(t, a.header.Get("Www-Authenticate"))
}

func keysThatRotate(t *testing.T, g *keyGate) {
	c, first := client(), g.token(t)
	require.Equal(t, http.StatusOK, get(c, g.address(), "/", first).status)
	require.Equal(t, map[int]int{http.StatusOK: 16}, onBothWorkers(g.address(), first), "now both have it in their caches")

	fetches := g.issuer.Fetches()
	require.NoError(t, g.issuer.Rotate(true))
	second := g.token(t)
	worksSoon := func(token string) {
		t.Helper()
		// Within min_refetch_seconds of the fetch before, the new key isn't known yet.
		require.Eventually(t, func() bool { return get(c, g.address(), "/", token).status == http.StatusOK }, patience, 50*time.Millisecond)
	}
	worksSoon(second)
	assert.Equal(t, fetches+1, g.issuer.Fetches(), "one fetch brings the new key")
	require.Equal(t, map[int]int{http.StatusOK: 16}, onBothWorkers(g.address(), first), "the old one is still published")

	require.NoError(t, g.issuer.Rotate(false))
	worksSoon(g.token(t))
	assert.Equal(t, fetches+2, g.issuer.Fetches())
	for _, old := range []string{first, second} {
		require.Eventually(t, func() bool {
			return onBothWorkers(g.address(), old)[http.StatusUnauthorized] == 16
		}, patience, 50*time.Millisecond, "a removed key's tokens stop working, though they were cached")
	}
}

// keysThatAreRenewed rotates under the same key id: only a signature that no key made tells that
// the set is old.
func keysThatAreRenewed(t *testing.T, g *keyGate) {
	keyID := func(token string) string {
		part, _, _ := strings.Cut(token, ".")
		text, err := base64.RawURLEncoding.DecodeString(part)
		require.NoError(t, err)
		var header struct{ Kid string }
		require.NoError(t, json.Unmarshal(text, &header))
		return header.Kid
	}
	c, first := client(), g.token(t)
	require.Equal(t, http.StatusOK, get(c, g.address(), "/", first).status)
	fetches := g.issuer.Fetches()
	require.NoError(t, g.issuer.Rotate(false))
	old, renewed := keyID(first), keyID(g.token(t))
	require.NotEqual(t, old, renewed)
	g.issuer.Misbehave(toy.Fault{Body: []byte(strings.Replace(string(g.issuer.JWKS()), `"`+renewed+`"`, `"`+old+`"`, 1))})
	second := g.token(t, toy.Header("kid", old))
	require.Eventually(t, func() bool { return get(c, g.address(), "/", second).status == http.StatusOK }, patience, 50*time.Millisecond)
	assert.Equal(t, fetches+1, g.issuer.Fetches(), "one fetch brings the new key")
	require.Equal(t, map[int]int{http.StatusOK: 16}, onBothWorkers(g.address(), second))
	require.Eventually(t, func() bool {
		return onBothWorkers(g.address(), first)[http.StatusUnauthorized] == 16
	}, patience, 50*time.Millisecond, "the old key's tokens stop working")
}

// keysThatAreForged sends tokens with a thousand key ids.
func keysThatAreForged(t *testing.T, g *keyGate) {
	token := g.token(t)
	require.Equal(t, map[int]int{http.StatusOK: 16}, onBothWorkers(g.address(), token))
	const forged, connections = 1000, 20
	fetches, started := g.issuer.Fetches(), time.Now()
	var senders sync.WaitGroup
	statuses := make(chan int, forged)
	for n := range connections {
		tokens := make([]string, forged/connections)
		for i := range tokens {
			tokens[i] = g.token(t, toy.Header("kid", fmt.Sprintf("forged-%d-%d", n, i)))
		}
		senders.Go(func() {
			c := client()
			defer c.CloseIdleConnections()
			for _, token := range tokens {
				statuses <- get(c, g.address(), "/", token).status
			}
		})
	}
	senders.Wait()
	close(statuses)
	for status := range statuses {
		require.Equal(t, http.StatusUnauthorized, status)
	}
	most := 1 + int(time.Since(started)/(10*time.Second))
	assert.LessOrEqual(t, g.issuer.Fetches()-fetches, most)
	assert.Equal(t, map[int]int{http.StatusOK: 16}, onBothWorkers(g.address(), token))
}

// keysDuringAnOutage takes the issuer away during traffic.
func keysDuringAnOutage(t *testing.T, g *keyGate) {
	token := g.token(t)
	require.Equal(t, http.StatusOK, get(client(), g.address(), "/", token).status)
	var callers sync.WaitGroup
	var served, lost atomic.Int64
	done := make(chan struct{})
	for range 4 {
		callers.Go(func() {
			c := client()
			defer c.CloseIdleConnections()
			// The tokens are one that stays the same and new ones that no cache knows.
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				case <-time.After(10 * time.Millisecond):
				}
				use := token
				if i%2 == 1 {
					use, _ = g.issuer.Sign(g.issuer.Human(fmt.Sprintf("user%d", i), "orders", time.Hour), toy.Algorithm("ES256"))
				}
				if a := get(c, g.address(), "/", use); a.status == http.StatusOK {
					served.Add(1)
				} else {
					lost.Add(1)
				}
			}
		})
	}
	g.issuer.Stop()
	before := served.Load()
	time.Sleep(outage())
	require.Eventually(t, func() bool { return g.fetches(t, "failure") >= 2 && served.Load() > before+20 }, patience, 50*time.Millisecond,
		"refreshes fail meanwhile, and requests don't")
	restart(t, g.issuer)
	fetches := g.issuer.Fetches()
	require.Eventually(t, func() bool { return g.issuer.Fetches() > fetches }, patience, 100*time.Millisecond, "it fetches again")
	close(done)
	callers.Wait()
	assert.Zero(t, lost.Load())
}

// keysThatGetStale takes the issuer away for longer than its set may be used.
func keysThatGetStale(t *testing.T, g *keyGate) {
	c, token := client(), g.token(t)
	require.Equal(t, http.StatusOK, get(c, g.address(), "/", token).status)
	// Each fetch begins after the one before it has ended: by the second that begins from now on,
	// the first has succeeded.
	fetches, fetched := g.issuer.Fetches(), time.Now()
	require.Eventually(t, func() bool { return g.issuer.Fetches() >= fetches+2 }, patience, 10*time.Millisecond)
	g.issuer.Stop()
	var a answer
	require.Eventually(t, func() bool {
		a = get(c, g.address(), "/", token)
		return a.status != http.StatusOK
	}, patience, 100*time.Millisecond)
	unavailable(t, a)
	assert.Greater(t, time.Since(fetched), 10*time.Second, "max_stale_seconds")
	logged(t, g.p, 0, "provider stale: its JWK Set is older than max_stale_seconds")
	restart(t, g.issuer)
	require.Eventually(t, func() bool { return get(c, g.address(), "/", token).status == http.StatusOK }, patience, 100*time.Millisecond)
}

// fetchesOfOneWorker looks at when the set is fetched: three VMs could.
func fetchesOfOneWorker(t *testing.T, g *keyGate, server *keyServer) {
	require.Equal(t, map[int]int{http.StatusOK: 16}, onBothWorkers(g.address(), g.token(t)))
	require.Eventually(t, func() bool { return len(server.fetches()) >= 5 }, patience, 100*time.Millisecond, "max-age is honoured")
	at := server.fetches()
	for i := 1; i < len(at); i++ {
		gap := at[i].Sub(at[i-1])
		assert.Greater(t, gap, 1700*time.Millisecond, "max-age less a tenth, and not once for each VM: %v", at)
	}
}

// setsThatAreBroken answers with an unusable set, each time after a good one.
func setsThatAreBroken(t *testing.T, g *keyGate) {
	c, token := client(), g.token(t)
	require.Equal(t, http.StatusOK, get(c, g.address(), "/", token).status)
	for why, fault := range map[string]toy.Fault{
		"status 500, want 200":                       {Status: http.StatusInternalServerError},
		"JWK Set is not strict JSON":                 {Body: []byte(`{"keys": [`)},
		"JWK Set is not a JSON object":               {Body: []byte(`[]`)},
		"a JWK Set without a key that could be used": {Body: []byte(`{"keys": []}`)},
		"more than 524288 bytes":                     {Body: []byte(`{"keys": [], "padding": "` + strings.Repeat("x", 600<<10) + `"}`)},
		"status 503, want 200":                       {Reset: true}, // Envoy's word for a connection that broke
	} {
		from, failures := len(g.p.Log.Lines()), g.fetches(t, "failure")
		g.issuer.Misbehave(fault)
		logged(t, g.p, from, "provider broken: http://idp.example/jwks.json: "+why)
		require.Equal(t, map[int]int{http.StatusOK: 16}, onBothWorkers(g.address(), token), why)
		require.Eventually(t, func() bool { return g.fetches(t, "failure") > failures }, patience, 100*time.Millisecond)
		fetches := g.issuer.Fetches()
		g.issuer.Misbehave(toy.Fault{CacheControl: "max-age=1"})
		require.Eventually(t, func() bool { return g.issuer.Fetches() > fetches }, patience, 50*time.Millisecond)
	}
	require.Equal(t, map[int]int{http.StatusOK: 16}, onBothWorkers(g.address(), token))
}

func aSetWithOneBadKey(t *testing.T, g *keyGate) {
	require.Equal(t, map[int]int{http.StatusOK: 16}, onBothWorkers(g.address(), g.token(t)))
	logged(t, g.p, 0, "provider partial: keys of the JWK Set are left out; key 0: RSA key below 2048 bits")
	require.Eventually(t, func() bool { return g.fetches(t, "partial") == 1 }, patience, 100*time.Millisecond)
}

// withoutVMID is how Istio loads plugins.
func withoutVMID(listener map[string]any) {
	for _, chain := range listener["filter_chains"].([]any) {
		for _, network := range chain.(map[string]any)["filters"].([]any) {
			for _, filter := range network.(map[string]any)["typed_config"].(map[string]any)["http_filters"].([]any) {
				typed := filter.(map[string]any)["typed_config"].(map[string]any)
				if config, ok := typed["config"].(map[string]any); ok {
					delete(config["vm_config"].(map[string]any), "vm_id")
				}
			}
		}
	}
}

// keysWithoutVMID has every VM fetch for itself: two workers' and the main thread's.
func keysWithoutVMID(t *testing.T, g *keyGate) {
	require.Eventually(t, func() bool { return g.issuer.Fetches() >= 3 }, patience, 50*time.Millisecond)
	old := g.token(t)
	require.Equal(t, map[int]int{http.StatusOK: 16}, onBothWorkers(g.address(), old))
	fetches := g.issuer.Fetches()
	require.NoError(t, g.issuer.Rotate(false))
	// The new key comes first: a token with it makes a worker fetch, and then the old key leaves.
	all := func(status int, token string) {
		require.Eventually(t, func() bool { return onBothWorkers(g.address(), token)[status] == 16 }, patience, 50*time.Millisecond)
	}
	all(http.StatusOK, g.token(t))
	all(http.StatusUnauthorized, old)
	assert.GreaterOrEqual(t, g.issuer.Fetches(), fetches+2, "each worker once more; the main thread has nobody to do it for")
}

// noKeys is a gate whose issuer can't be reached in whatever way.
func noKeys(t *testing.T, g *keyGate) {
	c, token := client(), g.token(t)
	for range 3 {
		a := get(c, g.address(), "/", token)
		require.NoError(t, a.err)
		unavailable(t, a)
	}
	require.Eventually(t, func() bool { return g.fetches(t, "failure") >= 2 }, patience, 100*time.Millisecond, "it keeps trying")
}
