package outages_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

const adminToken = "an-admin-token-of-32-characters-or-more"

// verifyTo proves a file of events up to what GET /audit/heads answered.
func verifyTo(t *testing.T, file, heads string) verified {
	t.Helper()
	name := filepath.Join(t.TempDir(), "heads.json")
	require.NoError(t, os.WriteFile(name, []byte(heads), 0o600))
	return verify(t, file, "--heads", name)
}

// proven counts the streams whose end is proven.
func (v verified) proven() (n int) {
	for _, s := range v.Streams {
		if s.Status == "proven" {
			n++
		}
	}
	return n
}

// TestWhatADeadVMLeavesBehind has VMs die that hold a request, fetch keys and have events in their
// queue, and another whose policy keeps it down.
func TestWhatADeadVMLeavesBehind(t *testing.T) {
	t.Parallel()
	const idle = 8 * time.Second // stream_idle_timeout
	keys := startKeys(t)
	var down atomic.Bool // the receiver
	stored := startReceiver(t)
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		stored.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(failing.Close)
	watched := envoy.WatchListener(t.TempDir(), "FAIL_CLOSED")
	s := start(t, func(s *scene, o *envoy.Options) {
		keys.set = s.issuer.JWKS
		o.Wasm, o.Concurrency = faulty(t), 1
		o.Edits = append(o.Edits, envoy.CopyListener("gate", "FAIL_CLOSED"), failurePolicy("FAIL_CLOSED", "FAIL_CLOSED"), s.gate("FAIL_CLOSED", `{}`),
			s.gate("gate", `{"audit": {"http": {"cluster": "receiver", "path": "/in"}},
				"tokens": {"providers": [{"name": "main", "issuer": "`+issuerName+`", "audiences": ["orders"], "algorithms": ["RS256"],
				"jwks": {"cluster": "keys", "uri": "http://idp.example/jwks.json", "timeout_seconds": 30, "min_refetch_seconds": 1}}]}}`),
			cluster("keys", keys.Listener.Addr().String()), cluster("receiver", failing.Listener.Addr().String()),
			func(b envoy.Bootstrap) error {
				manager, err := b.ConnectionManager("gate")
				if err == nil {
					manager["stream_idle_timeout"] = "8s"
				}
				return err
			}, envoy.CopyListener("gate", "admin"), envoy.MergePluginConfig("admin", `{"admin": {"token": "`+adminToken+`"}}`), watched.Edit)
	})
	die := func(t *testing.T, c *http.Client, listener string) {
		t.Helper()
		require.Equal(t, http.StatusServiceUnavailable, ask(c, s.URL(listener, "/x"), "", fault, "trap@request headers").status)
	}

	t.Run("a request that waits for keys, and their fetch", func(t *testing.T) {
		c, alice, held := connection(t), s.token("alice"), make(chan answer, 1)
		began := time.Now()
		go func() { held <- ask(c, s.URL("gate", "/x"), alice) }()
		require.Eventually(t, func() bool { return s.counter("http.gate.downstream_rq_active") == 1 }, patience, 5*time.Millisecond)
		die(t, c, "gate")
		close(keys.opened)
		require.Eventually(t, func() bool { return ask(c, s.URL("gate", "/x"), alice).status == http.StatusOK }, patience, 20*time.Millisecond,
			"if the fetch died too, another VM begins one when timeout_seconds and a second have passed")
		a := <-held
		require.NoError(t, a.err)
		assert.Equal(t, http.StatusServiceUnavailable, a.status)
		assert.GreaterOrEqual(t, time.Since(began), idle-time.Second/10, "nothing but stream_idle_timeout ends it, though the keys have come")
	})

	t.Run("events in the queue", func(t *testing.T) {
		const queue = "wasmcustom.gatehouse_audit_queue_events"
		c := connection(t)
		// Each VM's events arrive in order: when this request's are there all are.
		last := ask(c, s.URL("gate", "/open/x"), "")
		for _, file := range []func() string{func() string { return s.auditLog("gate") }, func() string { return stored.save(t) }} {
			require.Eventually(t, func() bool {
				return slices.ContainsFunc(events(t, file()), func(e event) bool { return e.Metadata.No == last.no })
			}, patience, 50*time.Millisecond)
		}
		before := len(events(t, s.auditLog("gate")))
		require.Equal(t, before, numbersIn(t, stored.save(t)))
		s.stat(queue, 0)
		down.Store(true)
		for range 10 {
			require.Equal(t, http.StatusOK, ask(c, s.URL("gate", "/open/x"), "").status)
		}
		s.stat(queue, 10)
		die(t, c, "gate")
		down.Store(false)
		for n := 0; n < 5; time.Sleep(20 * time.Millisecond) {
			if ask(c, s.URL("gate", "/open/x"), "").status == http.StatusOK {
				n++
			}
		}
		require.Eventually(t, func() bool { return numbersIn(t, stored.save(t)) == before+5 }, patience, 50*time.Millisecond, "of the new VM's queue")
		s.stat(queue, 10) // what the dead one's had
		require.Eventually(t, func() bool { return len(events(t, s.auditLog("gate"))) == before+15 }, patience, 50*time.Millisecond, "the file has them all")
		assert.True(t, verify(t, stored.save(t)).OK, "no line between others is missing")

		// The heads outlive the VM: they tell which events of the dead one's the receiver lacks.
		var heads answer
		require.Eventually(t, func() bool {
			heads = ask(c, s.URL("admin", "/audit/heads"), adminToken)
			return heads.status == http.StatusOK && verifyTo(t, s.auditLog("gate"), heads.body).proven() == 2
		}, patience, 100*time.Millisecond, "the file has all that both VMs wrote")
		v := verifyTo(t, stored.save(t), heads.body)
		assert.False(t, v.OK)
		assert.Equal(t, 1, v.proven())
		for _, stream := range v.Streams {
			if stream.Break != nil {
				assert.Equal(t, "truncated", stream.Break.Kind)
				assert.Equal(t, 9, stream.Break.Missing.To-stream.Break.Missing.From)
			}
		}
	})

	t.Run("a VM that its policy keeps down", func(t *testing.T) {
		alice := s.token("alice")
		status := func() int { return ask(connection(t), s.URL("FAIL_CLOSED", "/x"), alice).status }
		require.Equal(t, http.StatusOK, status())
		die(t, connection(t), "FAIL_CLOSED")
		time.Sleep(reloadsWithin)
		require.Equal(t, http.StatusServiceUnavailable, status())
		require.NoError(t, watched.Apply(envoy.MergePluginConfig("FAIL_CLOSED", `{"audit": {"log": "none"}, "mode": "enforce", "limit_headers": []}`)))
		require.Eventually(t, func() bool { return status() == http.StatusOK }, patience, 50*time.Millisecond, "an update brings it back")
	})
}
