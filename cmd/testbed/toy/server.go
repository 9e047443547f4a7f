// Package toy has the services around the gate in tests and in the demo: an issuer of tokens and an
// upstream. Tokens are minted with a library that Gatehouse does not use, so that the two don't
// share a mistake that no test would see.
package toy

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// server is an HTTP server that can be taken down and brought back at the same address. A port that
// it has chosen itself stays its own meanwhile, where the system allows that.
type server struct {
	handler http.Handler

	mu       sync.Mutex
	address  string
	running  *http.Server // nil while stopped
	listener net.Listener // of running
	reserved *os.File     // keeps a port that the system chose; nil for none
}

// start listens at address; "127.0.0.1:0" and "" choose a free port.
func (s *server) start(address string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if address == "" || address == "127.0.0.1:0" {
		var err error
		if address, s.reserved, err = reservePort(); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s.address = listener.Addr().String()
	running := &http.Server{Handler: s.handler, ReadHeaderTimeout: time.Minute}
	s.running, s.listener = running, listener
	go func() { _ = running.Serve(listener) }() // ends with Stop
	return nil
}

// Address returns where it listens, "host:port"; it stays the same over Stop and Restart.
func (s *server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// URL returns "http://host:port".
func (s *server) URL() string { return "http://" + s.Address() }

// Stop closes the listener and all connections. It may be called more than once.
func (s *server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		// The server closes only listeners that Serve already knows, and Serve may not have been
		// called yet.
		_ = s.listener.Close()
		_ = s.running.Close()
		s.running = nil
	}
}

// Restart listens again at the same address after a Stop.
func (s *server) Restart() error {
	s.mu.Lock()
	address, running := s.address, s.running
	s.mu.Unlock()
	if running != nil {
		return errors.New("it runs already")
	}
	return s.start(address)
}

// reset ends a request's connection with a TCP RST instead of a response.
func reset(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 cannot hijack; this resets the stream
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}
