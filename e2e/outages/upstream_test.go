package outages_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// upstream is the application. It answers with who called; a request to a path that ends in /held waits for release before the
// answer, one to /stream in the middle of its body.
type upstream struct {
	address string

	requests, waiting atomic.Int64

	mu       sync.Mutex
	released chan struct{}
}

func startUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{released: make(chan struct{})}
	server := httptest.NewServer(u)
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
