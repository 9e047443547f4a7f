package outages_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// receiver takes batches of audit events.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	lines []string
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")...)
	}))
	t.Cleanup(r.Close)
	return r
}

// save writes what arrived to a file.
func (r *receiver) save(t *testing.T) string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	file := filepath.Join(t.TempDir(), "received.log")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(r.lines, "\n")+"\n"), 0o600))
	return file
}

// startDelivering starts an Envoy whose gate writes its audit events to a file and to a receiver.
func startDelivering(t *testing.T, r *receiver) *scene {
	t.Helper()
	return start(t, func(s *scene, o *envoy.Options) {
		o.Drain = 5 * time.Second
		o.Edits = append(o.Edits, s.gate("gate", `{"audit": {"http": {"cluster": "receiver", "path": "/in"}}}`), cluster("receiver", r.Listener.Addr().String()))
	})
}

// TestAGracefulStopLosesNothing drains first: what is in flight is answered, and every event is in
// the file and at the receiver before Envoy is stopped.
func TestAGracefulStopLosesNothing(t *testing.T) {
	t.Parallel()
	r := startReceiver(t)
	s := startDelivering(t, r)
	c, kept, alice := connection(t), &http.Client{Transport: &http.Transport{}}, s.token("alice")
	t.Cleanup(kept.CloseIdleConnections)
	answered := map[string]bool{}
	asked := func(c *http.Client) answer {
		t.Helper()
		a := ask(c, s.URL("gate", "/x"), alice)
		require.NoError(t, a.err)
		require.Equal(t, http.StatusOK, a.status)
		answered[a.no] = true
		return a
	}
	for range 20 {
		asked(c)
		asked(kept)
	}
	inFlight := s.hold(t, c, "gate", alice)
	require.NoError(t, s.DrainListeners(t.Context()))
	asked(c)
	asked(kept)
	s.upstream.release()
	for what, answers := range inFlight {
		a := <-answers
		require.NoError(t, a.err, what)
		require.Equal(t, http.StatusOK, a.status, what)
		answered[a.no] = true
	}
	require.Eventually(t, func() bool {
		return ask(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, s.URL("gate", "/open/x"), "").err != nil
	}, patience, 100*time.Millisecond, "then there is no listener")
	awaitAudited(t, func() string { return r.save(t) }, answered)
	s.stat("wasmcustom.gatehouse_audit_queue_events", 0) // as the page on operations says to wait for
	require.NoError(t, s.Stop())
	for _, file := range []string{s.auditLog("gate"), r.save(t)} {
		seen := map[string]int{}
		for _, e := range events(t, file) {
			seen[e.Metadata.No]++
		}
		for no := range answered {
			assert.Equal(t, 1, seen[no], no)
		}
		assert.True(t, verify(t, file).OK)
	}
}

// numbersIn counts the requests of a file of events, however often a receiver got each.
func numbersIn(t *testing.T, file string) int {
	seen := map[string]bool{}
	for _, e := range events(t, file) {
		seen[e.Metadata.No] = true
	}
	return len(seen)
}

// TestASuddenStop ends Envoy with requests in flight. By SIGTERM its files are complete, those that
// it cuts off included; what waits for the receiver is lost. By SIGKILL the last of the files is
// lost as well.
func TestASuddenStop(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGKILL": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			r := startReceiver(t)
			s := startDelivering(t, r)
			c, alice := connection(t), s.token("alice")
			answered := map[string]bool{}
			for range 30 {
				a := ask(c, s.URL("gate", "/x"), alice)
				require.NoError(t, a.err)
				answered[a.no] = true
			}
			inFlight := s.hold(t, c, "gate", alice)
			require.NoError(t, syscall.Kill(s.PID(), signal))
			cut := map[string]bool{}
			for what, answers := range inFlight {
				a := <-answers
				require.Error(t, a.err, what)
				cut[a.no] = true
			}
			select {
			case <-s.Done():
			case <-time.After(patience):
				t.Fatal("Envoy goes on")
			}
			seen := map[string]int{}
			for _, e := range events(t, s.auditLog("gate")) {
				seen[e.Metadata.No]++
				require.True(t, answered[e.Metadata.No] || cut[e.Metadata.No])
			}
			for no, n := range seen {
				require.Equal(t, 1, n, no)
			}
			if signal == syscall.SIGTERM {
				assert.Len(t, seen, len(answered)+len(cut), "the file has them all")
			} else {
				for no := range cut {
					assert.Zero(t, seen[no], "an event is written when its request ends")
				}
			}
			assert.True(t, verify(t, s.auditLog("gate")).OK, "what is there is whole; its tail is unproven")
			for _, e := range events(t, r.save(t)) {
				ended := answered[e.Metadata.No] || signal == syscall.SIGTERM && cut[e.Metadata.No]
				assert.True(t, ended, "the receiver has what was sent before, be it in the file yet or not")
			}
			assert.True(t, verify(t, r.save(t)).OK)
		})
	}
}
