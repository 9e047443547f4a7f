package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// asDemo tells this test binary to be the demo, with the filter at the path that it holds; in Envoy
// if inRealEnvoy is set.
const (
	asDemo      = "GATEHOUSE_TEST_DEMO"
	inRealEnvoy = "GATEHOUSE_TEST_DEMO_ENVOY"
)

// patience bounds each wait for an event that must happen. It is generous because CI machines are
// slow.
const patience = 3 * time.Minute

func TestMain(m *testing.M) {
	if wasm := os.Getenv(asDemo); wasm != "" {
		err := Run(context.Background(), Options{
			Envoy: os.Getenv(inRealEnvoy) != "", Wasm: wasm, Out: os.Stdout, Err: os.Stderr, freePorts: true,
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// filter builds the filter, once for all tests that need it, and returns its path.
var filter = sync.OnceValues(func() (string, error) { return envoy.BuildFilter(context.Background()) })

// demo is a running demo process.
type demo struct {
	*exec.Cmd
	stdout, stderr *envoy.Log
}

// startDemo starts the demo as a process of its own and returns once it has printed its text.
func startDemo(t *testing.T, inEnvoy bool) *demo {
	t.Helper()
	wasm, err := filter()
	require.NoError(t, err)
	d := &demo{Cmd: exec.Command(os.Args[0]), stdout: envoy.NewLog(), stderr: envoy.NewLog()}
	d.Env = append(os.Environ(), asDemo+"="+wasm)
	if inEnvoy {
		envoy.ForTest(t)
		d.Env = append(d.Env, inRealEnvoy+"=1")
	}
	d.Stdout, d.Stderr = d.stdout, d.stderr
	require.NoError(t, d.Start())
	t.Cleanup(func() { // the error of either says that it has ended already
		_ = d.Process.Signal(syscall.SIGTERM)
		_ = d.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, _, err = d.stdout.Wait(ctx, 0, func(line string) bool { return strings.Contains(line, "Ctrl-C ends everything") })
	require.NoError(t, err, "stderr: %s", d.stderr)
	return d
}

// statusLine finds the statuses in the output of curl -i.
var statusLine = regexp.MustCompile(`(?m)^HTTP/1\.1 (\d{3}) `)

// TestEachPrintedLineShowsWhatItPromises pastes what the demo prints into a shell, line by line,
// and reads the audit lines that come of it.
func TestEachPrintedLineShowsWhatItPromises(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { eachPrintedLine(t, false) })
	t.Run("envoy", func(t *testing.T) { eachPrintedLine(t, true) })
}

func eachPrintedLine(t *testing.T, inEnvoy bool) {
	d := startDemo(t, inEnvoy)
	printed := d.stdout.Lines()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	var tokens []string
	seen := map[int]int{}
	var metrics string
	next := len(printed)
	for i, line := range printed {
		switch {
		case regexp.MustCompile(`^[A-Z]+=`).MatchString(line):
			tokens = append(tokens, line)
		case strings.Contains(line, "/stats/prometheus"):
			metrics = line
		case strings.HasPrefix(line, "# "):
			status, err := strconv.Atoi(line[2:5])
			require.NoError(t, err)
			seen[status]++
			output := paste(t, strings.Join(append(tokens, printed[i+1]), "\n"))
			found := statusLine.FindAllStringSubmatch(output, -1)
			require.NotEmpty(t, found, "%s\n%s", printed[i+1], output)
			assert.Equal(t, strconv.Itoa(status), found[len(found)-1][1], "%s\n%s", line, output)
			for range found {
				var event string
				event, next, err = d.stdout.Wait(ctx, next, func(string) bool { return true })
				require.NoError(t, err)
				require.True(t, json.Valid([]byte(event)), event)
				var fields struct {
					Status int `json:"status_code"`
				}
				require.NoError(t, json.Unmarshal([]byte(event), &fields))
				if found = found[1:]; len(found) == 0 {
					assert.Equal(t, status, fields.Status, event)
				}
			}
		}
	}
	for _, status := range []int{200, 401, 403, 429} {
		assert.NotZero(t, seen[status], "a line that shows %d", status)
	}
	assert.EventuallyWithT(t, func(c *assert.CollectT) { // counters may lag by a second
		assert.Contains(c, paste(t, metrics), `gatehouse_tokens_failed_total{reason="expired_token",provider="main"} 1`)
	}, patience, 200*time.Millisecond)

	thePageShowsTheGate(t, printed)

	// A line whose token was not pasted says so instead of showing something else.
	for i, line := range printed {
		if strings.HasPrefix(line, "# 403") {
			assert.Contains(t, paste(t, printed[i+1]), "paste the tokens first")
		}
	}
}

// thePageShowsTheGate opens the page whose address is printed, and asks through it what the admin
// API knows.
func thePageShowsTheGate(t *testing.T, printed []string) {
	t.Helper()
	at := slices.IndexFunc(printed, func(line string) bool { return strings.HasPrefix(line, "The page, live") })
	require.GreaterOrEqual(t, at, 0)
	url := printed[at+2]
	key := regexp.MustCompile(`name="gatehouse-key" content="([0-9a-f]+)"`).FindStringSubmatch(paste(t, "curl -s "+url))
	require.NotNil(t, key)
	assert.JSONEq(t, `{"ready":true,"providers":[{"name":"main","ready":true}]}`,
		paste(t, "curl -s -H 'x-gatehouse-ui: "+key[1]+"' "+url+"api/ready"))
}

// paste runs a text in a shell and returns what it prints; a failure of the text's own is part of
// that.
func paste(t *testing.T, text string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "bash", "-c", text).CombinedOutput()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return string(output)
}

func TestSignalsEndTheDemoAndAllItStarted(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			d := startDemo(t, true)
			children := childrenOf(t, d.Process.Pid)
			require.Len(t, children, 1, "Envoy")
			require.NoError(t, d.Process.Signal(signal))
			require.NoError(t, d.Wait(), "ending the demo is no failure: %s", d.stderr)
			assert.ErrorIs(t, syscall.Kill(children[0], 0), syscall.ESRCH)
		})
	}
}

// childrenOf returns the processes that a process has started.
func childrenOf(t *testing.T, parent int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	var children []int
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		pid, _, _ := bytes.Cut(stat, []byte(" "))
		_, rest, _ := bytes.Cut(stat, []byte(") "))
		if fields := strings.Fields(string(rest)); fields[1] == strconv.Itoa(parent) { // state, parent (proc(5))
			n, err := strconv.Atoi(string(pid))
			require.NoError(t, err)
			children = append(children, n)
		}
	}
	return children
}
