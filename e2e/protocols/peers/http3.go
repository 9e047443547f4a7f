package main

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"

	"github.com/quic-go/quic-go/http3"
)

// response is what came.
type response struct {
	Status int         `json:"status"`
	Proto  string      `json:"proto"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
}

// overHTTP3 sends a request; a POST request has the body "body".
func overHTTP3(ctx context.Context, address, method, path string, header []string) (*response, error) {
	transport := &http3.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, // the server has a certificate of its own making, on loopback
	}}
	defer func() { _ = transport.Close() }()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("body")
	}
	request, err := http.NewRequestWithContext(ctx, method, "https://"+address+path, body)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	got, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(got.Body)
	_ = got.Body.Close()
	return &response{got.StatusCode, got.Proto, got.Header, string(text)}, err
}
