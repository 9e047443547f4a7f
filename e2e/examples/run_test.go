// Package examples_test runs the examples as their pages say.
package examples_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

var update = flag.Bool("update", false, "write what the examples print into their pages")

// patience bounds an example. It is generous because CI machines are slow.
const patience = 5 * time.Minute

// shows are the lines that make each example's point, whatever else its page quotes.
var shows = map[string][]string{
	"audit": {
		`auth_success user=nightly-batch m2m=true /api/data 200 reason=null`,
		`auth_failure user=null m2m=false /api/data 401 reason=missing_token`,
		`auth_failure user=alice m2m=false /api/data 401 reason=expired_token`,
		`operation_success user=alice m2m=false /api/sensitive-operation 200 reason=null`,
		`access_denied user=alice m2m=false /api/admin-only 403 reason=group_required`,
		`"required":{"groups_any":["admin"]}`,
		`10 lines, 10 chained events, 0 of them repeats`,
		`exit code 1`,
	},
	"jwt-authn-claims": {
		`human    GET  /account/me: 200`,
		`machine  GET  /account/me: 403 {"detail": "This endpoint requires human user authentication"}`,
		`forged   GET  /account/me: 401 {"detail": "Invalid token"}`,
		`nobody   GET  /public/prices: 200`,
		`expired  GET  /public/prices: 401 {"detail": "Invalid token"}`,
		`human    GET  /: 200 200 429`,
		`auth_failure null /account/me expired_token`,
		`auth_failure null /account/me invalid_signature`,
		`auth_failure null /account/me invalid_audience`,
	},
	"m2m_detection": {
		`human    GET  /humans-only: 200`,
		`machine  GET  /humans-only: 403 {"detail": "This endpoint requires human user authentication"}`,
		`human    GET  /m2m-only: 403 {"detail": "This endpoint is for service accounts only"}`,
		`machine  GET  /m2m-only: 200`,
		`reader   POST /batch/run: 403 {"detail": "Operation not allowed"}`,
		`cognito: "caller":"machine"`,
		`auto: "caller":"unknown"`,
	},
	"mcp-server": {
		`nobody  POST /mcp initialize: 401 {"detail": "Authentication required"}`,
		`alice   POST /mcp tools/call: 200 {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "alice reads: the gate keeps the tokens"}]}}`,
		`alice   POST /mcp/write tools/call: 403 {"detail": "Operation not allowed"}`,
		`alice   POST /mcp/write tools/call: 200 {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "alice added a note, which makes 2"}]}}`,
		`stolen  POST /mcp tools/call: 401 {"detail": "Invalid token"}`,
	},
	"metrics": {
		`expired  GET  /api/data: 401 401`,
		`auth_tokens_validated_total 4`,
		`auth_success_rate 50`,
		`gatehouse_tokens_failed_total{reason="expired_token",provider="main"} 2`,
		`gatehouse_tokens_failed_total{reason="invalid_signature",provider="main"} 1`,
		`gatehouse_tokens_failed_total{reason="malformed_token",provider="none"} 1`,
		`gatehouse_callers_total{caller="machine"} 1`,
		`gatehouse_tokens_validated_total{} 4`,
	},
	"multi-tenant": {
		`acme.example   acme     GET  /: 200`,
		`acme.example   globex   GET  /: 403 {"detail": "Operation not allowed"}`,
		`acme.example   forged   GET  /: 401 {"detail": "Invalid token"}`,
		`app.example    initech  GET  /: 200`,
		`app.example    stranger GET  /: 401 {"detail": "Invalid token"}`,
		`app.example    smuggler GET  /: 403 {"detail": "Operation not allowed"}`,
		`acme.example   acme     GET  /: 429 {"detail": "Rate limit exceeded"}`,
		`globex.example bob      GET  /: 429 {"detail": "Rate limit exceeded"}`,
	},
	"rate_limiting": {
		`nobody   GET  /api/limited: 200 200 200 200 200 429`,
		`alice    GET  /api/user-limited: 200 200 200 200 200 200 200 200 200 200 429`,
		`bob      GET  /api/user-limited: 200`,
		`bob      GET  /api/manual-limit: 200 200 200 200 200 429`,
		`nobody   GET  /api/heavy: 429 {"detail": "Rate limit exceeded"}`,
		`nobody   GET  /api/short: 200`,
		`alice    GET  /api/user-limited: 200`,
		`nobody   GET  /api/limited: 200`,
	},
}

// root is the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := envoy.RepoRoot()
	require.NoError(t, err)
	return dir
}

