// Package outages_test finds out what real Envoy and the gate do when something breaks or changes
// under traffic: a VM that dies, updates, drains and stops, a wall clock that jumps, and thousands
// of streams at once.
package outages_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

const (
	issuerName = "http://127.0.0.1:10080" // as envoy.yaml has it
	keyText    = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	// patience bounds each wait for an event that must happen.
	patience = 60 * time.Second
)

// gateConfig is what the gates of this package enforce, unless a test changes it.
const gateConfig = `{
	"routes": [{"name": "open", "path": "/open/**", "auth": "none"}, {"name": "people", "path": "/people/**", "caller": "human"}, {"name": "rest", "path": "/**"}],
	"rate_limits": [{"name": "per-caller", "max_requests": 1000, "window_seconds": 3600}],
	"audit": {"log": "none", "headers": ["x-no"], "chain": {"key_id": "e2e", "hmac_key": "` + keyText + `"}}}`

func long() bool { return os.Getenv("GATEHOUSE_LONG") != "" }

// faulty builds the filter with the switch by which a request kills its VM.
func faulty(t *testing.T) string {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	module := filepath.Join(t.TempDir(), "faulty.wasm")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", root, "-tags", "faultswitch", "-buildmode=c-shared", "-trimpath",
		"-ldflags", "-s -w", "-o", module, "./filter")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return module
}

// scene is an Envoy with its issuer and its upstream.
type scene struct {
	*envoy.Process
	t        *testing.T
	issuer   *toy.Issuer
	upstream *upstream
	dir      string // of the gates' logs
}

// start starts Envoy with edits of envoy.yaml whose issuer and upstream the scene has. It doesn't
// look at whether VMs die.
func start(t *testing.T, change func(s *scene, o *envoy.Options)) *scene {
	t.Helper()
	s := &scene{t: t, upstream: startUpstream(t), dir: t.TempDir()}
	var err error
	s.issuer, err = toy.StartIssuer("", issuerName)
	require.NoError(t, err)
	t.Cleanup(s.issuer.Stop)
	o := envoy.OptionsForTest(t)
	o.Concurrency = 2
	o.Edits = []envoy.Edit{envoy.Endpoint("idp", s.issuer.Address()), envoy.Endpoint("upstream", s.upstream.address), roomy, envoy.RemoveListener("gate_envoy_jwt")}
	change(s, &o)
	s.Process, err = envoy.Start(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = s.Stop()
		if t.Failed() {
			lines := s.Log.Lines()
			t.Logf("the end of Envoy's log:\n%s", strings.Join(lines[max(0, len(lines)-30):], "\n"))
		}
	})
	return s
}

// gate makes a listener what this package's tests need: gateConfig with a change, an audit log and
// an access log in files of their own, and connections that go to the workers in turn.
func (s *scene) gate(listener, change string) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		if err := errors.Join(envoy.MergePluginConfig(listener, gateConfig)(b), envoy.MergePluginConfig(listener, change)(b)); err != nil {
			return err
		}
		l, err := b.Listener(listener)
		if err != nil {
			return err
		}
		l["stat_prefix"], l["connection_balance_config"] = listener, map[string]any{"exact_balance": map[string]any{}}
		manager, err := b.ConnectionManager(listener)
		if err != nil {
			return err
		}
		manager["stat_prefix"] = listener
		hosts := manager["route_config"].(map[string]any)["virtual_hosts"].([]any)
		route := hosts[0].(map[string]any)["routes"].([]any)[0].(map[string]any)["route"].(map[string]any)
		route["timeout"] = "0s" // streams stay open
		manager["access_log"] = []any{
			fileLog(s.auditLog(listener), "%FILTER_STATE(wasm.gatehouse_audit:PLAIN)%\n"),
			fileLog(s.accessLog(listener), "%REQ(x-no)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n"),
		}
		return nil
	}
}

func fileLog(path, format string) any {
	return map[string]any{"name": "file", "typed_config": map[string]any{
		"@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": path,
		"log_format": map[string]any{"omit_empty_values": true, "text_format_source": map[string]any{"inline_string": format}},
	}}
}

func (s *scene) auditLog(listener string) string  { return filepath.Join(s.dir, listener+".audit") }
func (s *scene) accessLog(listener string) string { return filepath.Join(s.dir, listener+".access") }

// cluster adds a cluster with one endpoint.
func cluster(name, hostport string) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		return errors.Join(envoy.AddCluster("{name: "+name+"}")(b), envoy.Endpoint(name, hostport)(b))
	}
}

// roomy sets the upstream's circuit breakers aside.
func roomy(b envoy.Bootstrap) error {
	cluster, err := b.Cluster("upstream")
	if err == nil {
		const most = 100_000
		cluster["circuit_breakers"] = map[string]any{"thresholds": []any{map[string]any{
			"max_connections": most, "max_pending_requests": most, "max_requests": most,
		}}}
	}
	return err
}

// token is a user's, good for an hour.
func (s *scene) token(user string) string {
	s.t.Helper()
	token, err := s.issuer.Sign(s.issuer.Human(user, "orders", time.Hour))
	require.NoError(s.t, err)
	return token
}

// counter reads one of Envoy's statistics; 0 if there is none.
func (s *scene) counter(name string) uint64 {
	s.t.Helper()
	stats, err := s.Stats(s.t.Context(), "^"+strings.ReplaceAll(name, ".", "[.]")+"$")
	require.NoError(s.t, err)
	return stats[name]
}

// stat waits until a statistic has a value.
func (s *scene) stat(name string, want uint64) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	got := s.counter(name)
	for ; got != want && time.Now().Before(deadline); got = s.counter(name) {
		time.Sleep(20 * time.Millisecond)
	}
	require.Equal(s.t, want, got, name)
}

// logged waits for a line with a text in Envoy's log, from a line on.
func (s *scene) logged(from int, text string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	_, _, err := s.Log.Wait(ctx, from, func(line string) bool { return strings.Contains(line, text) })
	require.NoError(s.t, err, text)
}

// answer is a response, read to its end.
type answer struct {
	no     string // the request's number
	status int
	header http.Header
	body   string
	err    error
}

// remaining is what the limit headers say is left; -1 for none.
func (a answer) remaining() int {
	n, err := strconv.Atoi(a.header.Get("X-Ratelimit-Remaining"))
	if err != nil {
		return -1
	}
	return n
}

// numbers number requests, so that each is found in the logs.
var numbers atomic.Int64

// ask sends a request. header holds names and values in turn.
func ask(c *http.Client, url, token string, header ...string) answer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return askWithin(ctx, c, url, token, header...)
}

// askWithin is ask with a bound of the caller's.
func askWithin(ctx context.Context, c *http.Client, url, token string, header ...string) answer {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{err: err}
	}
	no := strconv.FormatInt(numbers.Add(1), 10)
	request.Header.Set("X-No", no)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	a := do(c, request)
	a.no = no
	return a
}

func do(c *http.Client, request *http.Request) answer {
	response, err := c.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{"", response.StatusCode, response.Header, string(body), err}
}

// connection is a client with one HTTP/2 connection, so that one worker serves all that it sends.
func connection(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// event is what the tests look at in an audit event.
type event struct {
	Type     string `json:"event_type"`
	User     string `json:"user_id"`
	Status   *int   `json:"status_code"`
	Metadata struct {
		ID       string  `json:"event_id"`
		No       string  `json:"x-no"`
		Duration float64 `json:"duration_ms"`
	}
}

// whole are a file's lines without one that Envoy is still writing: it writes a few kilobytes at a
// time.
func whole(t *testing.T, file string) iter.Seq[string] {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.Lines(string(text[:bytes.LastIndexByte(text, '\n')+1]))
}

// events reads a file of audit events.
func events(t *testing.T, file string) (out []event) {
	t.Helper()
	for line := range whole(t, file) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var e event
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		out = append(out, e)
	}
	return out
}

// awaitAudited waits until a file has an event of each of the requests with these numbers.
func awaitAudited(t *testing.T, file func() string, numbers map[string]bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		seen := map[string]bool{}
		for _, e := range events(t, file()) {
			seen[e.Metadata.No] = true
		}
		for no := range numbers {
			if !seen[no] {
				return false
			}
		}
		return true
	}, patience, 50*time.Millisecond, "each request has its event")
}

// accesses reads Envoy's own access log: what follows each request's number.
func accesses(t *testing.T, file string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range whole(t, file) {
		no, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		out[no] = rest
	}
	return out
}

// verified is what `gatehouse audit verify --json` says.
type verified struct {
	OK              bool
	Events, Repeats int
	Streams         []struct {
		Stream string
		Status string
		Lines  int
		Break  *struct {
			Kind    string
			Missing struct {
				From int `json:"from_seq"`
				To   int `json:"to_seq"`
			}
		}
	}
}

// verify proves a file of chained events with the CLI.
func verify(t *testing.T, file string, more ...string) verified {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	key := filepath.Join(t.TempDir(), "audit.key")
	require.NoError(t, os.WriteFile(key, []byte(keyText+"\n"), 0o600))
	args := append([]string{"run", "-C", root, "./cmd/gatehouse", "audit", "verify", "--json", file, "--key-file", "e2e=" + key}, more...)
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	var v verified
	require.NoError(t, json.Unmarshal(out, &v), "%v: %s", err, out)
	return v
}
