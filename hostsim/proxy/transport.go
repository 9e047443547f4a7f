package proxy

import (
	"net"
	"net/http"
	"time"
)

// transports are clients that leave requests and responses as they are, for
// HTTP/1.1 (and HTTP/2 where TLS negotiates it) and for h2c.
type transports struct{ standard, h2c *http.Transport }

func newTransports(connectTimeout time.Duration) *transports {
	unencrypted := new(http.Protocols)
	unencrypted.SetUnencryptedHTTP2(true)
	return &transports{
		standard: newTransport(connectTimeout, nil),
		h2c:      newTransport(connectTimeout, unencrypted),
	}
}

func newTransport(connectTimeout time.Duration, protocols *http.Protocols) *http.Transport {
	return &http.Transport{
		DialContext:        (&net.Dialer{Timeout: connectTimeout}).DialContext,
		DisableCompression: true,
		// Envoy's bound for the headers of a response.
		MaxResponseHeaderBytes: 60 << 10,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        time.Minute,
		Protocols:              protocols,
	}
}

// roundTrip sends a request; the scheme h2c is HTTP/2 without TLS.
func (t *transports) roundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "h2c" {
		req.URL.Scheme = "http"
		return t.h2c.RoundTrip(req)
	}
	return t.standard.RoundTrip(req)
}

func (t *transports) closeIdle() {
	t.standard.CloseIdleConnections()
	t.h2c.CloseIdleConnections()
}
