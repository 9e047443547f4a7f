package outages_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// upstream is the application. It answers with who called; a request to a path that ends in /held
// waits for release before the answer, one to /stream in the middle of its body.
type upstream struct {
	address string

	requests, waiting atomic.Int64

	mu       sync.Mutex
	released chan struct{}
}

func startUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{released: make(chan struct{})}
	server := httptest.NewUnstartedServer(u)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 10_000}
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(u.release)
	u.address = server.Listener.Addr().String()
	return u
}

// release lets all go that wait now; those that come later wait again.
func (u *upstream) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.released)
	u.released = make(chan struct{})
}

func (u *upstream) hold(r *http.Request) {
	u.mu.Lock()
	released := u.released
	u.mu.Unlock()
	u.waiting.Add(1)
	defer u.waiting.Add(-1)
	select {
	case <-released:
	case <-r.Context().Done():
	}
}

// ServeHTTP implements http.Handler.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.requests.Add(1)
	w.Header().Set("X-Caller", r.Header.Get("X-Gatehouse-User-Id"))
	switch r.URL.Path {
	case "/held":
		u.hold(r)
	case "/stream":
		_, _ = io.WriteString(w, "begin ")
		_ = http.NewResponseController(w).Flush()
		u.hold(r)
		_, _ = io.WriteString(w, "end")
		return
	}
	body, _ := io.ReadAll(r.Body)
	_, _ = w.Write(append([]byte("got "), body...))
}

// keyServer serves a JWK Set once it is opened; until then requests wait.
type keyServer struct {
	*httptest.Server
	opened  chan struct{}
	set     func() []byte
	fetches atomic.Int64
}

func startKeys(t *testing.T) *keyServer {
	t.Helper()
	k := &keyServer{opened: make(chan struct{})}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.fetches.Add(1)
		select {
		case <-k.opened:
			_, _ = w.Write(k.set())
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(k.Close)
	return k
}
