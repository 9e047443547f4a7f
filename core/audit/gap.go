package audit

import (
	"bytes"
	"encoding/hex"
	"strconv"
)

// Gap says that a sink lost events. The audit_gap event tells it to the sink's readers.
type Gap struct {
	Dropped uint64 // how many events were lost
	// Chained is true if the lost lines were chained: From and To are then the seq of the first and
	// of the last of them, and ToMAC is the last one's mac. So the audit_gap event, which is itself
	// chained, proves which line came after the gap.
	Chained  bool
	From, To uint64
	ToMAC    [MACBytes]byte
}

// maxGaps bounds the gaps that Losses keeps apart. Beyond it, the last gap grows.
const maxGaps = 64

// Losses collects what a sink lost until it can be told. The zero Losses is empty.
type Losses struct {
	gaps []Gap
}

// Add records that a sink lost a line. If the line is an audit_gap, its own gap must be told again.
func (l *Losses) Add(line []byte) {
	if gap, ok := ParseGap(line); ok {
		l.add(gap)
	}
	lost := Gap{Dropped: 1}
	if link, _, err := ParseLink(line); err == nil {
		lost.Chained, lost.From, lost.To, lost.ToMAC = true, link.Seq, link.Seq, link.MAC
	}
	l.add(lost)
}

func (l *Losses) add(gap Gap) {
	if n := len(l.gaps); n > 0 {
		last := &l.gaps[n-1]
		follows := last.Chained && gap.Chained && gap.From == last.To+1
		if n == maxGaps || follows || !last.Chained && !gap.Chained {
			last.merge(gap)
			return
		}
	}
	l.gaps = append(l.gaps, gap)
}

// merge makes g cover another gap too.
func (g *Gap) merge(other Gap) {
	g.Dropped += other.Dropped
	switch {
	case !other.Chained:
	case !g.Chained:
		g.Chained, g.From, g.To, g.ToMAC = true, other.From, other.To, other.ToMAC
	default:
		g.From = min(g.From, other.From)
		if other.To > g.To {
			g.To, g.ToMAC = other.To, other.ToMAC
		}
	}
}

// Pending reports whether there are losses to tell.
func (l *Losses) Pending() bool { return len(l.gaps) > 0 }

// Len is how many gaps there are to tell.
func (l *Losses) Len() int { return len(l.gaps) }

// Take returns the first gap and forgets it. ok is false if there is none.
func (l *Losses) Take() (gap Gap, ok bool) {
	if len(l.gaps) == 0 {
		return Gap{}, false
	}
	gap = l.gaps[0]
	l.gaps = append(l.gaps[:0], l.gaps[1:]...)
	return gap, true
}

// Event makes e the audit_gap event that tells a gap: its metadata has dropped, from_seq, to_seq
// and to_mac. The last three are null if the lost lines weren't chained.
func (g *Gap) Event(e *Event) {
	e.Type = TypeAuditGap
	from, to, mac := []byte("null"), []byte("null"), []byte("null")
	if g.Chained {
		from, to = strconv.AppendUint(nil, g.From, 10), strconv.AppendUint(nil, g.To, 10)
		mac = append(hex.AppendEncode([]byte{'"'}, g.ToMAC[:]), '"')
	}
	e.Meta.Extra = append(e.Meta.Extra[:0],
		Field{Name: "dropped", JSON: strconv.AppendUint(nil, g.Dropped, 10)},
		Field{Name: "from_seq", JSON: from}, Field{Name: "to_seq", JSON: to}, Field{Name: "to_mac", JSON: mac},
	)
}

var (
	gapStart = []byte(`"event_type":"audit_gap"`)
	gapTail  = []byte(`,"dropped":`)
)

// timestampBytes is the length of what precedes event_type in a line.
const timestampBytes = len(`{"timestamp":"2006-01-02T15:04:05.000000Z",`)

// ParseGap reads the gap that a line tells. ok is false if the line isn't an audit_gap as Gap.Event
// makes it. If the line is chained, ParseGap doesn't check its mac.
func ParseGap(line []byte) (gap Gap, ok bool) {
	if len(line) < timestampBytes || !bytes.HasPrefix(line[timestampBytes:], gapStart) {
		return Gap{}, false
	}
	if link := bytes.LastIndex(line, chainStart); link >= 0 {
		line = line[:link]
	}
	tail := bytes.LastIndex(line, gapTail)
	if tail < 0 {
		return Gap{}, false
	}
	p := linkParser{rest: line[tail+len(gapTail):], ok: true}
	gap.Dropped = p.number(`,"from_seq":`)
	if bytes.HasPrefix(p.rest, []byte("null")) {
		return gap, p.ok
	}
	gap.Chained = true
	gap.From = p.number(`,"to_seq":`)
	gap.To = p.number(`,"to_mac":"`)
	p.mac(&gap.ToMAC, `"`)
	return gap, p.ok && gap.From <= gap.To
}
