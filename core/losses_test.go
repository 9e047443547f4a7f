package core_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/core/audit"
	"gatehouse/core/clock"
)

const chainedAudit = `"audit":{"chain":{"key_id":"k1","hmac_key":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},"max_field_bytes":16}`

// lines are the audit lines of one admitted request.
func (g *gate) lines() (lines [][]byte) {
	g.decide("GET /x", "")
	g.Finish(&g.decision, core.Outcome{Status: 200, Details: "via_upstream"}, func(line []byte) {
		lines = append(lines, append([]byte(nil), line...))
	})
	return lines
}

func TestEveryLineIsChainedToTheOneBefore(t *testing.T) {
	g := open(t, `"routes":[{"path":"/**","auth":"none"}],`+chainedAudit)
	_, ok := g.AuditHead()
	assert.False(t, ok)
	mac := audit.NewMAC([]byte("0123456789abcdef0123456789abcdef"))
	var prev [audit.MACBytes]byte
	for seq := range 5 {
		lines := g.lines()
		require.Len(t, lines, 1)
		link, signed, err := audit.ParseLink(lines[0])
		require.NoError(t, err)
		assert.Equal(t, "k1 0000000000000abc", string(link.KeyID)+" "+string(link.Stream))
		assert.Equal(t, uint64(seq), link.Seq)
		assert.Equal(t, prev, link.Prev)
		assert.Equal(t, mac.Sum(prev[:], signed), link.MAC[:])
		prev = link.MAC
		head, ok := g.AuditHead()
		assert.True(t, ok)
		assert.Equal(t, audit.Head{KeyID: "k1", Stream: "0000000000000abc", Seq: uint64(seq), MAC: prev}, head)
	}
}

func TestLinesWithoutAChainHaveNone(t *testing.T) {
	g := open(t, `"routes":[{"path":"/**","auth":"none"}]`)
	lines := g.lines()
	require.Len(t, lines, 1)
	assert.NotContains(t, string(lines[0]), "chain")
	_, ok := g.AuditHead()
	assert.False(t, ok)
}

func TestLostLinesAreCountedAndTold(t *testing.T) {
	g := open(t, `"routes":[{"path":"/**","auth":"none"}],`+chainedAudit)
	var all [][]byte
	for range 6 {
		all = append(all, g.lines()...)
	}
	assert.False(t, g.AuditGaps())
	for _, i := range []int{1, 2, 4} {
		g.AuditLost(all[i])
	}
	assert.True(t, g.AuditGaps())
	var gaps []string
	g.WriteGaps(clock.Wall(wall.UnixNano()), func(line []byte) {
		gap, ok := audit.ParseGap(line)
		require.True(t, ok, "%s", line)
		link, _, err := audit.ParseLink(line)
		require.NoError(t, err)
		assert.Equal(t, uint64(6+len(gaps)), link.Seq)
		gaps = append(gaps, string(line))
		assert.Contains(t, []audit.Gap{
			{Dropped: 2, Chained: true, From: 1, To: 2, ToMAC: gap.ToMAC}, {Dropped: 1, Chained: true, From: 4, To: 4, ToMAC: gap.ToMAC},
		}, gap)
	})
	require.Len(t, gaps, 2)
	assert.False(t, g.AuditGaps())
	var event struct {
		Timestamp string
		Type      string `json:"event_type"`
		Metadata  struct {
			EventID string `json:"event_id"`
			From    int    `json:"from_seq"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(gaps[1]), &event))
	assert.Equal(t, "2026-03-01T12:00:00.000000Z audit_gap", event.Timestamp+" "+event.Type)
	assert.NotEmpty(t, event.Metadata.EventID)
	assert.Equal(t, 4, event.Metadata.From)
	counts := g.counts()
	assert.Equal(t, uint64(3), counts["gatehouse_audit_dropped_total"])
	assert.Equal(t, uint64(2), counts[`gatehouse_audit_events_total.event_type.audit_gap`], "%v", counts)
}

// TestGapsThatAreLostThemselvesAreToldLater has a sink that takes nothing at all.
func TestGapsThatAreLostThemselvesAreToldLater(t *testing.T) {
	g := open(t, `"routes":[{"path":"/**","auth":"none"}],`+chainedAudit)
	g.AuditLost(g.lines()[0])
	tries := 0
	g.WriteGaps(1, func(line []byte) {
		tries++
		g.AuditLost(bytes.Clone(line))
	})
	assert.Equal(t, 1, tries, "one attempt for each gap")
	var told []audit.Gap
	g.WriteGaps(1, func(line []byte) {
		gap, _ := audit.ParseGap(line)
		told = append(told, gap)
	})
	require.Len(t, told, 1)
	assert.Equal(t, []uint64{2, 0, 1}, []uint64{told[0].Dropped, told[0].From, told[0].To}, "the event and the first audit_gap")
}

func TestALongStreamHasAnEventAtItsAdmission(t *testing.T) {
	g := open(t, `"routes":[{"path":"/stream","audit":"open"},{"path":"/health","audit":"open"},{"path":"/**"}]`)
	token := main(t).mint(t, nil)
	opened := func(line, token string) (events []map[string]any) {
		g.decide(line, token)
		g.Opened(&g.decision, func(line []byte) {
			var e map[string]any
			require.NoError(t, json.Unmarshal(line, &e))
			events = append(events, e)
		})
		return events
	}
	assert.Empty(t, opened("GET /other", token), "another route")
	assert.Empty(t, opened("GET /stream", ""), "refused")
	assert.Empty(t, opened("GET /health", token), "an excluded path")
	events := opened("GET /stream", token)
	require.Len(t, events, 1)
	open := events[0]
	assert.Equal(t, "auth_success", open["event_type"])
	assert.Equal(t, "alice", open["user_id"])
	assert.Nil(t, open["status_code"])
	metadata, ok := open["metadata"].(map[string]any)
	require.True(t, ok)
	assert.Equal(t, "open", metadata["phase"])
	assert.Nil(t, metadata["duration_ms"])
	assert.NotContains(t, metadata, "open_event_id")

	ends := g.finish(core.Outcome{Status: 200, Details: "via_upstream"})
	require.Len(t, ends, 1)
	end, ok := ends[0]["metadata"].(map[string]any)
	require.True(t, ok)
	assert.Equal(t, metadata["event_id"], end["open_event_id"])
	assert.NotEqual(t, metadata["event_id"], end["event_id"])
	assert.NotContains(t, end, "phase")
}
