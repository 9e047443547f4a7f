package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// TestHostileRequestsCrashNothing sends malformed requests to both gates over plain TCP, as far as
// Envoy's codec lets them through. A failure names its seed.
func TestHostileRequestsCrashNothing(t *testing.T) {
	t.Parallel()
	seeds := 4000
	if os.Getenv("GATEHOUSE_LONG") != "" {
		seeds = 40_000
	}
	issuer, upstream := startIssuer(t, shippedIssuer), startUpstream(t)
	recorded := `{"rate_limits": [{"name": "per-caller", "max_requests": 1000000, "window_seconds": 60},
		{"name": "three", "max_requests": 3, "window_seconds": 10, "apply": "by_name"}],
		"audit": {"log": "warn", "headers": ["x-tenant"], "claims": ["email", "nested"]}}`
	p := envoy.StartForTest(t, options(t, envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address()),
		envoy.MergePluginConfig("gate", recorded), envoy.MergePluginConfig("gate_envoy_jwt", recorded),
		envoy.MergePluginConfig("gate", `{"tokens": {"token_from": [
			{"header": "authorization", "scheme": "Bearer"}, {"header": "x-token"}, {"cookie": "session"}]}}`)))
	good := sign(t, issuer, issuer.Human("alice", "orders", time.Hour).With("nested", map[string]any{"a": []any{1, nil, "x"}}))
	c := client()
	for _, gate := range []string{"gate", "gate_envoy_jwt"} { // the sets are there, and both gates work
		require.Equal(t, http.StatusOK, get(c, p.Address(gate), "/", good).status)
	}
	vms := func() uint64 {
		stats, err := p.Stats(t.Context(), "^wasm[.]envoy[.]wasm[.]runtime[.]v8[.](active|created)$")
		require.NoError(t, err)
		require.NotZero(t, stats["wasm.envoy.wasm.runtime.v8.active"])
		return stats["wasm.envoy.wasm.runtime.v8.active"]
	}
	before := vms()

	var mu sync.Mutex
	statuses := map[int]int{}
	var senders sync.WaitGroup
	const parallel = 8
	for n := range parallel {
		senders.Go(func() {
			for seed := n; seed < seeds; seed += parallel {
				gate := "gate"
				if seed%5 == 0 {
					gate = "gate_envoy_jwt"
				}
				request := hostile(rand.New(rand.NewPCG(uint64(seed), 3)), good)
				status, err := rawExchange(p.Address(gate), request)
				if err != nil || status == http.StatusServiceUnavailable {
					t.Errorf("seed %d at %s: status %d, %v; the request begins %.300q", seed, gate, status, err, request)
					return
				}
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	senders.Wait()

	t.Logf("statuses, 0 for none: %v", statuses)
	for _, status := range []int{200, 400, 401, 403} {
		assert.Greater(t, statuses[status], seeds/400, "status %d: too few requests of the kind", status)
	}
	assert.Equal(t, before, vms())
	assert.Zero(t, prometheus(t, p)[`gatehouse_requests_total{route="rest",decision="internal"}`])
	for _, gate := range []string{"gate", "gate_envoy_jwt"} {
		assert.Equal(t, http.StatusOK, get(c, p.Address(gate), "/", sign(t, issuer, issuer.Human("bob", "orders", time.Hour))).status)
	}
	signature := good[strings.LastIndexByte(good, '.')+1:]
	lines := p.Stdout.Lines()
	assert.Greater(t, len(lines), seeds/2)
	for _, line := range lines {
		if line != "" && !json.Valid([]byte(line)) {
			t.Fatalf("an audit line isn't JSON: %q", line)
		}
		if strings.Contains(line, signature) {
			t.Fatalf("a token in an audit line: %q", line)
		}
	}
}

// rawExchange sends bytes as they are and returns the status of the first answer, 0 when there was
// none.
func rawExchange(address string, request []byte) (status int, err error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	_, _ = connection.Write(request) // Envoy may have closed already
	if !bytes.HasSuffix(request, []byte("\r\n\r\n")) {
		_ = connection.(*net.TCPConn).CloseWrite() // Envoy would wait for the rest
	}
	method, _, _ := strings.Cut(string(request[:min(len(request), 10)]), " ")
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: method})
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		return 0, nil // a connection closed without HTTP is an answer too
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return response.StatusCode, err
	}
	return response.StatusCode, nil
}

