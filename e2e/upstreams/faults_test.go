// Package upstreams_test has upstreams and clients fail at every stage of a request in Envoy. Each
// request is judged once, charged once and has one audit event, however it ends.
package upstreams_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/e2e/envoytest"
)

const limit = 1000

// config has a limit that no test reaches. What a caller has left of it tells how often it was
// charged.
var config = fmt.Sprintf(`{
  "tokens": {"providers": [{
    "name": "main", "issuer": %q, "audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"inline": JWKS}
  }]},
  "routes": [{"name": "probe", "path": "/probe/**"}, {"name": "all", "path": "/**"}],
  "rate_limits": [{"name": "each", "max_requests": %d, "window_seconds": 3600}],
  "audit": {"log": "none"}
}`, envoytest.IssuerName, limit)

// charged returns how often a caller has been charged. It charges once more itself.
func charged(t *testing.T, g *envoytest.Gate, user string) int {
	t.Helper()
	w := envoytest.Dial(t, g.Address("gate"))
	defer func() { _ = w.Close() }()
	w.Send(t, "GET /probe/"+user+" HTTP/1.1\nHost: a\nAuthorization: Bearer "+g.Token(t, user))
	a := w.Receive(http.MethodGet)
	require.Equal(t, "200", a.Outcome())
	left, err := strconv.Atoi(a.Header.Get("X-Ratelimit-Remaining"))
	require.NoError(t, err)
	return limit - left - 1
}

// An upstreamFault is how an upstream fails, and what becomes of the request.
type upstreamFault struct {
	name    string
	behave  func(*exchange)
	request string // with METHOD PATH HTTP/1.1 and what follows; "" for a GET request
	body    string
	client  string // the outcome that the client sees
	event   string // type and status
	unsent  bool   // the request reaches no upstream
	late    bool   // the route's timeout ends the request
}

var upstreamFaults = []upstreamFault{
	{name: "reset-before-headers", behave: func(e *exchange) { e.reset() }, client: "503", event: "request_error 503"},
	{name: "close-before-headers", behave: func(*exchange) {}, client: "503", event: "request_error 503"},
	{name: "reset-within-headers", behave: func(e *exchange) {
		e.write("HTTP/1.1 200 OK\r\nContent-")
		e.reset()
	}, client: "502", event: "request_error 502"},
	{name: "reset-after-headers", behave: func(e *exchange) {
		e.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
		e.begun() // else the reset overtakes the bytes
		e.reset()
	}, client: "200 broken", event: "auth_success 200"},
	{name: "close-within-body", behave: func(e *exchange) {
		e.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
	}, client: "200 broken", event: "auth_success 200"},
	{name: "close-as-the-end", behave: func(e *exchange) {
		e.write("HTTP/1.1 200 OK\r\n\r\nok")
	}, client: "200", event: "auth_success 200"},
	{name: "never-answers", behave: (*exchange).gone, client: "504", event: "request_error 504", late: true},
	{name: "stalls-within-body", behave: func(e *exchange) {
		e.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")
		e.gone()
	}, client: "200 broken", event: "auth_success 200", late: true},
	{name: "garbage", behave: func(e *exchange) {
		e.write("220 ready\r\n\r\n")
		e.gone()
	}, client: "502", event: "request_error 502"},
	{name: "huge-headers", behave: func(e *exchange) {
		e.write("HTTP/1.1 200 OK\r\nX-Huge: " + strings.Repeat("x", 100<<10) + "\r\n\r\n")
		e.gone()
	}, client: "502", event: "request_error 502"},
	{name: "early-hints", behave: func(e *exchange) {
		e.write("HTTP/1.1 100 Continue\r\n\r\n" + plainAnswer)
		e.kept = true
	}, client: "200", event: "auth_success 200"},
	{name: "answers-early", request: "POST %s HTTP/1.1\nContent-Length: 100000", body: strings.Repeat("x", 10), behave: func(e *exchange) {
		e.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
		e.gone()
	}, client: "413", event: "auth_success 413"},
	{name: "answers-early-and-closes", request: "POST %s HTTP/1.1\nTransfer-Encoding: chunked", body: "2\r\nxx\r\n", behave: func(e *exchange) {
		_, _ = e.reader.Discard(len("2\r\nxx\r\n")) // what isn't read makes the close a reset, which could overtake the answer
		e.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}, client: "200", event: "auth_success 200"},
	{name: "closes-within-request", request: "POST %s HTTP/1.1\nTransfer-Encoding: chunked", body: "2\r\nxx\r\n", behave: func(*exchange) {},
		client: "503", event: "request_error 503"},
	{name: "not-modified", behave: func(e *exchange) {
		e.write("HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n")
		e.kept = true
	}, client: "304", event: "auth_success 304"},
	{name: "grpc-never-answers", request: "POST %s HTTP/1.1\nContent-Type: application/grpc\nContent-Length: 0",
		behave: (*exchange).gone, client: "200", event: "request_error 200", late: true},
	{name: "grpc-resets", request: "POST %s HTTP/1.1\nContent-Type: application/grpc\nContent-Length: 0",
		behave: (*exchange).reset, client: "200", event: "request_error 200"},
	{name: "grpc-stalls", request: "POST %s HTTP/1.1\nContent-Type: application/grpc\nContent-Length: 0", behave: func(e *exchange) {
		e.write("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\x00\x00\x00\x00\x00\r\n")
		e.gone()
	}, client: "200 broken", event: "auth_success 200", late: true},
	{name: "too-long", behave: func(e *exchange) {
		e.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more")
		e.kept = true
	}, client: "200", event: "auth_success 200"},
	{name: "no-listener", client: "503", event: "request_error 503", unsent: true},
	{name: "no-host", client: "503", event: "request_error 503", unsent: true},
	{name: "no-cluster", client: "503", event: "request_error 503", unsent: true},
	{name: "no-route", client: "404", event: "request_error 404", unsent: true},
}

