package demo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// fakeGate takes the place of a proxy with the filter. It lets every request through and records
// that.
type fakeGate struct {
	setup   Setup
	server  *httptest.Server
	done    chan struct{}
	started chan struct{}
	refuse  error
	stopped int
}

func newFakeGate() *fakeGate {
	return &fakeGate{done: make(chan struct{}), started: make(chan struct{})}
}

func (g *fakeGate) Start(_ context.Context, setup Setup) (string, error) {
	if g.refuse != nil {
		return "", g.refuse
	}
	g.setup = setup
	setup.Logf("progress")
	setup.Audit(`{"event_type":"auth_success"}`)
	g.server = httptest.NewServer(http.NotFoundHandler())
	close(g.started)
	return g.server.Listener.Addr().String(), nil
}

func (g *fakeGate) Done() <-chan struct{} { return g.done }
func (g *fakeGate) Metrics() string       { return "curl -s metrics" }
func (g *fakeGate) AdminAPI() string      { return g.server.URL }

func (g *fakeGate) Stop() error {
	g.stopped++
	if g.server != nil {
		g.server.Close()
	}
	select {
	case <-g.done:
		return errors.New("it ended by itself")
	default:
		return nil
	}
}

// repository makes a directory that looks like the repository to the demo, with an envoy.yaml whose
// ports are free ones, except those that are named as held. It returns the addresses in place of
// the originals.
func repository(t *testing.T, held ...string) (dir string, moved map[string]string) {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, configFile))
	require.NoError(t, err)
	moved = map[string]string{}
	for _, port := range []string{"9901", "10000", "10001", "10080", "10081"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() {
			if slices.Contains(held, port) {
				t.Cleanup(func() { _ = listener.Close() })
			} else {
				_ = listener.Close()
			}
		}()
		moved[port] = listener.Addr().String()
		text = bytes.ReplaceAll(text, []byte("port_value: "+port+"}"), []byte("port_value: "+strings.TrimPrefix(moved[port], "127.0.0.1:")+"}"))
	}
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, configFile), text, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "dist"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dist", "gatehouse.wasm"), nil, 0o600))
	return dir, moved
}

func TestAnAddressInUseIsNamedInOneLine(t *testing.T) {
	for port, use := range map[string]string{
		"10080": "the issuer", "10081": "the upstream", "10000": "the gate",
		"10001": "the listener gate_envoy_jwt", "9901": "the metrics",
	} {
		t.Run(use, func(t *testing.T) {
			var err error
			var want string
			for range 10 { // somebody may have got one of the free ports meanwhile; then it is that one's turn to be named
				dir, moved := repository(t, port)
				want = moved[port] + " is in use, and the demo needs it for " + use + ": end what listens there"
				err = Run(t.Context(), Options{Envoy: true, Dir: dir, Out: io.Discard, Err: io.Discard})
				require.ErrorContains(t, err, " is in use, and the demo needs it for ")
				if err.Error() == want {
					break
				}
			}
			require.EqualError(t, err, want)
		})
	}
}

// withFreePorts runs a test's body with a repository whose ports are free. Another program may take
// a free port before the test needs it. Then the test tries again with other ports.
func withFreePorts(t *testing.T, body func(dir string, moved map[string]string, gate *fakeGate) error, held ...string) error {
	t.Helper()
	var err error
	for range 10 {
		dir, moved := repository(t, held...)
		if err = body(dir, moved, newFakeGate()); err == nil || !strings.Contains(err.Error(), " is in use, ") {
			break
		}
	}
	return err
}

func TestTheDemoRunsUntilItIsEndedAndLeavesNothingBehind(t *testing.T) {
	err := withFreePorts(t, func(dir string, moved map[string]string, gate *fakeGate) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var out, progress bytes.Buffer
		ended := make(chan error, 1)
		go func() { ended <- Run(ctx, Options{gate: gate, Dir: dir, Out: &out, Err: &progress}) }()
		select {
		case <-gate.started:
		case err := <-ended:
			return cmp.Or(err, errors.New("the demo ended too early"))
		}
		for _, url := range []string{"http://" + moved["10080"] + "/jwks.json", "http://" + moved["10081"] + "/"} {
			response, err := http.Get(url)
			require.NoError(t, err)
			_ = response.Body.Close()
			assert.Equal(t, http.StatusOK, response.StatusCode)
		}
		cancel()
		require.NoError(t, <-ended)

		assert.Equal(t, "progress\n", progress.String())
		assert.Equal(t, moved["10000"], gate.setup.Listen)
		assert.Equal(t, map[string]string{"idp": moved["10080"], "upstream": moved["10081"]}, gate.setup.Clusters)
		assert.Equal(t, filepath.Join(dir, "dist", "gatehouse.wasm"), gate.setup.Wasm)
		assert.Contains(t, gate.setup.Config, `"issuer"`)
		assert.True(t, strings.HasPrefix(out.String(), `{"event_type":"auth_success"}`+"\n"), "the audit line stands alone in its line")
		assert.Contains(t, out.String(), "http://"+gate.server.Listener.Addr().String()+"/account/me\n")
		assert.Contains(t, out.String(), "\ncurl -s metrics\n")
		assert.Equal(t, 1, gate.stopped)
		nothingListens(t, moved["10080"], moved["10081"])
		return nil
	}, "10001") // which only Envoy needs
	require.NoError(t, err)
}

// nothingListens makes sure that every program that was started is gone.
func nothingListens(t *testing.T, addresses ...string) {
	t.Helper()
	for _, address := range addresses {
		connection, err := net.Dial("tcp", address)
		if err == nil && connection.LocalAddr().String() != connection.RemoteAddr().String() { // it may have met itself
			assert.Fail(t, "something still listens", address)
		}
		if err == nil {
			_ = connection.Close()
		}
	}
}

func TestAGateThatEndsByItselfEndsTheDemo(t *testing.T) {
	err := withFreePorts(t, func(dir string, _ map[string]string, gate *fakeGate) error {
		go func() { <-gate.started; close(gate.done) }()
		return Run(t.Context(), Options{gate: gate, Dir: dir, Out: io.Discard, Err: io.Discard})
	})
	require.EqualError(t, err, "it ended by itself")
}

func TestAGateThatDoesNotStartIsTheError(t *testing.T) {
	err := withFreePorts(t, func(dir string, moved map[string]string, gate *fakeGate) error {
		gate.refuse = errors.New("refused")
		err := Run(t.Context(), Options{gate: gate, Dir: dir, Out: io.Discard, Err: io.Discard})
		if err == gate.refuse { //nolint:errorlint // that very error
			assert.Equal(t, 1, gate.stopped)
			nothingListens(t, moved["10080"], moved["10081"])
		}
		return err
	})
	require.EqualError(t, err, "refused")
}

func TestAMissingFilterIsNamedWithTheRemedy(t *testing.T) {
	dir, _ := repository(t)
	require.NoError(t, os.Remove(filepath.Join(dir, "dist", "gatehouse.wasm")))
	err := Run(t.Context(), Options{gate: newFakeGate(), Dir: dir, Out: io.Discard, Err: io.Discard})
	require.ErrorContains(t, err, "`make build` makes it")
	require.ErrorContains(t, err, filepath.Join(dir, "dist", "gatehouse.wasm"))
}

func TestOutsideTheRepositoryTheDirectoryMustBeNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	err := Run(t.Context(), Options{gate: newFakeGate(), Out: io.Discard, Err: io.Discard})
	require.ErrorContains(t, err, "name its directory by --dir")
}
