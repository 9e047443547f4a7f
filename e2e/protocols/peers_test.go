package protocols_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/e2e/envoytest"
)

// peers is the program in this folder's subfolder.
type peers string

// run runs a client and reads what it got.
func (p peers) run(t *testing.T, got any, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var problems strings.Builder
	cmd := exec.CommandContext(ctx, string(p), args...)
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &problems)
	require.NoError(t, json.Unmarshal(out, got), "%s", out)
}

// serveGRPC starts the gRPC server and returns its address.
func (p peers) serveGRPC(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(string(p), "serve")
	input, err := cmd.StdinPipe()
	require.NoError(t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { // it ends with its input
		_ = input.Close()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(address)
}

func TestGRPCAndHTTP3(t *testing.T) {
	program := peers(envoytest.BuildProgram(t, "peers"))
	g := startGate(t, "- {match: {prefix: /grpc.testing.TestService/}, route: {cluster: grpc}}",
		http3Listener(t), grpcWeb,
		envoy.AddCluster(`{name: grpc, typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {
			"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}}}`),
		envoy.Endpoint("grpc", program.serveGRPC(t)))
	t.Run("gRPC", func(t *testing.T) { callsOfEveryKind(t, g, program) })
	t.Run("gRPC refused", func(t *testing.T) { refusedCalls(t, g, program) })
	t.Run("gRPC-Web", func(t *testing.T) { callsOfPages(t, g) })
	t.Run("HTTP/3", func(t *testing.T) { overHTTP3(t, g, program) })
	const undecided = 0
	g.Settled(t, g.requests, undecided)
}

// grpcWeb puts Envoy's filter for gRPC-Web in front of the gate.
func grpcWeb(b envoy.Bootstrap) error {
	manager, err := b.ConnectionManager("gate")
	if err == nil {
		filters := manager["http_filters"].([]any)
		manager["http_filters"] = append([]any{map[string]any{
			"name":         "envoy.filters.http.grpc_web",
			"typed_config": map[string]any{"@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb"},
		}}, filters...)
	}
	return err
}

// outcome is how a call ended.
type outcome struct {
	Code            int
	Message         string
	Messages        int
	Header, Trailer map[string][]string
}

const service = "/grpc.testing.TestService/"

// callsOfEveryKind has each call made by a user of its own. The bidirectional one outlives its
// token.
func callsOfEveryKind(t *testing.T, g *gate, program peers) {
	for _, c := range []struct {
		kind, method string
		messages     int
		code, seen   int // the status that the client says, and that of the event
		event        string
	}{
		{"unary", "UnaryCall", 1, 0, 0, "auth_success 200"},
		{"failing", "UnaryCall", 0, 5, 5, "auth_success 200"},
		{"server-streaming", "StreamingOutputCall", 5, 0, 0, "auth_success 200"},
		{"client-streaming", "StreamingInputCall", 1, 0, 0, "auth_success 200"},
		{"bidirectional", "FullDuplexCall", 5, 0, 0, "auth_success 200"},
		{"cancelled", "FullDuplexCall", 1, 1, -1, "auth_success 200"},
	} {
		before := len(g.Events.Of(service + c.method))
		var got outcome
		if c.kind == "bidirectional" {
			got, before = callOfAShortToken(t, g, program, c.method)
		} else {
			program.run(t, &got, "grpc", g.Address("gate"), g.Token(t, c.kind), c.kind)
		}
		assert.Equal(t, c.code, got.Code, "%s: %s", c.kind, got.Message)
		assert.Equal(t, c.messages, got.Messages, c.kind)
		if c.kind != "cancelled" {
			assert.Equal(t, []string{c.kind}, got.Header["x-seen-user"], "the server learns who calls, and no other name")
			assert.Equal(t, []string{strconv.Itoa(limit - 1)}, got.Header["x-ratelimit-remaining"], c.kind)
		}
		event := g.Events.Await(t, service+c.method, before+1)[before]
		g.requests++
		assert.Equal(t, c.event, fmt.Sprint(event.Type, " ", event.Status), c.kind)
		assert.Equal(t, c.kind, *event.User)
		if c.seen >= 0 {
			require.NotNil(t, event.Metadata.GRPCStatus, c.kind)
			assert.Equal(t, c.seen, *event.Metadata.GRPCStatus, c.kind)
		}
	}
}

const unauthenticated = 16

// callOfAShortToken makes the bidirectional call, which takes two seconds. Its token has not
// expired when the call begins, however slow the machine is. before is the number of events that
// the method had then.
func callOfAShortToken(t *testing.T, g *gate, program peers, method string) (got outcome, before int) {
	t.Helper()
	for lifetime := 2 * time.Second; lifetime < envoytest.Patience; lifetime *= 2 {
		before = len(g.Events.Of(service + method))
		program.run(t, &got, "grpc", g.Address("gate"), g.TokenFor(t, "bidirectional", lifetime), "bidirectional")
		if got.Code != unauthenticated {
			return got, before
		}
		event := g.Events.Await(t, service+method, before+1)[before]
		g.requests++
		assert.Equal(t, "expired_token", event.Metadata.Reason)
		got = outcome{}
	}
	require.Fail(t, "each token had expired")
	return got, before
}

func refusedCalls(t *testing.T, g *gate, program peers) {
	for _, c := range []struct{ kind, method string }{
		{"unary", "UnaryCall"}, {"server-streaming", "StreamingOutputCall"}, {"client-streaming", "StreamingInputCall"}, {"bidirectional", "FullDuplexCall"},
	} {
		before := len(g.Events.Of(service + c.method))
		var got outcome
		program.run(t, &got, "grpc", g.Address("gate"), "", c.kind)
		assert.Equal(t, outcome{
			Code: unauthenticated, Message: "Authentication required", Header: got.Header, Trailer: got.Trailer,
		}, got, c.kind)
		assert.Equal(t, []string{`Bearer realm="gatehouse"`}, got.Trailer["www-authenticate"], "%s: trailers alone: %v", c.kind, got)
		event := g.Events.Await(t, service+c.method, before+1)[before]
		g.requests++
		assert.Equal(t, "auth_failure 200 missing_token", fmt.Sprint(event.Type, " ", event.Status, " ", event.Metadata.Reason))
		require.NotNil(t, event.Metadata.GRPCStatus)
		assert.Equal(t, unauthenticated, *event.Metadata.GRPCStatus)
	}
}

// callsOfPages sends gRPC-Web, which Envoy turns into gRPC before the gate sees it.
func callsOfPages(t *testing.T, g *gate) {
	for user, c := range map[string]struct{ http, status, event string }{
		"":     {"401", "16", "auth_failure 401 missing_token"}, // to Envoy's own answers it was never gRPC
		"page": {"200", "0", "auth_success 200"},
	} {
		const path = service + "EmptyCall"
		before := len(g.Events.Of(path))
		w := envoytest.Dial(t, g.Address("gate"))
		head := "POST " + path + " HTTP/1.1\nHost: a\nContent-Type: application/grpc-web+proto\nContent-Length: 5"
		if user != "" {
			head += "\nAuthorization: Bearer " + g.Token(t, user)
		}
		w.Send(t, head, "\x00\x00\x00\x00\x00")
		a := w.Receive(http.MethodPost)
		require.NoError(t, a.Err)
		assert.Equal(t, c.http, a.Outcome())
		assert.Equal(t, "application/grpc-web+proto", a.Header.Get("Content-Type"))
		status := a.Header.Get("Grpc-Status")
		if _, inBody, ok := strings.Cut(a.Text, "grpc-status:"); ok { // trailers are a part of the body there
			status, _, _ = strings.Cut(inBody, "\r\n")
		}
		assert.Equal(t, c.status, status, "%q", a.Text)
		event := g.Events.Await(t, path, before+1)[before]
		g.requests++
		assert.Equal(t, c.event, strings.TrimSpace(fmt.Sprint(event.Type, " ", event.Status, " ", event.Metadata.Reason)))
	}
}

// response is what an HTTP/3 client got.
type response struct {
	Status      int
	Proto, Body string
	Header      http.Header
}

// overHTTP3 has a gate learn that Envoy asks for no events of HTTP/3 requests. From then on it
// writes them when a response begins.
func overHTTP3(t *testing.T, g *gate, program peers) {
	ask := func(method, path string, header ...string) (got response) {
		t.Helper()
		program.run(t, &got, append([]string{"http3", g.Address("http3"), method, path}, header...)...)
		assert.Equal(t, "HTTP/3.0", got.Proto)
		return got
	}
	bearer := "Bearer " + g.Token(t, "quick")
	admitted := ask(http.MethodPost, "/http3/admitted", "Authorization", bearer, "X-Gatehouse-User-Id", "mallory")
	assert.Equal(t, http.StatusOK, admitted.Status)
	assert.Equal(t, "ok", admitted.Body)
	assert.Equal(t, strconv.Itoa(limit-1), admitted.Header.Get("X-Ratelimit-Remaining"))
	got := g.upstream.of("/http3/admitted")
	assert.Equal(t, "body", got.body)
	assert.Equal(t, []string{"quick"}, got.header["X-Gatehouse-User-Id"])
	w := envoytest.Dial(t, g.Address("gate"))
	w.Send(t, "GET /http3/not HTTP/1.1\nHost: a\nAuthorization: "+bearer)
	assert.Equal(t, strconv.Itoa(limit-2), w.Receive(http.MethodGet).Header.Get("X-Ratelimit-Remaining"), "a caller has one allowance over all protocols")
	g.judged(t, "/http3/not", "auth_success 200")

	// A worker learns by the first request that ends without a call. Its event lacks the status,
	// and reaches the access log with the worker's next response.
	paths := []string{"/http3/admitted"}
	learned := func() int {
		return strings.Count(strings.Join(g.Log.Lines(), "\n"), "requests end without the proxy asking for their audit events")
	}
	missing := func() (n int) {
		for _, path := range paths {
			n += 1 - len(g.Events.Of(path))
		}
		return n
	}
	for n := 1; n < 5 || learned() < envoytest.Workers || missing() > 0; n++ {
		require.Less(t, n, 60, "both workers learn, and write each event")
		path := fmt.Sprint("/http3/again/", n)
		paths = append(paths, path)
		require.Equal(t, http.StatusOK, ask(http.MethodGet, path, "Authorization", bearer).Status)
		time.Sleep(1500 * time.Millisecond) // two of the gate's ticks
	}
	for _, path := range paths {
		event := g.Events.One(t, path)
		if event.Status == 0 {
			assert.Equal(t, "request_error", event.Type)
		} else {
			assert.Equal(t, "auth_success 200", fmt.Sprint(event.Type, " ", event.Status))
		}
	}
	assert.Zero(t, g.Events.One(t, "/http3/admitted").Status, "no worker knew yet")
	g.requests += len(paths)

	refused := ask(http.MethodGet, "/http3/refused")
	assert.Equal(t, http.StatusUnauthorized, refused.Status)
	assert.Equal(t, `{"detail": "Authentication required"}`, refused.Body)
	assert.Zero(t, g.upstream.of("/http3/refused").times)
	g.judged(t, "/http3/refused", "auth_failure 401 missing_token")
	assert.Equal(t, http.StatusBadRequest, ask(http.MethodGet, "/http3/%2e%2e/x", "Authorization", bearer).Status)
	g.judged(t, "/http3/%2e%2e/x", "access_denied 400 unsafe_path")
	assert.Equal(t, http.StatusOK, ask(http.MethodGet, "/http3/known", "Authorization", bearer).Status)
	g.judged(t, "/http3/known", "auth_success 200")
}
