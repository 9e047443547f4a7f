package outages_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// policies are Envoy's failure policies, each that of a gate of its name with a VM of its own.
var policies = []string{"FAIL_RELOAD", "FAIL_CLOSED", "FAIL_OPEN"}

// reloadsWithin is how long after a VM's last start Envoy makes a new one at the latest:
// base_interval, which is a second, and up to half of it at random.
const reloadsWithin = 1500 * time.Millisecond

// failurePolicy gives a gate a failure policy and a VM of its own.
func failurePolicy(listener, policy string) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		filter, err := b.HTTPFilter(listener, "Wasm")
		if err != nil {
			return err
		}
		config := filter["config"].(map[string]any)
		config["failure_policy"] = policy
		if policy != "FAIL_RELOAD" {
			delete(config, "reload_config")
		}
		config["vm_config"].(map[string]any)["vm_id"] = listener
		return nil
	}
}

// startMortal starts an Envoy with gates whose VMs requests can kill.
func startMortal(t *testing.T, workers int, policies ...string) *scene {
	t.Helper()
	return start(t, func(s *scene, o *envoy.Options) {
		o.Wasm, o.Concurrency = faulty(t), workers
		for _, p := range policies {
			o.Edits = append(o.Edits, envoy.CopyListener("gate", p), failurePolicy(p, p), s.gate(p, `{}`))
		}
		o.Edits = append(o.Edits, envoy.RemoveListener("gate"))
	})
}

// fault makes a request kill the VM that serves it, see package faultswitch.
const fault = "X-Vm-Fault"

// TestAVMThatDies has a VM die with requests in flight, under each failure policy.
func TestAVMThatDies(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2} {
		s := startMortal(t, workers, policies...)
		for _, policy := range policies {
			t.Run(fmt.Sprintf("%s, %d workers", policy, workers), func(t *testing.T) { death(t, s, policy, workers) })
		}
	}
}

// admittedCounter counts what the gates of all listeners admit on the route that the tests use.
const admittedCounter = "wasmcustom.gatehouse_requests_total.route.rest.decision.admitted"

