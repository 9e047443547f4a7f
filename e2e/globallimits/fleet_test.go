// Package globallimits_test runs examples/global-limits: two Envoys with Gatehouse, the rate limit
// service and Redis, all real.
package globallimits_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// The listeners of each proxy.
const (
	gate      = "gate"       // as the example has it, but with patience: the machine that runs this may be busy
	hurried   = "hurried"    // as the example has it
	denying   = "denying"    // with failure_mode_deny
	localOnly = "local_only" // without the global stage
	draft     = "draft"      // with Envoy's own X-RateLimit headers
)

// patience is the timeout of the global stage where the test is not about it.
const patience = 30 * time.Second

// waits bounds each wait for an event that must happen. It is generous because CI machines are
// slow.
const waits = time.Minute

// fleet is two proxies that share the example's limits.
type fleet struct {
	issuer         *toy.Issuer
	redis, service *program
	proxies        [2]*envoy.Process
	client         *http.Client
}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	envoy.ForTest(t) // which may skip, before anything is built
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	dir := t.TempDir()
	f := &fleet{redis: newRedis(t, dir), client: &http.Client{Timeout: waits, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	t.Cleanup(f.client.CloseIdleConnections)
	f.service = newService(t, root, dir, f.redis)
	f.redis.start(t)
	f.service.start(t)

	wasm, err := envoy.BuildFilter(t.Context())
	require.NoError(t, err)
	f.issuer, err = toy.StartIssuer("", "http://127.0.0.1:10080")
	require.NoError(t, err)
	t.Cleanup(f.issuer.Stop)
	upstream, err := toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(upstream.Stop)

	var failures [2]error
	done := make(chan struct{})
	binary := envoy.ForTest(t)
	for i := range f.proxies {
		go func() {
			f.proxies[i], failures[i] = envoy.Start(context.Background(), envoy.Options{
				Binary: binary, Config: filepath.Join(root, "examples", "global-limits", "envoy.yaml"), Wasm: wasm, LogLevel: "warning",
				Edits: []envoy.Edit{
					envoy.Endpoint("idp", f.issuer.Address()), envoy.Endpoint("upstream", upstream.Address()),
					pipe("ratelimit", f.service.socket), patientChecks("ratelimit"),
					envoy.CopyListener(gate, hurried), envoy.CopyListener(gate, denying),
					envoy.CopyListener(gate, localOnly), envoy.CopyListener(gate, draft),
					onFilter(gate, func(c map[string]any) { c["timeout"] = patience.String() }),
					onFilter(denying, func(c map[string]any) { c["failure_mode_deny"], c["timeout"] = true, patience.String() }),
					onFilter(draft, func(c map[string]any) {
						c["enable_x_ratelimit_headers"], c["timeout"] = "DRAFT_VERSION_03", patience.String()
					}),
					withoutGlobalStage(localOnly),
				},
			})
			done <- struct{}{}
		}()
	}
	<-done
	<-done
	for _, p := range f.proxies {
		if p != nil {
			t.Cleanup(func() { assert.NoError(t, p.Stop()) })
		}
	}
	require.NoError(t, errors.Join(failures[:]...))
	f.awaitHealthy(t, len(f.proxies))
	return f
}

// newService prepares the rate limit service with the example's settings and limits.
func newService(t *testing.T, root, dir string, redis *program) *program {
	t.Helper()
	path, socket := filepath.Join(dir, "ratelimit"), filepath.Join(dir, "ratelimit.sock")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join(root, "e2e", "globallimits", "service"),
		"-o", path, "github.com/envoyproxy/ratelimit/src/service_cmd")
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") != "true" && strings.Contains(string(out), "dial tcp") {
			t.Skip("the modules of github.com/envoyproxy/ratelimit can't be fetched: connect to a Go module proxy once")
		}
		require.NoError(t, err, "%s", out)
	}
	env := append(settings(t, filepath.Join(root, "examples", "global-limits", "ratelimit.env")),
		"PORT=0", "DEBUG_PORT=0", "PROMETHEUS_ADDR=127.0.0.1:0", "GRPC_UDS="+socket, "REDIS_SOCKET_TYPE=unix", "REDIS_URL="+redis.socket)
	return newProgram(t, path, root, socket, nil, env)
}

// settings reads a file of lines NAME=value.
func settings(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	var env []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, "#") {
			env = append(env, line)
		}
	}
	return env
}

// pipe sends a cluster's traffic to a Unix socket.
func pipe(cluster, socket string) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		c, err := b.Cluster(cluster)
		if err != nil {
			return err
		}
		c["load_assignment"] = map[string]any{"cluster_name": cluster, "endpoints": []any{map[string]any{
			"lb_endpoints": []any{map[string]any{"endpoint": map[string]any{"address": map[string]any{
				"pipe": map[string]any{"path": socket},
			}}}},
		}}}
		return nil
	}
}