// faultyRoutes lead some requests elsewhere, and end those that are to be late.
func faultyRoutes() string {
	var late strings.Builder
	for _, f := range upstreamFaults {
		if f.late {
			fmt.Fprintf(&late, "- {match: {prefix: /%s/}, route: {cluster: upstream, timeout: 3s}}\n", f.name)
		}
	}
	return late.String() + elsewhere
}

const elsewhere = `
- {match: {prefix: /no-listener/}, route: {cluster: refused}}
- {match: {prefix: /no-host/}, route: {cluster: empty}}
- {match: {prefix: /no-cluster/}, route: {cluster_header: x-cluster}}
- {match: {prefix: /, headers: [{name: ":path", string_match: {prefix: /no-route/}, invert_match: true}]}, route: {cluster: upstream, timeout: 60s}}
`

func TestAnUpstreamThatFailsLeavesOneVerdictOneChargeAndOneEvent(t *testing.T) {
	u := startUpstream(t)
	g := envoytest.Start(t, config, envoy.Endpoint("upstream", u.address), envoytest.Routes(faultyRoutes()),
		envoy.AddCluster(`{name: empty}`), envoy.AddCluster(`{name: refused}`), envoy.Endpoint("refused", "127.0.0.1:1"))
	for _, f := range upstreamFaults {
		if f.behave != nil {
			u.on(f.name, f.behave)
		}
	}
	t.Run("faults", func(t *testing.T) {
		for _, f := range upstreamFaults {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				path := "/" + f.name + "/x"
				request := f.request
				if request == "" {
					request = "GET %s HTTP/1.1"
				}
				w := envoytest.Dial(t, g.Address("gate"))
				w.Send(t, fmt.Sprintf(request, path)+"\nHost: a\nX-Cluster: none\nAuthorization: Bearer "+g.Token(t, f.name), f.body)
				method, _, _ := strings.Cut(request, " ")
				a := w.Receive(method, func() { close(u.begun.of(path)) })
				assert.Equal(t, f.client, a.Outcome(), "what the client gets: %v", a.Err)
				event := g.Events.One(t, path)
				assert.Equal(t, f.event, fmt.Sprint(event.Type, " ", event.Status))
				require.NotNil(t, event.User)
				assert.Equal(t, f.name, *event.User)
				assert.Equal(t, 1, charged(t, g, f.name))
				if f.unsent {
					assert.Zero(t, u.count(path))
				} else {
					assert.Equal(t, 1, u.count(path))
				}
			})
		}
	})
	g.Settled(t, 2*len(upstreamFaults), 0)
	g.Counts(t, "requests_total.route.all.decision.admitted", uint64(len(upstreamFaults)))
}
