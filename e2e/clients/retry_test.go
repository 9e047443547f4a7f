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

// statuses are what each user's requests were answered, as the audit log has them.
type statuses struct {
	mu     sync.Mutex
	byUser map[string][]int
}

func (s *statuses) add(line string) {
	var event struct {
		User   string `json:"user_id"`
		Status int    `json:"status_code"`
	}
	if json.Unmarshal([]byte(line), &event) != nil || event.User == "" {
		return
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
	issuer, err := toy.StartIssuer("", issuerName)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	upstream, err := toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(upstream.Stop)

	seen := &statuses{byUser: map[string][]int{}}
	o := envoy.OptionsForTest(t)
	o.Concurrency = 2
	o.OnStdout = seen.add
	o.Edits = []envoy.Edit{
		envoy.RemoveListener("gate_envoy_jwt"),
		envoy.PluginConfig("gate", strings.Replace(retryConfig, "JWKS", string(issuer.JWKS()), 1)),
		envoy.Endpoint("upstream", upstream.Address()),
	}
	p := envoy.StartForTest(t, o)

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
			token, err := issuer.Sign(issuer.Human(c.name, "orders", time.Hour))
			require.NoError(t, err)
			out := run(t, c.command(t), p.URL("gate", "/"), token)
			assert.Equal(t, []string{"200", "200", "200"}, strings.Fields(out))
			require.Eventually(t, func() bool { return len(seen.of(c.name)) >= 4 }, patience, 20*time.Millisecond)
			assert.Equal(t, []int{200, 200, 429, 200}, seen.of(c.name), "the first retry is admitted")
		})
	}
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
