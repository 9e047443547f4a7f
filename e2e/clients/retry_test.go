// Package clients_test holds Gatehouse's answers against clients that people use: they must
// understand them without being told.
package clients_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
	"gatehouse/e2e/envoytest"
)

// patience bounds a client's three requests.
const patience = 2 * time.Minute

// retryConfig has a limit of two requests in three seconds for each user: long enough that a client
// that doesn't wait is refused again, short enough for a test.
const retryConfig = `{
  "tokens": {"providers": [{
    "name": "main", "issuer": "` + envoytest.IssuerName + `", "audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"inline": JWKS}
  }]},
  "routes": [{"path": "/**"}],
  "rate_limits": [{"name": "two", "max_requests": 2, "window_seconds": 3}],
  "audit": {"log": "none"}
}`

func TestClientsThatAreRefusedWaitAndAreAdmittedOnTheirFirstRetry(t *testing.T) {
	g := envoytest.Start(t, retryConfig, toUpstream(t))
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
			out := run(t, c.command(t), g.URL("gate", "/"), g.Token(t, c.name))
			assert.Equal(t, []string{"200", "200", "200"}, strings.Fields(out))
			answered(t, g, c.name, 200, 200, 429, 200)
		})
	}
}

// toUpstream starts an upstream and sends the requests there.
func toUpstream(t *testing.T) envoy.Edit {
	t.Helper()
	upstream, err := toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(upstream.Stop)
	return envoy.Endpoint("upstream", upstream.Address())
}

// answered waits for the events of a user's requests and compares their statuses. The status of a
// gRPC request is its gRPC status.
func answered(t *testing.T, g *envoytest.Gate, user string, want ...int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(g.Events.OfUser(user)) >= len(want) }, patience, 20*time.Millisecond)
	var got []int
	for _, event := range g.Events.OfUser(user) {
		if event.Metadata.GRPCStatus != nil {
			event.Status = *event.Metadata.GRPCStatus
		}
		got = append(got, event.Status)
	}
	assert.Equal(t, want, got, "the first retry is admitted")
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
