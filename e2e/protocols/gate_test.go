// Package protocols_test speaks every protocol that Envoy speaks with a gate: each request has its
// verdict, its headers, its charge and its one audit event, whatever carries it.
package protocols_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/e2e/envoytest"
)

const limit = 1000

var config = fmt.Sprintf(`{
  "tokens": {"providers": [{
    "name": "main", "issuer": %q, "audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"inline": JWKS}
  }]},
  "routes": [{"name": "all", "path": "/**"}],
  "rate_limits": [{"name": "each", "max_requests": %d, "window_seconds": 3600}],
  "audit": {"log": "none"}
}`, envoytest.IssuerName, limit)

// gate is a gate on a listener for HTTP/1 and HTTP/2, and on one for HTTP/3.
type gate struct {
	*envoytest.Gate
	upstream *upstream
	requests int // that were judged
}

// startGate starts one with routes of its own before those to the upstream.
func startGate(t *testing.T, routes string, edits ...envoy.Edit) *gate {
	t.Helper()
	g := &gate{upstream: startUpstream(t)}
	g.Gate = envoytest.Start(t, config, append([]envoy.Edit{
		envoy.Endpoint("upstream", g.upstream.Listener.Addr().String()),
		envoytest.Cluster("upstream", `typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {
			"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions,
			explicit_http_config: {http_protocol_options: {enable_trailers: true}}}}`),
		envoytest.Manager("gate", `
http_protocol_options: {accept_http_10: true, enable_trailers: true}
http2_protocol_options: {allow_connect: true}
upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: CONNECT}]
`),
		envoytest.Routes(routes + `
- {match: {connect_matcher: {}}, route: {cluster: upstream, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}}
- {match: {prefix: /}, route: {cluster: upstream}}
`),
	}, edits...)...)
	return g
}

// judged holds the one event of a path against type, status and reason.
func (g *gate) judged(t *testing.T, path, want string) envoytest.Event {
	t.Helper()
	event := g.Events.One(t, path)
	assert.Equal(t, want, strings.TrimSpace(fmt.Sprint(event.Type, " ", event.Status, " ", event.Metadata.Reason)), path)
	g.requests++
	return event
}

// upstream notes the requests that it gets, and answers "ok". It accepts upgrades to websocket and
// then sends back what comes.
type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string]*seen // by path
}

type seen struct {
	header, trailer http.Header
	method, body    string
	times           int
}

func startUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{seen: map[string]*seen{}}
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	return u
}

// of returns the last request for a path; one that never came is empty.
func (u *upstream) of(path string) *seen {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s := u.seen[path]; s != nil {
		return s
	}
	return &seen{}
}

// ServeHTTP implements http.Handler.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	upgrade := r.Header.Get("Upgrade") == "websocket"
	s := &seen{header: r.Header, method: r.Method}
	if !upgrade {
		body, _ := io.ReadAll(r.Body)
		s.body, s.trailer = string(body), r.Trailer
	}
	u.mu.Lock()
	if before := u.seen[r.URL.Path]; before != nil {
		s.times = before.times
	}
	s.times++
	u.seen[r.URL.Path] = s
	u.mu.Unlock()
	if !upgrade {
		_, _ = io.WriteString(w, "ok")
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	_, _ = io.Copy(conn, buffered)
}

// http3Listener has the gate of listener "gate" behind QUIC, with a certificate of its own.
func http3Listener(t *testing.T) envoy.Edit {
	t.Helper()
	certificate, key := selfSigned(t)
	return func(b envoy.Bootstrap) error {
		if err := envoy.CopyListener("gate", "http3")(b); err != nil {
			return err
		}
		listener, err := b.Listener("http3")
		if err != nil {
			return err
		}
		listener["address"] = map[string]any{"socket_address": map[string]any{"protocol": "UDP", "address": "127.0.0.1", "port_value": 0}}
		listener["udp_listener_config"] = map[string]any{"quic_options": map[string]any{}}
		chain := listener["filter_chains"].([]any)[0].(map[string]any)
		inline := func(text string) map[string]any { return map[string]any{"inline_string": text} }
		chain["transport_socket"] = map[string]any{"name": "envoy.transport_sockets.quic", "typed_config": map[string]any{
			"@type": "type.googleapis.com/envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport",
			"downstream_tls_context": map[string]any{"common_tls_context": map[string]any{"tls_certificates": []any{
				map[string]any{"certificate_chain": inline(certificate), "private_key": inline(key)},
			}}},
		}}
		return envoytest.Manager("http3", "{codec_type: HTTP3, http3_protocol_options: {allow_extended_connect: true}}")(b)
	}
}

// selfSigned returns a certificate for loopback and its key, in PEM.
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	encode := func(typ string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8)
}
