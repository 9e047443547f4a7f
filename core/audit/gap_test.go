package audit_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/audit"
)

// stream writes chained lines.
type stream struct{ *audit.Chain }

func newStream(name string) stream { return stream{audit.NewChain("k", chainKey, name)} }

func (s stream) line() []byte {
	e := full()
	return s.Append(e.AppendJSON(nil, 0))
}

func (s stream) tell(gap audit.Gap) []byte {
	var e audit.Event
	gap.Event(&e)
	return s.Append(e.AppendJSON(nil, 256))
}

func take(l *audit.Losses) (gaps []audit.Gap) {
	for {
		gap, ok := l.Take()
		if !ok {
			return gaps
		}
		gaps = append(gaps, gap)
	}
}

func TestAnAuditGapIsThisLine(t *testing.T) {
	var e audit.Event
	gap := audit.Gap{Dropped: 3, Chained: true, From: 7, To: 9}
	gap.Event(&e)
	assert.Equal(t, `{"timestamp":"1970-01-01T00:00:00.000000Z","event_type":"audit_gap","user_id":null,"client_id":null,`+
		`"is_m2m":false,"path":null,"method":null,"status_code":null,"ip_address":null,"user_agent":null,`+
		`"metadata":{"event_id":null,"reason":null,"route":null,"rule":null,"caller":null,"issuer":null,"m2m_evidence":null,`+
		`"duration_ms":null,"request_id":null,"dropped":3,"from_seq":7,"to_seq":9,`+
		`"to_mac":"0000000000000000000000000000000000000000000000000000000000000000"}}`, string(e.AppendJSON(nil, 256)))
	gap = audit.Gap{Dropped: 4}
	gap.Event(&e)
	assert.Contains(t, string(e.AppendJSON(nil, 256)), `"dropped":4,"from_seq":null,"to_seq":null,"to_mac":null}}`)
}

func TestAGapIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap := audit.Gap{Dropped: rapid.Uint64Max(1<<53-1).Draw(t, "dropped"), Chained: rapid.Bool().Draw(t, "chained")}
		if gap.Chained {
			gap.From = rapid.Uint64Max(1<<53-1).Draw(t, "from")
			gap.To = rapid.Uint64Range(gap.From, 1<<53-1).Draw(t, "to")
			copy(gap.ToMAC[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "mac"))
		}
		var e audit.Event
		gap.Event(&e)
		for _, line := range [][]byte{e.AppendJSON(nil, 256), newStream("s").tell(gap)} {
			got, ok := audit.ParseGap(line)
			require.True(t, ok)
			assert.Equal(t, gap, got)
		}
	})
	_, ok := audit.ParseGap(newStream("s").line())
	assert.False(t, ok, "another event")
	custom := audit.Event{Type: audit.TypeCustom, Custom: "x", UserAgent: `"event_type":"audit_gap"`}
	_, ok = audit.ParseGap(custom.AppendJSON(nil, 0))
	assert.False(t, ok, "an upstream's event")
}

func TestLossesThatFollowEachOtherAreOneGap(t *testing.T) {
	s := newStream("s")
	var lines [][]byte
	for range 10 {
		lines = append(lines, s.line())
	}
	var l audit.Losses
	assert.False(t, l.Pending())
	for _, i := range []int{2, 3, 4, 7} {
		l.Add(lines[i])
	}
	assert.True(t, l.Pending())
	gaps := take(&l)
	require.Len(t, gaps, 2)
	link, _, err := audit.ParseLink(lines[4])
	require.NoError(t, err)
	assert.Equal(t, audit.Gap{Dropped: 3, Chained: true, From: 2, To: 4, ToMAC: link.MAC}, gaps[0])
	assert.Equal(t, [3]uint64{1, 7, 7}, [3]uint64{gaps[1].Dropped, gaps[1].From, gaps[1].To})
	assert.False(t, l.Pending())
}

func TestALostAuditGapIsToldAgain(t *testing.T) {
	s := newStream("s")
	var l audit.Losses
	l.Add(s.line()) // 0
	gap, _ := l.Take()
	l.Add(s.tell(gap)) // 1: the line that tells it is lost too
	gaps := take(&l)
	require.Len(t, gaps, 1)
	assert.Equal(t, [3]uint64{2, 0, 1}, [3]uint64{gaps[0].Dropped, gaps[0].From, gaps[0].To})
}

func TestLossesWithoutAChainAreCounted(t *testing.T) {
	var l audit.Losses
	e := full()
	for range 5 {
		l.Add(e.AppendJSON(nil, 0))
	}
	assert.Equal(t, []audit.Gap{{Dropped: 5}}, take(&l))
}

func TestLossesAreBoundedAndStillCoverEveryLine(t *testing.T) {
	s := newStream("s")
	var l audit.Losses
	for range 1000 {
		l.Add(s.line())
		s.line() // this one arrives
	}
	gaps := take(&l)
	assert.Len(t, gaps, 64)
	dropped := uint64(0)
	for _, g := range gaps {
		dropped += g.Dropped
	}
	assert.Equal(t, uint64(1000), dropped)
	assert.Equal(t, uint64(1998), gaps[63].To)
}
