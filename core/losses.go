package core

import (
	"gatehouse/core/audit"
	"gatehouse/core/clock"
)

// minGapFieldBytes is enough for every member of an audit_gap, which must never be cut.
const minGapFieldBytes = 256

// AuditLost records that a sink lost a line that Finish or WriteGaps had written. It is counted at
// once; WriteGaps tells the readers of the audit log.
func (g *Gate) AuditLost(line []byte) {
	g.Count(g.metrics.AuditDropped(), 1)
	g.losses.Add(line)
}

// AuditGaps reports whether AuditLost recorded losses that WriteGaps has not told yet.
func (g *Gate) AuditGaps() bool { return g.losses.Pending() }

// WriteGaps writes an audit_gap event for each range of lines that AuditLost recorded, chained like
// any other event. Call it when the sink has room again, and from where all sinks can be
// written: a sink that misses the audit_gap has a gap of its own.
// write gets each line, without newline; it must not keep it. What is lost meanwhile, such a line
// among others, waits for the next call.
func (g *Gate) WriteGaps(wall clock.Wall, write func(line []byte)) {
	var d Decision
	for n := g.losses.Len(); n > 0; n-- {
		gap, ok := g.losses.Take()
		if !ok {
			return
		}
		e := &audit.Event{Timestamp: wall}
		gap.Event(e)
		e.Meta.EventID = g.newEventID(&d)
		g.writeEvent(e, max(g.cfg.Audit.MaxFieldBytes, minGapFieldBytes), write)
	}
}

// AuditHead returns the head of this worker's stream of chained audit lines. ok is false if lines
// aren't chained, or none was written yet.
func (g *Gate) AuditHead() (head audit.Head, ok bool) {
	if g.chain == nil {
		return audit.Head{}, false
	}
	return g.chain.Head()
}
