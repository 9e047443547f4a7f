package envoy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

const plain = "testdata/plain.yaml"

// patience bounds each wait for an event that must happen. It is generous because CI machines are
// slow.
const patience = time.Minute

// asChild tells this test binary to start an Envoy and wait for its own death.
const asChild = "GATEHOUSE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

func child() int {
	ctx := context.Background()
	binary, err := envoy.Find(ctx, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	p, err := envoy.Start(ctx, envoy.Options{Binary: binary, Config: plain})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(p.PID())
	<-p.Done()
	return 0
}

func start(t *testing.T, o envoy.Options) *envoy.Process {
	t.Helper()
	o.Binary = envoy.ForTest(t)
	if o.Config == "" {
		o.Config = plain
	}
	p, err := envoy.Start(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Stop()) })
	return p
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url) //nolint:noctx // bounded by the test's own timeout
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

// waiting is a context that ends with the test's patience.
func waiting(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestEnvoyServesOnFreePortsWithEditsApplied(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "upstream "+r.URL.Path)
	}))
	t.Cleanup(upstream.Close)
	accessLog := filepath.Join(t.TempDir(), "access.log")
	p := start(t, envoy.Options{Edits: []envoy.Edit{
		envoy.Endpoint("upstream", upstream.Listener.Addr().String()),
		envoy.AddListener(`{name: other, address: {socket_address: {address: 127.0.0.1, port_value: 10001}}, filter_chains: [{filters: [
			{name: echo, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo}}]}]}`),
		envoy.AddCluster(`{name: extra}`),
		envoy.AccessLog("web", accessLog),
	}})
	other := start(t, envoy.Options{})

	assert.NotEqual(t, p.Address("web"), other.Address("web"))
	assert.NotContains(t, p.Address("other"), ":10001")
	status, body := get(t, p.URL("web", "/upstream/x"))
	assert.Equal(t, 200, status)
	assert.Equal(t, "upstream /upstream/x", body)

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		text, err := os.ReadFile(accessLog)
		require.NoError(c, err)
		assert.Equal(c, "/upstream/x 200\n", string(text))
	}, patience, 10*time.Millisecond)

	dump, err := p.ConfigDump(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(dump), `"extra"`)
}

func TestAdminHelpersReadWhatEnvoyCounts(t *testing.T) {
	p := start(t, envoy.Options{Concurrency: 2})
	for range 3 {
		get(t, p.URL("web", "/"))
	}
	stats, err := p.Stats(t.Context(), `^http\.web\.downstream_rq_(total|2xx)$`)
	require.NoError(t, err)
	assert.Equal(t, map[string]uint64{"http.web.downstream_rq_total": 3, "http.web.downstream_rq_2xx": 3}, stats)
	text, err := p.PrometheusText(t.Context())
	require.NoError(t, err)
	assert.Contains(t, text, `envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix="web"} 3`)
	assert.Contains(t, text, "envoy_server_concurrency{} 2")

	require.NoError(t, p.DrainListeners(t.Context()))
	_, err = p.Admin(t.Context(), http.MethodGet, "/no-such-page")
	require.ErrorContains(t, err, "404")
}

func TestStandardOutputIsFollowedLineByLine(t *testing.T) {
	seen := make(chan string, 10)
	p := start(t, envoy.Options{OnStdout: func(line string) { seen <- line }})
	get(t, p.URL("web", "/a"))
	get(t, p.URL("web", "/b"))
	ctx := waiting(t)
	line, next, err := p.Stdout.Wait(ctx, 0, func(line string) bool { return strings.HasPrefix(line, "/a") })
	require.NoError(t, err)
	assert.Equal(t, "/a 200", line)
	line, _, err = p.Stdout.Wait(ctx, next, func(string) bool { return true })
	require.NoError(t, err)
	assert.Equal(t, "/b 200", line)
	assert.Equal(t, []string{"/a 200", "/b 200"}, []string{<-seen, <-seen})

	require.NoError(t, p.Stop())
	_, _, err = p.Stdout.Wait(ctx, 2, func(string) bool { return true })
	require.ErrorContains(t, err, "the process ended after 2 lines")
}

func TestAConfigurationThatEnvoyRefusesGivesItsReason(t *testing.T) {
	binary := envoy.ForTest(t)
	_, err := envoy.Start(t.Context(), envoy.Options{Binary: binary, Config: plain, Edits: []envoy.Edit{
		envoy.AddCluster(`{name: wrong, no_such_field: 1}`),
	}})
	var refused *envoy.StartError
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, refused.Line, "no_such_field")
	assert.NotContains(t, err.Error(), "\n")
	assert.Contains(t, refused.Log, "exiting")
}

func TestAnEditThatFailsStartsNothing(t *testing.T) {
	binary := envoy.ForTest(t)
	_, err := envoy.Start(t.Context(), envoy.Options{Binary: binary, Config: plain, Edits: []envoy.Edit{
		envoy.Endpoint("nobody", "127.0.0.1:1"),
	}})
	require.EqualError(t, err, `the configuration has no "nobody" in static_resources.clusters`)
}

func TestAMissingExecutableIsAnError(t *testing.T) {
	_, err := envoy.Start(t.Context(), envoy.Options{Binary: envoy.Binary{Path: "/nonexistent/envoy"}, Config: plain})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestMeasurementsGrowWithWork(t *testing.T) {
	p := start(t, envoy.Options{})
	before, err := p.CPU()
	require.NoError(t, err)
	for after := before; after <= before; {
		get(t, p.URL("web", "/"))
		after, err = p.CPU()
		require.NoError(t, err)
	}
	rss, err := p.RSS()
	require.NoError(t, err)
	assert.Greater(t, rss, int64(10<<20))
	assert.Less(t, rss, int64(1<<30))
}

func TestStopLeavesNoProcess(t *testing.T) {
	p := start(t, envoy.Options{})
	require.NoError(t, syscall.Kill(p.PID(), 0))
	require.NoError(t, p.Stop())
	assert.ErrorIs(t, syscall.Kill(p.PID(), 0), syscall.ESRCH)
	assert.NoError(t, p.Stop(), "a second stop does nothing")
}

func TestTheEndOfTheContextStopsEnvoy(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := envoy.Start(ctx, envoy.Options{Binary: envoy.ForTest(t), Config: plain})
	require.NoError(t, err)
	cancel()
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("Envoy still runs")
	}
}

func TestStopTellsThatEnvoyHadCrashed(t *testing.T) {
	p, err := envoy.Start(t.Context(), envoy.Options{Binary: envoy.ForTest(t), Config: plain})
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(p.PID(), syscall.SIGKILL))
	<-p.Done()
	require.EqualError(t, p.Stop(), "envoy ended by itself: signal: killed")
}

func TestEnvoyDiesWithAStarterThatIsKilled(t *testing.T) {
	envoy.ForTest(t)
	starter := exec.CommandContext(t.Context(), os.Args[0])
	starter.Env = append(os.Environ(), asChild+"=1", "TMPDIR="+t.TempDir()) // a killed starter removes nothing
	starter.Stderr = os.Stderr
	stdout, err := starter.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, starter.Start())
	var pid int
	_, err = fmt.Fscan(bufio.NewReader(stdout), &pid)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, 0))

	require.NoError(t, starter.Process.Kill())
	_ = starter.Wait() // says that it was killed
	assert.Eventually(t, func() bool { return gone(pid) }, patience, 10*time.Millisecond)
}

// gone reports whether a process has ended. A process that no parent waited for stays as a zombie,
// which counts as ended.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}
