package real

import (
	"net"
	"net/http"
	"sync"

	"gatehouse/e2e/scenario"
)

// upstream answers as the step under way says. Requests come one at a time.
type upstream struct {
	server  *http.Server
	address string

	mu     sync.Mutex
	answer scenario.Answer
	holds  bool // until the client leaves
	seen   *scenario.Seen
	came   chan struct{} // closed when the request has come
}

func startUpstream() (*upstream, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &upstream{address: listener.Addr().String()}
	u.server = &http.Server{Handler: u} //nolint:gosec // Envoy is the only client
	go func() { _ = u.server.Serve(listener) }()
	return u, nil
}

// expect prepares for a step's request. The channel that it returns is closed when the request has
// arrived.
func (u *upstream) expect(step *scenario.Step) (came <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer, u.holds, u.seen, u.came = step.Answer, step.Request.Leaves, nil, make(chan struct{})
	return u.came
}

// last returns the request that arrived since expect; nil if there was none.
func (u *upstream) last() *scenario.Seen {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	answer, holds := u.answer, u.holds
	u.seen = &scenario.Seen{Method: r.Method, Path: r.RequestURI, Host: r.Host}
	u.seen.Header = scenario.Headers(func(add func(name, value string)) {
		for name, values := range r.Header {
			for _, value := range values {
				add(name, value)
			}
		}
	})
	close(u.came)
	u.mu.Unlock()
	switch {
	case holds:
		<-r.Context().Done()
		return
	case answer.Reset:
		panic(http.ErrAbortHandler)
	}
	for _, f := range answer.Fields() {
		w.Header().Add(f.Name, f.Value)
	}
	w.WriteHeader(answer.Code())
	_, _ = w.Write([]byte(scenario.AnswerBody))
}
