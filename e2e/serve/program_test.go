// Package serve_test tests the program `gatehouse serve`: how it starts and ends, that it loses
// nothing under load, and how fast it is beside Envoy and a bare reverse proxy.
package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/child"
	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// patience bounds each wait for an event that must happen. It is generous because the first start
// compiles the filter, and CI machines are slow.
const patience = 2 * time.Minute

// object is a JSON object.
type object = map[string]any

// built is the directory of what binary has built; TestMain removes it.
var built string

func toJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// binary is the CLI, built once.
var binary = sync.OnceValues(func() (path string, err error) {
	if built, err = os.MkdirTemp("", "gatehouse-serve-"); err != nil {
		return "", err
	}
	path = filepath.Join(built, "gatehouse")
	out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "gatehouse/cmd/gatehouse").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if upstream := os.Getenv(bareProxyEnv); upstream != "" {
		bareProxy(upstream)
		return
	}
	code := m.Run()
	_ = os.RemoveAll(built)
	os.Exit(code)
}

// program is a child process that dies with this one.
type program struct {
	cmd            *exec.Cmd
	stdout, stderr *envoy.Log
	done           chan struct{}
}

// launch starts a program. Its standard output goes to stdout if that isn't nil.
func launch(t testing.TB, env []string, stdout io.Writer, path string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(path, args...), stdout: envoy.NewLog(), stderr: envoy.NewLog(), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = stdout, p.stderr
	if stdout == nil {
		p.cmd.Stdout = p.stdout
	}
	require.NoError(t, child.Start(p.cmd, syscall.SIGKILL, func() { close(p.done) }))
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // most have ended by now
		<-p.done
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(path), p.stderr)
		}
	})
	return p
}

// terminate sends SIGTERM.
func (p *program) terminate(t testing.TB) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
}

// exit waits for the program's end and returns its exit code.
func (p *program) exit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		require.Fail(t, "the program does not end", "%s", p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// says waits for a line of the log that matches, and returns its first group.
func (p *program) says(t testing.TB, log *envoy.Log, line string) string {
	t.Helper()
	want := regexp.MustCompile(line)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	found, _, err := log.Wait(ctx, 0, want.MatchString)
	require.NoError(t, err, "%s", p.stderr)
	return want.FindStringSubmatch(found)[1]
}

// gate is a running `gatehouse serve`.
type gate struct {
	*program
	address, metrics string
}

// serveArgs are the arguments for a configuration, at free ports.
func serveArgs(t testing.TB, config any, upstream string, more ...string) (path string, args []string) {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	wasm, err := envoy.BuildFilter(t.Context())
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(file, []byte(toJSON(t, config)), 0o600))
	return path, append([]string{"serve", "--config", file, "--wasm", wasm, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
		"--upstream", upstream}, more...)
}

// startServe starts `gatehouse serve` and returns when it serves.
func startServe(t testing.TB, stdout io.Writer, env []string, config any, upstream string, more ...string) *gate {
	t.Helper()
	path, args := serveArgs(t, config, upstream, more...)
	g := &gate{program: launch(t, env, stdout, path, args...)}
	g.address = g.says(t, g.stderr, `^serving http://(\S+), upstream `)
	g.metrics = g.says(t, g.stderr, `^metrics: (\S+)$`)
	return g
}

// stop ends the gate in order.
func (g *gate) stop(t testing.TB) {
	t.Helper()
	g.terminate(t)
	assert.Equal(t, 0, g.exit(t))
}

// series waits until the metrics have a line; counters may lag by a second.
func (g *gate) series(t testing.TB, lines ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		response, err := http.Get(g.metrics)
		require.NoError(c, err)
		page, err := io.ReadAll(response.Body)
		require.NoError(c, errors.Join(err, response.Body.Close()))
		for _, line := range lines {
			assert.Contains(c, string(page), "\n"+line+"\n")
		}
	}, patience, 50*time.Millisecond)
}

// inlineKeys are tokens of an issuer whose keys the configuration has.
func inlineKeys(t testing.TB, issuer *toy.Issuer) object {
	t.Helper()
	var set any
	require.NoError(t, json.Unmarshal(issuer.JWKS(), &set))
	return object{"providers": []any{object{
		"name": "main", "issuer": issuer.Name(), "audiences": []any{"orders"}, "algorithms": []any{"RS256"},
		"jwks": object{"inline": set},
	}}}
}

func startIssuer(t testing.TB) *toy.Issuer {
	t.Helper()
	issuer, err := toy.StartIssuer("", "https://idp.example")
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	return issuer
}

// tokenFor is a token of the n-th of many callers.
func tokenFor(t testing.TB, issuer *toy.Issuer, n int) string {
	t.Helper()
	token, err := issuer.Sign(issuer.Human("caller"+strconv.Itoa(n), "orders", time.Hour))
	require.NoError(t, err)
	return token
}
