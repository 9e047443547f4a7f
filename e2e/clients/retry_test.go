// Package clients_test holds Gatehouse's answers against clients that people use: they must understand them without being told.
package clients_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// patience bounds a client's three requests.
const patience = 2 * time.Minute

const issuerName = "https://idp.example"

// retryConfig has a limit of two requests in three seconds for each user: long enough that a client that doesn't wait is refused
// again, short enough for a test.
const retryConfig = `{
  "tokens": {"providers": [{
    "name": "main", "issuer": "` + issuerName + `", "audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"inline": JWKS}
  }]},
  "routes": [{"path": "/**"}],
  "rate_limits": [{"name": "two", "max_requests": 2, "window_seconds": 3}],
  "audit": {"log": "none"}
}`

// statuses are what each user's requests were answered, as the audit log has them. The status of a
// gRPC request is its gRPC status.
type statuses struct {
	mu     sync.Mutex
	byUser map[string][]int
}

func (s *statuses) add(line string) {
	var event struct {
		User     string `json:"user_id"`
		Status   int    `json:"status_code"`
		Metadata struct {
			GRPC *int `json:"grpc_status"`
		} `json:"metadata"`
	}
	if json.Unmarshal([]byte(line), &event) != nil || event.User == "" {
		return
	}
	if event.Metadata.GRPC != nil {
		event.Status = *event.Metadata.GRPC
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byUser[event.User] = append(s.byUser[event.User], event.Status)
}

func (s *statuses) of(user string) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int(nil), s.byUser[user]...)
}

func TestClientsThatAreRefusedWaitAndAreAdmittedOnTheirFirstRetry(t *testing.T) {
	g := startGate(t, retryConfig, toUpstream(t))
	for _, c := range []struct {
		name    string
		command func(*testing.T) []string
	}{
		{"urllib3", func(t *testing.T) []string { return runPython(t, "with_urllib3.py") }},
		{"httpx", func(t *testing.T) []string { return runPython(t, "with_httpx.py") }},
		{"got", func(t *testing.T) []string { return runNode(t, "with_got.mjs") }},
		{"axios-retry", func(t *testing.T) []string { return runNode(t, "with_axios.mjs") }},
		{"go-retryablehttp", func(t *testing.T) []string { return runGo(t, "retryable") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := run(t, c.command(t), g.URL("gate", "/"), g.token(t, c.name))
			assert.Equal(t, []string{"200", "200", "200"}, strings.Fields(out))
			g.answered(t, c.name, 200, 200, 429, 200)
		})
	}
}

// gate is an Envoy with Gatehouse, and what it answered.
type gate struct {
	*envoy.Process
	issuer *toy.Issuer
	seen   *statuses
}

// startGate starts a gate with a configuration. Other edits say where it sends requests.
func startGate(t *testing.T, config string, edits ...envoy.Edit) *gate {
	t.Helper()
	issuer, err := toy.StartIssuer("", issuerName)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	g := &gate{issuer: issuer, seen: &statuses{byUser: map[string][]int{}}}
	o := envoy.OptionsForTest(t)
	o.Concurrency = 2
	o.OnStdout = g.seen.add
	o.Edits = append([]envoy.Edit{
		envoy.RemoveListener("gate_envoy_jwt"),
		envoy.PluginConfig("gate", strings.Replace(config, "JWKS", string(issuer.JWKS()), 1)),
	}, edits...)
	g.Process = envoy.StartForTest(t, o)
	return g
}

// toUpstream starts an upstream and sends the requests there.
func toUpstream(t *testing.T) envoy.Edit {
	t.Helper()
	upstream, err := toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(upstream.Stop)
	return envoy.Endpoint("upstream", upstream.Address())
}

func (g *gate) token(t *testing.T, user string) string {
	t.Helper()
	token, err := g.issuer.Sign(g.issuer.Human(user, "orders", time.Hour))
	require.NoError(t, err)
	return token
}

// answered waits for the events of a user's requests and compares their statuses.
func (g *gate) answered(t *testing.T, user string, want ...int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(g.seen.of(user)) >= len(want) }, patience, 20*time.Millisecond)
	assert.Equal(t, want, g.seen.of(user), "the first retry is admitted")
}

// run runs a program that makes three requests, and returns what it printed.
func run(t *testing.T, command []string, url, token string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "URL="+url, "TOKEN="+token)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, "%s", problems.String())
	return string(out)
}