// folders returns the examples that have a script, by name.
func folders(t *testing.T) (names []string) {
	t.Helper()
	scripts, err := filepath.Glob(filepath.Join(root(t), "examples", "*", "run.sh"))
	require.NoError(t, err)
	for _, script := range scripts {
		names = append(names, filepath.Base(filepath.Dir(script)))
	}
	require.NotEmpty(t, names)
	return names
}

func TestEachExampleShowsWhatItsPageSays(t *testing.T) {
	envoy.ForTest(t)
	program := build(t)
	for _, name := range folders(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needsTools(t, name)
			page := filepath.Join(root(t), "examples", name, "README.md")
			printed := run(t, program, name)
			if *update && withoutVolatile(quoted(t, page)) != withoutVolatile(printed) {
				quote(t, page, printed)
			}
			assert.Equal(t, withoutVolatile(quoted(t, page)), withoutVolatile(printed))
			lines := strings.Split(printed, "\n")
			require.NotEmpty(t, shows[name], "what is its point?")
			for _, line := range shows[name] {
				assert.Contains(t, lines, line)
			}
		})
	}
}

var needs = regexp.MustCompile(`(?m)^needs=(\S+)$`)

// needsTools skips a test whose script needs a program that isn't here, and fails it if CI=true.
func needsTools(t *testing.T, name string) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(root(t), "examples", name, "run.sh"))
	require.NoError(t, err)
	tools := []string{"bash", "curl"}
	if found := needs.FindSubmatch(script); found != nil {
		tools = append(tools, string(found[1]))
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "true" {
			t.Fatal(err)
		} else if err != nil {
			t.Skip(err)
		}
	}
}

// build builds the program, with the filter beside it, as in dist.
func build(t *testing.T) string {
	t.Helper()
	wasm, err := envoy.BuildFilter(t.Context())
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "gatehouse")
	require.NoError(t, os.Symlink(wasm, filepath.Join(filepath.Dir(program), "gatehouse.wasm")))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "gatehouse/cmd/gatehouse").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// run runs an example from elsewhere and returns what it prints.
func run(t *testing.T, program, name string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	script := exec.CommandContext(ctx, "bash", filepath.Join(root(t), "examples", name, "run.sh"))
	script.Cancel = func() error { return script.Process.Signal(syscall.SIGTERM) } // so that it ends Envoy too
	script.WaitDelay = time.Minute
	script.Dir = t.TempDir()
	script.Env = append(os.Environ(), "GATEHOUSE="+program)
	var out, errOut bytes.Buffer
	script.Stdout, script.Stderr = &out, &errOut
	require.NoError(t, script.Run(), "%s%s", &out, &errOut)
	return strings.TrimSpace(out.String())
}

func TestAScriptSaysWhatIsMissing(t *testing.T) {
	for _, name := range folders(t) {
		script := exec.CommandContext(t.Context(), "bash", filepath.Join(root(t), "examples", name, "run.sh"))
		script.Env = append(os.Environ(), "GATEHOUSE=dist/nowhere")
		out, err := script.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		assert.Equal(t, "dist/nowhere is missing: run 'make build' first\n", string(out))
	}
}

// output is the block of a page that quotes what the example prints.
var output = regexp.MustCompile("(?s)(\n```text\n)(.*?)(\n```\n)")

func quoted(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	found := output.FindAllStringSubmatch(string(text), -1)
	require.Len(t, found, 1, "want one block ```text in %s", page)
	return found[0][2]
}

func quote(t *testing.T, page, printed string) {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	parts := output.FindSubmatchIndex(text)
	require.NotNil(t, parts)
	text = append(append(bytes.Clone(text[:parts[3]]), printed...), text[parts[6]:]...)
	require.NoError(t, os.WriteFile(page, text, 0o600))
}

// volatile is what differs from run to run.
var volatile = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z`), "TIME"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\b(?:[0-9a-f]{64}|[0-9a-f]{32})\b`), "HEX"},
	{regexp.MustCompile(`stream [0-9a-f]{16}|"stream":"[0-9a-f]{16}"`), "STREAM"},
	{regexp.MustCompile(`curl/[0-9.]+`), "curl/VERSION"},
	// Seconds that are left, and durations.
	{regexp.MustCompile(`((?i:retry-after|x-ratelimit-reset): |;t=|"(?:reset_seconds|uptime_seconds|duration_ms|validation_time_\w+)":|auth_validation_duration_\w+ )[0-9.e-]+`), "${1}N"},
}

func withoutVolatile(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	return text
}