// hostile makes a request from random numbers: mostly HTTP/1.1, with something wrong in it.
func hostile(r *rand.Rand, good string) []byte {
	if r.IntN(40) == 0 {
		return junk(r, 1+r.IntN(2000), 0)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n",
		pick(r, "GET", "GET", "GET", "POST", "POST", "OPTIONS", "HEAD", "DELETE", "BREW"), hostilePath(r),
		pick(r, "gate", "gate", "gate", "gate", "gate", "GATE.", "[::1]:80", "a:b:c", string(junk(r, 20, '!'))))
	if r.IntN(3) == 0 {
		fmt.Fprintf(&b, "authorization: Bearer %s\r\n", good)
	}
	for range r.IntN(4) {
		name := pick(r, "authorization", "authorization", "Authorization", "x-token", "cookie", "cookie", "x-gatehouse-user-id", "X_Gatehouse-Caller",
			"x-tenant", "user-agent", "x-request-id", "content-type", "origin", "access-control-request-method", "x-forwarded-for")
		fmt.Fprintf(&b, "%s: %s\r\n", name, hostileValue(r, name, good))
	}
	if r.IntN(30) == 0 {
		for i := range r.IntN(120) {
			fmt.Fprintf(&b, "x-%d: %s\r\n", i, junk(r, r.IntN(300), ' '))
		}
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

func hostilePath(r *rand.Rand) string {
	switch r.IntN(10) {
	case 0:
		return "/" + string(junk(r, r.IntN(200), '!'))
	case 1:
		parts := make([]string, r.IntN(12))
		for i := range parts {
			parts[i] = pick(r, "account", "batch", "public", "..", ".", "", "%2e%2e", "%2F", "%00", "%", "%zz", ";x=y", "\\", "a%41", "%ff", "\xc3\x28")
		}
		return "/" + strings.Join(parts, "/")
	case 2:
		return "/" + strings.Repeat(pick(r, "a", "a/", "%41", "../"), r.IntN(8000))
	case 3: // the upstream reports what it is told to
		return "/public/x?audit_event=" + url.QueryEscape(pick(r, `{"event_type":"sensitive"}`, `{"event_type":"auth_success"}`,
			"{", strings.Repeat("[", 2000), `{"event_type":"x","a":"`+strings.Repeat("a", 3000)+`"}`, `{"event_type":"x","event_type":"y"}`, "\u2028"))
	case 4:
		return pick(r, "*", "http://elsewhere/path", "//", "/?", "/#", "", "/account", "/batch/")
	}
	return pick(r, "/", "/account/me", "/public/x", "/batch/run", "/batch/run", "/limited/x")
}

func hostileValue(r *rand.Rand, name, good string) string {
	token := hostileToken(r, good)
	switch {
	case name == "cookie":
		return pick(r, "session="+token, "session="+token+"; session="+good, ";;=;", "a=b; session=", "session", string(junk(r, 100, ' ')),
			strings.Repeat("a=b; ", r.IntN(5000))+"session="+token)
	case r.IntN(4) == 0:
		return string(junk(r, r.IntN(500), ' '))
	case r.IntN(30) == 0:
		return strings.Repeat(pick(r, "x", "Bearer ", ".", "e30."), r.IntN(15000))
	case strings.EqualFold(name, "authorization"):
		return pick(r, "Bearer ", "bearer ", "Bearer\t", "Bearer", "Basic ", "") + token
	case name == "content-type":
		return pick(r, "application/grpc", "application/grpc+proto", "text/html", "application/grpc-web")
	case name == "origin":
		return "https://app.example"
	case name == "access-control-request-method":
		return pick(r, "GET", "PUT", "")
	case name == "x-token":
		return token
	}
	return string(junk(r, r.IntN(2000), ' ')) // of what is recorded, nothing is a token
}

// hostileToken is a good token, or text that looks like a token.
func hostileToken(r *rand.Rand, good string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	parts := strings.Split(good, ".")
	switch r.IntN(8) {
	case 0, 1:
		return good
	case 2: // one byte changed
		spoilt := []byte(good)
		spoilt[r.IntN(len(spoilt))] = byte(' ' + 1 + r.IntN(94))
		return string(spoilt)
	case 3: // cut
		return good[:r.IntN(len(good))]
	case 4: // a header of the client's own making
		return b64([]byte(hostileJSON(r))) + "." + parts[1] + "." + parts[2]
	case 5: // claims of the client's own making
		return parts[0] + "." + b64([]byte(hostileJSON(r))) + "." + b64(junk(r, r.IntN(600), 0))
	case 6:
		return strings.Repeat(".", r.IntN(10)) + b64(junk(r, r.IntN(100), 0))
	}
	return string(junk(r, r.IntN(3000), '!'))
}

func hostileJSON(r *rand.Rand) string {
	deep := r.IntN(3000)
	return pick(r,
		`{"alg":"RS256","kid":"rsa-1"}`, `{"alg":"ES256","kid":"es256-1"}`, `{"alg":"none"}`, `{"alg":null}`, `{"alg":["RS256"]}`,
		`{"alg":"RS256","kid":"`+strings.Repeat("k", r.IntN(5000))+`"}`, `{"alg":"RS256","crit":["b64"],"b64":false}`,
		`{"iss":"http://127.0.0.1:10080","exp":1e308,"nbf":-1e308}`, `{"iss":"http://127.0.0.1:10080","exp":1`+strings.Repeat("0", r.IntN(500))+`}`,
		strings.Repeat("[", deep)+strings.Repeat("]", deep), strings.Repeat(`{"a":`, deep)+"1"+strings.Repeat("}", deep),
		`{"iss":"\ud800"}`, `{"iss":"a","iss":"b"}`, `{} {}`, "\xef\xbb\xbf{}", `"x"`, "", string(junk(r, 200, ' ')))
}

// junk is random bytes, without line breaks if they are to be at least from; 0 for any.
func junk(r *rand.Rand, n int, from byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(int(from) + r.IntN(256-int(from)))
		if from > 0 && b[i] == 0x7f {
			b[i] = 0x80
		}
	}
	return b
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }
