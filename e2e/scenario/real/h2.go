package real

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"gatehouse/e2e/scenario"
)

// overHTTP2 sends a request over HTTP/2, without TLS and with prior knowledge (RFC 9113 §3.3), as
// gRPC clients do.
func overHTTP2(ctx context.Context, conn net.Conn, r *scenario.Request, minted *scenario.Minted, e *scenario.Exchange) error {
	transport := &http.Transport{
		DisableCompression: true, DisableKeepAlives: true, Protocols: new(http.Protocols),
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	request := (&http.Request{
		Method: r.Verb(), Host: r.Authority(), URL: &url.URL{Scheme: "http", Host: r.Authority(), Opaque: r.Target(minted)},
		Header: http.Header{"User-Agent": {""}}, // none
	}).WithContext(ctx)
	for _, f := range r.Fields(minted) {
		request.Header.Add(f.Name, f.Value)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("response: %w", err)
	}
	return received(response, e)
}

// received records a response.
func received(response *http.Response, e *scenario.Exchange) error {
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return fmt.Errorf("response body: %w", err)
	}
	e.Status, e.Body = response.StatusCode, string(body)
	e.Header = scenario.Headers(func(add func(name, value string)) {
		for name, values := range response.Header {
			for _, value := range values {
				add(name, value)
			}
		}
	})
	return nil
}
