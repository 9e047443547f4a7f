package plugin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/filter/internal/plugin"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/proxy/proxytest"
)

const delivered = `{"routes": [{"path": "/**", "auth": "none"}],
	"audit": {"log": "none", "access_log": false, "http": {"cluster": "logs", "path": "/in", "batch_events": 5, "queue_events": 10},
		"chain": {"key_id": "k", "hmac_key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}}}`

// chained is a line as a receiver reads it.
type chained struct {
	Type  string `json:"event_type"`
	Meta  gap    `json:"metadata"`
	Chain struct {
		KeyID string `json:"key_id"`
		Seq   uint64
	}
}

type gap struct {
	EventID string `json:"event_id"`
	Dropped uint64
	From    *uint64 `json:"from_seq"`
	To      *uint64 `json:"to_seq"`
}

// admitted plays an admitted request.
func admitted(t *testing.T, px *proxytest.Proxy, p proxy.Plugin) {
	t.Helper()
	s := px.Open(streamID, proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: "/orders"},
		proxytest.Header{Name: ":authority", Value: "api.example"})
	x := p.NewStream(streamID)
	require.Equal(t, proxy.Continue, x.RequestHeaders())
	s.Properties["response\x00code"] = []byte{200, 0, 0, 0, 0, 0, 0, 0}
	x.Done()
}

// TestEachEventIsDeliveredOrItsLossIsToldInTheStream has a receiver that is away for a while.
func TestEachEventIsDeliveredOrItsLossIsToldInTheStream(t *testing.T) {
	px, p := start(t, delivered)
	var lines []chained
	tickAndAnswer := func(status string) {
		tick(px, p, 31)
		for len(px.Pending) > 0 {
			c := px.Pending[0]
			if status == "200" {
				for line := range strings.SplitSeq(strings.TrimSuffix(string(c.Body), "\n"), "\n") {
					var l chained
					require.NoError(t, json.Unmarshal([]byte(line), &l))
					lines = append(lines, l)
				}
			}
			c.End(&proxytest.Answer{Headers: []proxytest.Header{{Name: ":status", Value: status}}})
		}
	}
	requests, phases := 0, []string{"200", "503", "503", "200", "200", "503", "200", "200", "200"}
	for i, status := range phases {
		for range 7 * (i + 1) {
			admitted(t, px, p)
			requests++
		}
		tickAndAnswer(status)
		assert.LessOrEqual(t, px.Metrics["gatehouse_audit_queue_events"], int64(10))
	}
	tickAndAnswer("200")
	tickAndAnswer("200")

	events, dropped, next, ids := 0, uint64(0), uint64(0), map[string]bool{}
	for _, l := range lines {
		assert.False(t, ids[l.Meta.EventID], "no event twice")
		ids[l.Meta.EventID] = true
		if l.Type == "audit_gap" {
			require.NotNil(t, l.Meta.From)
			assert.Equal(t, next, *l.Meta.From, "the gap begins where the stream broke off")
			assert.Equal(t, *l.Meta.To-*l.Meta.From+1, l.Meta.Dropped)
			dropped += l.Meta.Dropped
			next = *l.Meta.To + 1
		} else {
			events++
		}
		assert.Equal(t, next, l.Chain.Seq)
		next++
	}
	assert.Greater(t, dropped, uint64(50))
	assert.Equal(t, requests, events+int(dropped), "each event is there or its loss is told")
	assert.EqualValues(t, dropped, px.Metrics["gatehouse_audit_dropped_total"])
	assert.Zero(t, px.Metrics["gatehouse_audit_queue_events"])
}

func TestAnInstanceThatStopsWaitsForItsLastEvents(t *testing.T) {
	px, p := start(t, delivered)
	for range 8 {
		admitted(t, px, p)
	}
	assert.False(t, p.Stop())
	got := 0
	for len(px.Pending) > 0 {
		assert.Zero(t, px.Ended)
		c := px.Pending[0]
		got += strings.Count(string(c.Body), "\n")
		c.End(&proxytest.Answer{Headers: []proxytest.Header{{Name: ":status", Value: "200"}}})
	}
	assert.Equal(t, 8, got)
	assert.Equal(t, 1, px.Ended)
	assert.True(t, p.Stop(), "nothing is left")

	px, p = start(t, delivered)
	admitted(t, px, p)
	assert.False(t, p.Stop())
	px.Pending[0].End(nil)
	assert.Equal(t, 1, px.Ended, "an instance doesn't wait for a receiver that fails")
	assert.EqualValues(t, 1, px.Metrics["gatehouse_audit_dropped_total"])
	assert.Zero(t, px.Metrics["gatehouse_audit_queue_events"])
}

