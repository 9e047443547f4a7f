package demo

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"time"

	"gatehouse/cmd/gatehouse/internal/ui"
)

// page is the page of `gatehouse ui`, for the demo's gate.
type page struct {
	url    string
	server *http.Server
}

// startPage serves the page on a free port of this machine.
func startPage(admin, token string, explain ui.Explain) (*page, error) {
	handler, err := ui.New(admin, token, explain)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &page{"http://" + listener.Addr().String() + "/", &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = p.server.Serve(listener) }() // ends with stop
	return p, nil
}

func (p *page) stop() { _ = p.server.Close() }

// randomToken is a token for the admin API that is good for one run.
func randomToken() (string, error) {
	random := make([]byte, 24)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	return hex.EncodeToString(random), nil
}
