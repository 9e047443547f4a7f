package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// auditReceiver takes batches of audit events, and fails as it is told.
type auditReceiver struct {
	mode atomic.Int32 // of a request: what becomes of it

	mu      sync.Mutex
	events  map[string]int // by event_id: how often it came
	dropped uint64         // that audit_gap events told
}

// What an auditReceiver does with a request.
const (
	takesBatches = iota
	answers500
	hangs
	closesEarly // stores the batch and closes the connection without an answer
)

func (r *auditReceiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	mode := r.mode.Load()
	if err == nil && (mode == takesBatches || mode == closesEarly) {
		r.store(body)
	}
	switch mode {
	case answers500:
		w.WriteHeader(http.StatusInternalServerError)
	case hangs:
		<-request.Context().Done()
	case closesEarly:
		panic(http.ErrAbortHandler)
	}
}

func (r *auditReceiver) store(body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(string(body)) {
		var e struct {
			Type     string `json:"event_type"`
			Metadata struct {
				EventID string `json:"event_id"`
				Dropped uint64
			}
		}
		if json.Unmarshal([]byte(line), &e) != nil || e.Metadata.EventID == "" {
			r.events["unreadable "+line]++
			continue
		}
		if e.Type == "audit_gap" && r.events[e.Metadata.EventID] == 0 {
			r.dropped += e.Metadata.Dropped
		} else if e.Type != "audit_gap" {
			r.events[e.Metadata.EventID]++
		}
	}
}

// told is how many events came, without repeats, and how many losses were told.
func (r *auditReceiver) told() (events int, dropped uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events), r.dropped
}

// TestEventsReachAReceiverBehindEnvoy has two workers deliver to a receiver that goes down, answers
// 500, hangs and closes early, and stops Envoy with events in the queue.
func TestEventsReachAReceiverBehindEnvoy(t *testing.T) {
	t.Parallel()
	receiver := &auditReceiver{events: map[string]int{}}
	server := httptest.NewServer(receiver)
	defer server.Close()
	upstream := startUpstream(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	patch := `{"routes": [{"path": "/**", "auth": "none"}], "tokens": null, "rate_limits": null,
		"audit": {"log": "none", "access_log": false, "http": {"cluster": "receiver", "path": "/in", "headers": {"authorization": "Bearer x"},
			"batch_events": 50, "queue_events": 10000, "timeout_seconds": 1}}}`
	p := envoy.StartForTest(t, options(t, envoy.Endpoint("upstream", upstream.Address()),
		envoy.AddCluster(strings.NewReplacer("NAME", "receiver", "PORT", port).Replace(staticCluster)), envoy.MergePluginConfig("gate", patch)))
	c := client()
	sent := 0
	send := func(n int) {
		t.Helper()
		for range n {
			require.Equal(t, http.StatusOK, get(c, p.Address("gate"), "/x", "").status)
			sent++
		}
	}
	for _, mode := range []int32{takesBatches, answers500, hangs, closesEarly} {
		receiver.mode.Store(mode)
		send(300)
		time.Sleep(1500 * time.Millisecond) // the receiver's own time: a batch fails, or several
	}
	receiver.mode.Store(takesBatches)
	require.Eventually(t, func() bool { events, _ := receiver.told(); return events == sent }, patience, 100*time.Millisecond,
		"all events arrive in the end")
	_, dropped := receiver.told()
	assert.Zero(t, dropped)

	send(40) // less than a batch: they wait in the queue
	require.NoError(t, p.Stop(), "an instance that waits for its last events ends all the same")
	events, _ := receiver.told()
	assert.GreaterOrEqual(t, events, sent-40)
	assert.LessOrEqual(t, events, sent)
}