// TestARequestOnlyAppends holds that no request waits for the receiver, or calls the proxy for it.
func TestARequestOnlyAppends(t *testing.T) {
	recorded := strings.Replace(delivered, `"access_log": false`, `"access_log": true`, 1)
	px, p := start(t, recorded)
	without, q := start(t, strings.Replace(recorded, `"http": {"cluster": "logs", "path": "/in", "batch_events": 5, "queue_events": 10},`, "", 1))
	px.Calls, without.Calls = nil, nil
	admitted(t, px, p)
	admitted(t, without, q)
	assert.Equal(t, without.Calls, px.Calls)
}

// TestTheAccessLogHasEveryLineOfTheChain has a receiver that loses events. Their audit_gap is
// written between two streams, and comes with the next one's events.
func TestTheAccessLogHasEveryLineOfTheChain(t *testing.T) {
	px, p := start(t, strings.Replace(delivered, `"access_log": false`, `"access_log": true`, 1))
	next, gaps := uint64(0), 0
	for round := range 6 {
		for range 15 {
			s := px.Open(streamID, proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: "/orders"},
				proxytest.Header{Name: ":authority", Value: "api.example"})
			x := p.NewStream(streamID)
			require.Equal(t, proxy.Continue, x.RequestHeaders())
			x.Done()
			for line := range strings.SplitSeq(s.FilterState["wasm.gatehouse_audit"]+s.FilterState["gatehouse_audit"], "\n") {
				var l chained
				require.NoError(t, json.Unmarshal([]byte(line), &l), "%q", line)
				assert.Equal(t, next, l.Chain.Seq)
				next++
				if l.Type == "audit_gap" {
					gaps++
				}
			}
		}
		tick(px, p, 31)
		for len(px.Pending) > 0 {
			px.Pending[0].End(&proxytest.Answer{Headers: []proxytest.Header{{Name: ":status", Value: []string{"200", "503"}[round%2]}}})
		}
	}
	assert.Positive(t, gaps)
}

// receive answers all that is under way with 200 and returns the lines.
func receive(t *testing.T, px *proxytest.Proxy) (lines []chained) {
	t.Helper()
	for len(px.Pending) > 0 {
		c := px.Pending[0]
		for line := range strings.SplitSeq(strings.TrimSuffix(string(c.Body), "\n"), "\n") {
			var l chained
			require.NoError(t, json.Unmarshal([]byte(line), &l))
			lines = append(lines, l)
		}
		c.End(&proxytest.Answer{Headers: []proxytest.Header{{Name: ":status", Value: "200"}}})
	}
	return lines
}

func TestAnInstanceThatStopsWithAFullQueueSaysWhatWasLost(t *testing.T) {
	px, p := start(t, delivered)
	for range 30 {
		admitted(t, px, p)
	}
	assert.False(t, p.Stop())
	lines := receive(t, px)
	assert.Equal(t, 1, px.Ended)
	require.Len(t, lines, 11)
	assert.Equal(t, "audit_gap", lines[10].Type)
	assert.EqualValues(t, 20, lines[10].Meta.Dropped)
	assert.EqualValues(t, 20, px.Metrics["gatehouse_audit_dropped_total"])
}

// TestAnUpdateLosesNoEvents has a receiver that takes nothing when an update replaces an instance.
func TestAnUpdateLosesNoEvents(t *testing.T) {
	for name, test := range map[string]struct {
		old, heir int    // requests
		config    string // the heir's
		received  int    // lines that the heir delivers
		dropped   uint64 // events that it says are lost
	}{
		"all find room":          {8, 2, delivered, 10, 0},
		"some find none":         {8, 7, delivered, 11, 5},
		"the old queue was full": {30, 0, delivered, 11, 20},
		"another receiver":       {8, 2, strings.Replace(delivered, "/in", "/elsewhere", 1), 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			px := proxytest.New()
			vm := plugin.NewVM()
			old, heir := vm.New(px, pluginID), vm.New(px, pluginID+1)
			require.True(t, old.Start([]byte(delivered)), px.Logs)
			for range test.old {
				admitted(t, px, old)
			}
			require.True(t, heir.Start([]byte(test.config)), px.Logs)
			for range test.heir {
				admitted(t, px, heir)
			}
			if done := old.Stop(); !done {
				require.Equal(t, "another receiver", name)
				require.Len(t, receive(t, px), test.old)
			}
			require.Empty(t, px.Pending)
			var lines []chained
			for range 10 {
				tick(px, heir, 31)
				lines = append(lines, receive(t, px)...)
			}
			assert.Len(t, lines, test.received)
			dropped := uint64(0)
			for _, l := range lines {
				dropped += l.Meta.Dropped
			}
			assert.Equal(t, test.dropped, dropped)
			assert.EqualValues(t, test.dropped, px.Metrics["gatehouse_audit_dropped_total"])
			assert.Zero(t, px.Metrics["gatehouse_audit_queue_events"])
		})
	}
}