func death(t *testing.T, s *scene, policy string, workers int) {
	alice, url := s.token("alice"), s.URL(policy, "/x")
	counted, charged := s.counter(admittedCounter), 0
	judged := map[string]bool{} // the numbers of the requests that a gate judged and saw end
	served := func(c *http.Client) {
		t.Helper()
		a := ask(c, url, alice, "X-Gatehouse-User-Id", "mallory")
		require.NoError(t, a.err)
		require.Equal(t, http.StatusOK, a.status)
		charged++
		require.Equal(t, 1000-charged, a.remaining(), "the limit has counted each request that was admitted, and no other")
		require.Equal(t, "alice", a.header.Get("X-Caller"))
		judged[a.no] = true
	}
	connections := make([]*http.Client, workers) // the first is to the worker whose VM dies
	for i := range connections {
		connections[i] = connection(t)
		served(connections[i])
	}

	inFlight := s.hold(t, connections[0], policy, alice)
	charged += len(inFlight)
	s.stat(admittedCounter, counted+uint64(charged))

	// The gate has not judged the request that kills it.
	before := s.upstream.requests.Load()
	a := ask(connections[0], url, alice, fault, "trap@request headers")
	require.NoError(t, a.err)
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Empty(t, a.body)
	failed := []string{a.no}
	died := time.Now()

	// A stranger names a caller.
	a = ask(connections[0], url, "", "X-Gatehouse-User-Id", "mallory")
	require.NoError(t, a.err)
	if policy == "FAIL_OPEN" {
		require.Equal(t, http.StatusOK, a.status, "everybody is let in")
		require.Equal(t, "mallory", a.header.Get("X-Caller"), "as whoever they say they are")
	} else {
		require.Equal(t, before, s.upstream.requests.Load())
		if a.status == http.StatusUnauthorized && policy == "FAIL_RELOAD" {
			judged[a.no] = true // the old VM was old enough for a new one at once
		} else {
			require.Equal(t, http.StatusServiceUnavailable, a.status)
			failed = append(failed, a.no)
		}
	}
	for _, c := range connections[1:] {
		served(c) // the other workers have VMs of their own
	}

	// What was in flight in the VM fails at its next event, under each policy.
	s.upstream.release()
	for what, answers := range inFlight {
		a := <-answers
		failed = append(failed, a.no)
		if what == "stream" {
			assert.Equal(t, http.StatusOK, a.status)
			assert.Error(t, a.err, "the response is cut off")
			assert.Equal(t, "begin ", a.body)
			continue
		}
		assert.NoError(t, a.err, what)
		assert.Equal(t, http.StatusServiceUnavailable, a.status, what)
	}

	switch policy {
	case "FAIL_RELOAD":
		more, first := returns(t, connections[0], url, died)
		failed, judged[first] = append(failed, more...), true
		served(connections[0])
	case "FAIL_CLOSED":
		time.Sleep(time.Until(died.Add(reloadsWithin + time.Second)))
		a := ask(connections[0], url, alice)
		require.Equal(t, http.StatusServiceUnavailable, a.status, "it stays down")
		failed = append(failed, a.no)
	case "FAIL_OPEN":
		time.Sleep(time.Until(died.Add(reloadsWithin + time.Second)))
		a := ask(connections[0], url, "", "X-Gatehouse-User-Id", "mallory")
		require.Equal(t, http.StatusOK, a.status, "it stays open")
		require.Equal(t, "mallory", a.header.Get("X-Caller"))
	}
	for _, c := range connections[1:] {
		served(c)
	}

	s.stat(admittedCounter, counted+uint64(charged))
	audited := func() map[string]bool {
		out := map[string]bool{}
		for _, e := range events(t, s.auditLog(policy)) {
			require.False(t, out[e.Metadata.No], "an event twice")
			out[e.Metadata.No] = true
		}
		return out
	}
	require.Eventually(t, func() bool { return len(audited()) >= len(judged) }, patience, 20*time.Millisecond)
	assert.Equal(t, judged, audited(), "one event for each request that a gate judged and saw end, and no other")
	v := verify(t, s.auditLog(policy))
	assert.True(t, v.OK)
	streams := workers
	if policy == "FAIL_RELOAD" {
		streams++
	}
	assert.Len(t, v.Streams, streams, "a new VM begins a new stream")
	require.Eventually(t, func() bool {
		log := accesses(t, s.accessLog(policy))
		for _, no := range failed {
			if log[no] == "" {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond)
	for _, no := range failed {
		assert.Contains(t, accesses(t, s.accessLog(policy))[no], " wasm_fail_stream", "Envoy's own log tells them")
	}
}

// returns asks until the gate judges again: a request with a bad token gets 401. It returns the
// numbers of those that got 503, and of the first that was judged.
func returns(t *testing.T, c *http.Client, url string, died time.Time) (failed []string, judged string) {
	t.Helper()
	for {
		a := ask(c, url, "garbage")
		require.NoError(t, a.err)
		if a.status == http.StatusUnauthorized {
			t.Logf("the gate judged again %s after its VM had died", time.Since(died).Round(time.Millisecond))
			return failed, a.no
		}
		require.Equal(t, http.StatusServiceUnavailable, a.status)
		require.Less(t, time.Since(died), patience)
		failed = append(failed, a.no)
		time.Sleep(20 * time.Millisecond)
	}
}

// hold has requests in flight: one that waits for the upstream, one whose response has begun, one
// whose body isn't complete.
func (s *scene) hold(t *testing.T, c *http.Client, listener, token string) map[string]chan answer {
	t.Helper()
	out := map[string]chan answer{"held": make(chan answer, 1), "stream": make(chan answer, 1), "upload": make(chan answer, 1)}
	before, waiting := s.upstream.requests.Load(), s.upstream.waiting.Load()
	for _, what := range []string{"held", "stream"} {
		go func() { out[what] <- ask(c, s.URL(listener, "/"+what), token) }()
	}
	body, rest := io.Pipe()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL(listener, "/x"), body)
		if err != nil {
			out["upload"] <- answer{err: err}
			return
		}
		no := strconv.FormatInt(numbers.Add(1), 10)
		request.Header.Set("X-No", no)
		request.Header.Set("Authorization", "Bearer "+token)
		a := do(c, request)
		a.no = no
		out["upload"] <- a
	}()
	_, err := rest.Write([]byte("half"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return s.upstream.requests.Load() == before+3 && s.upstream.waiting.Load() == waiting+2
	}, patience, 5*time.Millisecond)
	s.upstream.mu.Lock()
	released := s.upstream.released
	s.upstream.mu.Unlock()
	go func() { // the rest of the body comes when the others go on
		<-released
		_, _ = rest.Write([]byte(" and half"))
		_ = rest.Close()
	}()
	return out
}

// TestEachWayAndPlaceToDie kills a VM in several ways at several places of a request.
func TestEachWayAndPlaceToDie(t *testing.T) {
	t.Parallel()
	kinds := []string{"fatal", "stack"}
	if long() {
		kinds = append(kinds, "memory") // as much as Envoy gives a VM: 1 GiB
	}
	const gate = "FAIL_RELOAD"
	s := startMortal(t, 1, gate)
	c, alice, url := connection(t), s.token("alice"), s.URL(gate, "/x")
	charged := 0
	served := func(why string) {
		t.Helper()
		a := ask(c, url, alice)
		require.NoError(t, a.err)
		require.Equal(t, http.StatusOK, a.status)
		charged++
		require.Equal(t, 1000-charged, a.remaining(), why)
	}
	faults := []struct {
		fault  string
		status int // what the client gets
		charge int // what the limit counts
	}{
		{"trap@request headers", 503, 0},
		{"trap@after request headers", 503, 1}, // admitted, but never sent on
		{"trap@response headers", 503, 1},
		{"trap@after response headers", 503, 1},
		{"trap@done", 200, 1}, // the client has its answer; the event is lost
		{"trap@after done", 200, 1},
		{"trap@tick", 200, 1},
	}
	for _, kind := range kinds {
		faults = append(faults, struct {
			fault          string
			status, charge int
		}{kind + "@request headers", 503, 0})
	}
	for _, f := range faults {
		served("before " + f.fault)
		from := len(s.Log.Lines())
		a := ask(c, url, alice, fault, f.fault)
		require.NoError(t, a.err, f.fault)
		require.Equal(t, f.status, a.status, f.fault)
		charged += f.charge
		died := time.Now()
		if f.fault == "trap@tick" {
			s.logged(from, "proxy_on_tick failed")
		}
		returns(t, c, url, died)
		served("after " + f.fault)
	}
	assert.True(t, verify(t, s.auditLog(gate)).OK)
	for _, e := range events(t, s.auditLog(gate)) {
		assert.NotEmpty(t, e.Metadata.ID)
	}
}
