package callouts_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/e2e/envoytest"
)

const (
	queueEvents = 100 // of each of two workers
	sent        = 600 // requests during a fault: more than both queues hold
)

// inbox is a receiver of audit events that works.
type inbox struct {
	mu      sync.Mutex
	ids     map[string]bool // of requests' events
	gaps    map[string]bool // of audit_gap events
	dropped uint64          // that these tell
}

// ServeHTTP implements http.Handler.
func (i *inbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for line := range strings.Lines(string(body)) {
		var e envoytest.Event
		if json.Unmarshal([]byte(line), &e) != nil {
			continue
		}
		if e.Type != "audit_gap" {
			i.ids[e.Metadata.EventID] = true
		} else if !i.gaps[e.Metadata.EventID] { // a batch whose answer came too late comes again
			i.gaps[e.Metadata.EventID] = true
			i.dropped += e.Metadata.Dropped
		}
	}
}

// accounted returns the events of requests that came, and those that were said to be lost.
func (i *inbox) accounted() (events int, dropped uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.ids), i.dropped
}

var sinkFaults = map[string]http.HandlerFunc{
	"sink_silent": silent, "sink_trickle": trickle, "sink_endless": endless, "sink_cut": cut, "sink_cut_within": cutWithin, "sink_not_http": notHTTP,
	"sink_redirect": answering(307, "", "Location", "/elsewhere"), "sink_unauthorized": answering(401, ""),
	"sink_too_many": answering(429, "", "Retry-After", "3600"), "sink_error": answering(500, "oops"),
	"sink_too_large": answering(413, ""),
}

// TestAReceiverOfEventsThatFails has a gate for each fault. More events come than its queues hold;
// requests don't notice. Once the receiver works each event has come, or its loss is told.
func TestAReceiverOfEventsThatFails(t *testing.T) {
	servers, inboxes := map[string]*faulty{}, map[string]*inbox{}
	var edits []envoy.Edit
	for name, fault := range sinkFaults {
		inboxes[name] = &inbox{ids: map[string]bool{}, gaps: map[string]bool{}}
		servers[name] = startFaulty(t, fault, inboxes[name].ServeHTTP)
		edits = append(edits, envoy.CopyListener("gate", name), envoy.AddCluster("{name: to_"+name+"}"),
			envoy.Endpoint("to_"+name, servers[name].address()),
			envoy.PluginConfig(name, fmt.Sprintf(`{"routes": [{"path": "/**", "auth": "none"}], "audit": {"log": "none", "access_log": false,
				"http": {"cluster": "to_%s", "path": "/in", "batch_events": 20, "queue_events": %d, "timeout_seconds": 1}}}`, name, queueEvents)))
	}
	g := envoytest.Start(t, `{"routes": [{"path": "/**", "auth": "none"}]}`, append(edits, answerDirectly)...)
	before, err := g.RSS()
	require.NoError(t, err)
	var all sync.WaitGroup
	for name := range sinkFaults {
		all.Go(func() {
			t.Run(name, func(t *testing.T) {
				for range sent / 20 {
					w := envoytest.Dial(t, g.Address(name))
					for range 20 {
						w.Send(t, "GET /x HTTP/1.1\nHost: a")
						require.Equal(t, "200", w.Receive(http.MethodGet).Outcome(), "requests don't notice")
					}
					_ = w.Close()
				}
				require.Eventually(t, func() bool { return servers[name].requests.Load() >= 2 }, envoytest.Patience, 50*time.Millisecond)
				servers[name].broken.Store(false)
				// A worker tells its losses when half of its queue is free, and that needs no
				// further request.
				require.Eventually(t, func() bool {
					events, dropped := inboxes[name].accounted()
					return events+int(dropped) >= sent
				}, 2*envoytest.Patience, 100*time.Millisecond, "each event has come or is told as lost")
				events, dropped := inboxes[name].accounted()
				if name == "sink_cut" || name == "sink_error" {
					assert.NotZero(t, dropped, "the queue is bounded")
				}
				assert.Equal(t, sent, events+int(dropped), "%d came, %d lost", events, dropped)
				assert.LessOrEqual(t, events, sent)
			})
		})
	}
	all.Wait()
	grown, err := g.RSS()
	require.NoError(t, err)
	t.Logf("%d MB more", (grown-before)>>20)
	assert.Less(t, grown-before, int64(256<<20))
}