// TestAWithdrawnUpdateLeavesTheHeirInPlace stops the newest instance before the one that drains.
func TestAWithdrawnUpdateLeavesTheHeirInPlace(t *testing.T) {
	px, vm := proxytest.New(), plugin.NewVM()
	var instances []proxy.Plugin
	for i := range 3 {
		p := vm.New(px, pluginID+uint32(i))
		require.True(t, p.Start([]byte(delivered)), px.Logs)
		instances = append(instances, p)
	}
	drains, heir, withdrawn := instances[0], instances[1], instances[2]
	for range 8 {
		admitted(t, px, drains)
	}
	assert.True(t, withdrawn.Stop())
	assert.True(t, drains.Stop())
	require.Empty(t, px.Pending, "nothing is sent at the end that the heir can send")
	tick(px, heir, 31)
	lines := receive(t, px)
	tick(px, heir, 31)
	assert.Len(t, append(lines, receive(t, px)...), 8)
	assert.Zero(t, px.Metrics["gatehouse_audit_dropped_total"])
}

// TestUpdatesWhileTheReceiverFailsLeaveNoStreamWithoutItsEnd has each instance take over full
// queues from those before it. The access log has each line of each stream, and the receiver each
// line or an audit_gap of the same stream for it.
func TestUpdatesWhileTheReceiverFailsLeaveNoStreamWithoutItsEnd(t *testing.T) {
	px, vm := proxytest.New(), plugin.NewVM()
	logged, received := map[string][]chained{}, map[string][]chained{}
	read := func(to map[string][]chained, lines string) {
		for line := range strings.SplitSeq(strings.TrimSuffix(lines, "\n"), "\n") {
			var l chained
			require.NoError(t, json.Unmarshal([]byte(line), &l), "%q", line)
			to[l.Chain.KeyID] = append(to[l.Chain.KeyID], l)
		}
	}
	requests := func(p proxy.Plugin, n int) {
		for range n {
			admitted(t, px, p)
			read(logged, px.Streams[streamID].FilterState["gatehouse_audit"])
		}
	}
	fail := func() {
		for len(px.Pending) > 0 {
			px.Pending[0].End(&proxytest.Answer{Headers: []proxytest.Header{{Name: ":status", Value: "503"}}})
		}
	}
	var last proxy.Plugin
	keys := []string{"a", "b", "c", "d"}
	for i, key := range keys {
		config := strings.NewReplacer(`"access_log": false`, `"access_log": true`, `"key_id": "k"`, `"key_id": "`+key+`"`).Replace(delivered)
		next := vm.New(px, pluginID+uint32(i))
		require.True(t, next.Start([]byte(config)), px.Logs)
		if last != nil {
			requests(last, 2)
			last.Stop()
			fail()
		}
		requests(next, 12)
		tick(px, next, 31)
		fail()
		last = next
	}
	for range 10 {
		tick(px, last, 31)
		for len(px.Pending) > 0 {
			c := px.Pending[0]
			read(received, string(c.Body))
			c.End(&proxytest.Answer{Headers: []proxytest.Header{{Name: ":status", Value: "200"}}})
		}
		requests(last, 1)
	}
	tick(px, last, 31)
	read(received, string(px.Pending[0].Body))

	dropped, gaps := uint64(0), 0
	for _, key := range keys {
		for i, l := range logged[key] {
			require.EqualValues(t, i, l.Chain.Seq, "the access log's stream %s", key)
		}
		once := make([]int, len(logged[key]))
		for _, l := range received[key] {
			require.Less(t, int(l.Chain.Seq), len(once), "the access log has the end of stream %s", key)
			once[l.Chain.Seq]++
			if l.Type == "audit_gap" {
				gaps++
				dropped += l.Meta.Dropped
				for seq := *l.Meta.From; seq <= *l.Meta.To; seq++ {
					once[seq]++
				}
			}
		}
		for seq, times := range once {
			assert.Equal(t, 1, times, "stream %s, line %d is delivered or told to be lost", key, seq)
		}
	}
	assert.GreaterOrEqual(t, gaps, len(keys))
	assert.EqualValues(t, dropped, px.Metrics["gatehouse_audit_dropped_total"])
}
