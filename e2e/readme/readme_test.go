// Package readme_test runs the commands that the README tells a newcomer.
package readme_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// patience bounds each wait for an event that must happen; a build is among them.
const patience = 10 * time.Minute

var (
	block   = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	promise = regexp.MustCompile(`^# (\d{3}): `)
	token   = regexp.MustCompile(`^[A-Z]+=`)
	status  = regexp.MustCompile(`(?m)^HTTP/1\.1 (\d{3}) `)
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := envoy.RepoRoot()
	require.NoError(t, err)
	return dir
}

// command is a command in the repository that knows nothing of the make that may run this test.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = root(t)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "MAKE") && !strings.HasPrefix(variable, "MFLAGS=") {
			c.Env = append(c.Env, variable)
		}
	}
	return c
}

// TestTheCommandsOfTheReadme runs every line of the README's shell blocks. A line that it doesn't
// know fails: somebody has to say here how it is tested.
func TestTheCommandsOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	require.NoError(t, err)
	lines := 0
	for _, m := range block.FindAllStringSubmatch(string(readme), -1) {
		for line := range strings.Lines(m[1]) {
			line, _, _ = strings.Cut(line, "#")
			if line = strings.TrimSpace(line); line == "" {
				continue // the rest of a comment
			}
			lines++
			t.Run(line, func(t *testing.T) {
				switch line {
				case "make run":
					eachPrintedLine(t, "run")
				case "make run ENVOY=1":
					envoy.ForTest(t)
					eachPrintedLine(t, "run", "ENVOY=1")
				case "make build":
					output, err := command(t, "make", "build").CombinedOutput()
					require.NoError(t, err, "%s", output)
					for _, file := range []string{"gatehouse.wasm", "gatehouse"} {
						assert.FileExists(t, filepath.Join(root(t), "dist", file))
					}
				case "make check", "make test": // the latter runs this test
					output, err := command(t, "make", "-n", strings.TrimPrefix(line, "make ")).CombinedOutput()
					require.NoError(t, err, "%s", output)
				default:
					assert.Fail(t, "the README has a command that no test runs")
				}
			})
		}
	}
	assert.Greater(t, lines, 4)
}

// eachPrintedLine runs make, pastes the lines that the demo prints into a shell, and looks for the
// status that each promises.
func eachPrintedLine(t *testing.T, args ...string) {
	printed := startMake(t, args...)
	var tokens []string
	seen := map[string]bool{}
	for i, line := range printed {
		if token.MatchString(line) {
			tokens = append(tokens, line)
		}
		want := promise.FindStringSubmatch(line)
		if want == nil {
			continue
		}
		script := strings.Join(append(tokens, printed[i+1]), "\n")
		output, err := exec.CommandContext(t.Context(), "bash", "-c", script).CombinedOutput()
		require.NoError(t, err, "%s\n%s", printed[i+1], output)
		found := status.FindAllStringSubmatch(string(output), -1)
		require.NotEmpty(t, found, "%s\n%s", printed[i+1], output)
		assert.Equal(t, want[1], found[len(found)-1][1], "%s\n%s", line, output)
		seen[want[1]] = true
	}
	for _, code := range []int{200, 401, 403, 429} {
		assert.Contains(t, seen, strconv.Itoa(code))
	}
}

// startMake starts make in a process group of its own and returns what it has printed once the demo
// is up. At the test's end it gets what Ctrl-C sends, and must end.
func startMake(t *testing.T, args ...string) []string {
	t.Helper()
	c := command(t, "make", args...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, errs := envoy.NewLog(), envoy.NewLog()
	c.Stdout, c.Stderr = out, errs
	require.NoError(t, c.Start())
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	go func() {
		ended <- c.Wait()
		cancel()
	}()
	up := false
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGINT)
		select {
		case err := <-ended: // interrupted, which make may call an error
			t.Log("make:", err)
			if up {
				_, err = net.Dial("tcp", "127.0.0.1:10000")
				assert.Error(t, err, "the gate still listens")
			}
		case <-time.After(patience):
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			assert.Fail(t, "make has not ended")
		}
	})
	_, _, err := out.Wait(ctx, 0, func(line string) bool { return strings.Contains(line, "Ctrl-C ends everything") })
	if err != nil && strings.Contains(errs.String(), " is in use, and the demo needs it") && os.Getenv("CI") != "true" {
		t.Skip(errs.String())
	}
	require.NoError(t, err, "%s%s", out, errs)
	assert.NotContains(t, errs.String(), "configuration", "a warning that a newcomer has to think about")
	up = true
	return out.Lines()
}
