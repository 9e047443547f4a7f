// Package callouts_test has what a gate calls in Envoy, the issuer of keys and the receiver of
// audit events, fail in every way.
package callouts_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
	"gatehouse/e2e/envoytest"
)

// faulty is a server that answers as it should, or by its fault.
type faulty struct {
	*httptest.Server
	broken   atomic.Bool
	requests atomic.Int64
}

// startFaulty starts one that is broken.
func startFaulty(t *testing.T, fault, sound http.HandlerFunc) *faulty {
	t.Helper()
	f := &faulty{}
	f.broken.Store(true)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		if f.broken.Load() {
			_, _ = io.Copy(io.Discard, r.Body) // else nobody sees that the client leaves
			fault(w, r)
		} else {
			sound(w, r)
		}
	}))
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

func (f *faulty) address() string { return f.Listener.Addr().String() }

// silent never answers.
func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// trickle sends a byte now and then, and never ends.
func trickle(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		_, _ = w.Write([]byte(" "))
		_ = http.NewResponseController(w).Flush()
		time.Sleep(50 * time.Millisecond)
	}
}

// endless sends as fast as it can, and never ends.
func endless(w http.ResponseWriter, r *http.Request) {
	chunk := bytes.Repeat([]byte(" "), 64<<10)
	for r.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// cut closes the connection before anything is answered.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// cutWithin closes it within the answer.
func cutWithin(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte(`{"keys": [`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func answering(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// notHTTP answers in another protocol.
func notHTTP(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_, _ = conn.Write([]byte("220 mail.example ESMTP\r\n\r\n"))
		_ = conn.Close()
	}
}

// keyFault is how a JWK Set isn't to be had, and a part of the line in Envoy's log that says so.
type keyFault struct {
	name  string
	fault http.HandlerFunc
	log   string
}

func keyFaults(t *testing.T, set func() []byte) []keyFault {
	t.Helper()
	zipped := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(set())
		_ = z.Close()
	}
	return []keyFault{
		{"silent", silent, "status 504, want 200"},
		{"trickle", trickle, "no answer"},
		{"endless", endless, "no answer"},
		{"cut", cut, "status 503, want 200"},
		{"cut_within", cutWithin, "no answer"},
		{"not_http", notHTTP, "status 502, want 200"},
		{"gzip", zipped, "content-encoding"},
		{"html", answering(200, "<!doctype html><title>Sign in</title>", "Content-Type", "text/html"), "JWK Set is not a JSON object"},
		{"nothing", answering(200, ""), "JWK Set is not a JSON object"},
		{"no_keys", answering(200, `{"keys": []}`), "a JWK Set without a key that could be used"},
		{"huge", answering(200, `{"keys": [], "x": "`+strings.Repeat("x", 600<<10)+`"}`), "more than 524288 bytes"},
		{"redirect", answering(302, "", "Location", "/elsewhere"), "status 302, want 200"},
		{"no_content", answering(204, ""), "status 204, want 200"},
		{"unauthorized", answering(401, "", "WWW-Authenticate", "Bearer"), "status 401, want 200"},
		{"too_many", answering(429, "", "Retry-After", "3600"), "status 429, want 200"},
		{"error", answering(500, "oops"), "status 500, want 200"},
	}
}

const fetchTimeout = 2 // seconds

// keyGate is a gate whose keys come from a faulty server.
type keyGate struct {
	*keyFault
	server *faulty
}

// TestKeysThatCannotBeFetched has a gate for each fault: what callers get before the first set,
// that they get in once it is there, that it serves on when the fault is back, and how often is
// fetched.
func TestKeysThatCannotBeFetched(t *testing.T) {
	issuer, err := toy.StartIssuer("", envoytest.IssuerName)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	sound := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain") // which type it is doesn't matter
		w.Header().Set("Cache-Control", "max-age=1")
		_, _ = w.Write(issuer.JWKS())
	}
	faults := keyFaults(t, issuer.JWKS)
	gates := make([]keyGate, len(faults))
	var edits []envoy.Edit
	for i := range faults {
		gates[i] = keyGate{&faults[i], startFaulty(t, faults[i].fault, sound)}
		name := faults[i].name
		edits = append(edits, envoy.CopyListener("gate", name), envoy.AddCluster("{name: keys_"+name+"}"),
			envoy.Endpoint("keys_"+name, gates[i].server.address()),
			envoy.PluginConfig(name, fmt.Sprintf(`{
				"tokens": {"providers": [{"name": %q, "issuer": %q, "audiences": ["orders"], "algorithms": ["RS256"],
					"jwks": {"cluster": "keys_%s", "uri": "http://%s.example/jwks.json", "timeout_seconds": %d, "min_refetch_seconds": 1}}]},
				"routes": [{"path": "/**"}]}`, name, envoytest.IssuerName, name, strings.ReplaceAll(name, "_", "-"), fetchTimeout)))
	}
	g := envoytest.Start(t, `{"routes": [{"path": "/**", "auth": "none"}]}`, append(edits, answerDirectly)...)
	token, err := issuer.Sign(issuer.Human("alice", "orders", time.Hour))
	require.NoError(t, err)
	before, err := g.RSS()
	require.NoError(t, err)
	started := time.Now()
	var all sync.WaitGroup // most of them wait most of the time
	for _, k := range gates {
		all.Go(func() { t.Run(k.name, func(t *testing.T) { k.run(t, g, token) }) })
	}
	all.Wait()
	grown, err := g.RSS()
	require.NoError(t, err)
	t.Logf("%d MB more after %s", (grown-before)>>20, time.Since(started))
	assert.Less(t, grown-before, int64(256<<20))
}

func (k keyGate) run(t *testing.T, g *envoytest.Gate, token string) {
	ask := func() (status int, took time.Duration) {
		began := time.Now()
		w := envoytest.Dial(t, g.Address(k.name))
		defer func() { _ = w.Close() }()
		w.Send(t, "GET /x HTTP/1.1\nHost: a\nAuthorization: Bearer "+token)
		a := w.Receive(http.MethodGet)
		require.NoError(t, a.Err)
		if a.StatusCode == http.StatusServiceUnavailable {
			assert.NotEmpty(t, a.Header.Get("Retry-After"))
		}
		return a.StatusCode, time.Since(began)
	}
	began, earlier := time.Now(), k.server.requests.Load()
	for range 4 {
		status, took := ask()
		require.Equal(t, http.StatusServiceUnavailable, status, "it isn't the caller's fault")
		assert.Less(t, took, envoytest.Patience/2, "nobody waits for longer than a fetch takes")
	}
	if k.log != "" {
		require.Eventually(t, func() bool { return k.logged(g) }, envoytest.Patience, 50*time.Millisecond, "the log says why")
	}
	// Attempts come a second apart at least; those of the first second are for free.
	assert.LessOrEqual(t, k.server.requests.Load()-earlier, int64(time.Since(began)/time.Second)+2, "fetches are bounded")

	k.server.broken.Store(false)
	served := 0 // so often that both workers have the set
	require.Eventually(t, func() bool {
		served++
		if status, _ := ask(); status != http.StatusOK {
			served = 0
		}
		return served == 16
	}, envoytest.Patience, 50*time.Millisecond)
	k.server.broken.Store(true)
	fetches := k.server.requests.Load()
	require.Eventually(t, func() bool {
		status, _ := ask()
		assert.Equal(t, http.StatusOK, status, "the old set serves")
		return k.server.requests.Load() >= fetches+2
	}, envoytest.Patience, 100*time.Millisecond, "and it is fetched again")
	status, _ := ask()
	require.Equal(t, http.StatusOK, status)
}

// logged reports whether a line of the log names the fault.
func (k keyGate) logged(g *envoytest.Gate) bool {
	for _, line := range g.Log.Lines() {
		if strings.Contains(line, "provider "+k.name+": ") && strings.Contains(line, k.log) {
			return true
		}
	}
	return false
}

// answerDirectly has Envoy itself answer what the gates admit.
func answerDirectly(b envoy.Bootstrap) error {
	addresses, err := b.Addresses()
	if err != nil {
		return err
	}
	for name := range addresses {
		if name == "" {
			continue
		}
		if err := envoytest.Manager(name, `route_config: {virtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}]}`)(b); err != nil {
			return err
		}
	}
	return nil
}