// patientChecks has a cluster's health checks wait longer for an answer; what the answer says
// counts at once all the same.
func patientChecks(cluster string) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		c, err := b.Cluster(cluster)
		if err != nil {
			return err
		}
		for _, check := range c["health_checks"].([]any) {
			check.(map[string]any)["timeout"] = patience.String()
		}
		return nil
	}
}

// onFilter changes a listener's global stage.
func onFilter(listener string, change func(config map[string]any)) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		config, err := b.HTTPFilter(listener, "RateLimit")
		if err != nil {
			return err
		}
		change(config)
		return nil
	}
}

func withoutGlobalStage(listener string) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		manager, err := b.ConnectionManager(listener)
		if err != nil {
			return err
		}
		var kept []any
		for _, filter := range manager["http_filters"].([]any) {
			if filter.(map[string]any)["name"] != "envoy.filters.http.ratelimit" {
				kept = append(kept, filter)
			}
		}
		if len(kept) != 2 {
			return fmt.Errorf("want Gatehouse and the router to be left, got %d filters", len(kept))
		}
		manager["http_filters"] = kept
		return nil
	}
}

// human and machine return the authorization of a caller of their own.
func (f *fleet) human(t *testing.T, name string) http.Header {
	return f.authorization(t, f.issuer.Human(name, "orders", time.Hour))
}

func (f *fleet) machine(t *testing.T, name string) http.Header {
	return f.authorization(t, f.issuer.Machine(name, "orders", time.Hour))
}

func (f *fleet) authorization(t *testing.T, claims toy.Claims) http.Header {
	t.Helper()
	token, err := f.issuer.Sign(claims)
	require.NoError(t, err)
	return http.Header{"Authorization": {"Bearer " + token}}
}

// answer is a response, or why there was none.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// send sends one request to a listener of a proxy. It may be called by several goroutines.
func (f *fleet) send(ctx context.Context, proxy int, listener, path string, header http.Header) answer {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.proxies[proxy].URL(listener, path), nil)
	if err != nil {
		return answer{err: err}
	}
	request.Header = header.Clone()
	response, err := f.client.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: string(body), err: err}
}

// get sends one request and fails the test if there is no response.
func (f *fleet) get(t *testing.T, proxy int, listener, path string, header http.Header) answer {
	t.Helper()
	a := f.send(t.Context(), proxy, listener, path, header)
	require.NoError(t, a.err)
	return a
}

// alternate sends n requests to each proxy in turns and returns how many were admitted. The others
// must have got 429.
func (f *fleet) alternate(t *testing.T, n int, listener, path string, header http.Header) (admitted int) {
	t.Helper()
	for range n {
		for proxy := range f.proxies {
			switch a := f.get(t, proxy, listener, path, header); a.status {
			case http.StatusOK:
				admitted++
			case http.StatusTooManyRequests:
			default:
				require.Fail(t, "neither admitted nor limited", "%d %s", a.status, a.body)
			}
		}
	}
	return admitted
}

// event is what the tests look at in an audit event.
type event struct {
	Type     string `json:"event_type"`
	UserID   string `json:"user_id"`
	Status   int    `json:"status_code"`
	Metadata struct {
		Reason string `json:"reason"`
		Rule   string `json:"rule"`
		Origin string `json:"origin"`
	} `json:"metadata"`
}

// events returns a user's n audit events, of both proxies together; n must be how many there are.
func (f *fleet) events(t *testing.T, user string, n int) []event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waits)
	defer cancel()
	found := make(chan event, n)
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	for _, p := range f.proxies {
		go func() {
			for next := 0; ; {
				line, after, err := p.Stdout.Wait(ctx, next, func(line string) bool { return strings.Contains(line, `"user_id":"`+user+`"`) })
				if err != nil {
					return
				}
				next = after
				var e event
				if json.Unmarshal([]byte(line), &e) != nil || e.UserID != user {
					continue
				}
				select {
				case found <- e:
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	var events []event
	for len(events) < n {
		select {
		case e := <-found:
			events = append(events, e)
		case <-ctx.Done():
			require.Fail(t, "audit events are missing", "got %d of %d", len(events), n)
		}
	}
	return events
}

// stat sums a counter of Envoy's over both proxies.
func (f *fleet) stat(t assert.TestingT, name string) int {
	sum := uint64(0)
	for _, p := range f.proxies {
		stats, err := p.Stats(context.Background(), "^"+strings.ReplaceAll(name, ".", `\.`)+"$")
		assert.NoError(t, err)
		sum += stats[name]
	}
	return int(sum)
}

// awaitWindow waits until the current fixed window of the service has so much time left, or the
// next one has begun, and returns when the window ends. The service's windows begin with the
// clock's minutes or seconds.
func awaitWindow(t *testing.T, window, left time.Duration) (end time.Time) {
	t.Helper()
	now := time.Now()
	end = now.Truncate(window).Add(window)
	if end.Sub(now) >= left {
		return end
	}
	timer := time.NewTimer(time.Until(end) + time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		require.Fail(t, "the test ended")
	}
	return end.Add(window)
}
