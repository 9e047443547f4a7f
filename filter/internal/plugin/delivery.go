package plugin

import (
	"gatehouse/core/clock"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/sink"
)

// deliver looks after the queue of audit events.
func (p *plugin) deliver(now clock.Mono) {
	if p.sink == nil {
		return
	}
	p.sink.Tick(now)
	p.countQueue()
}

// countQueue adds what this worker's queue grew by to the gauge, which is the sum of all workers'.
func (p *plugin) countQueue() {
	if grown := p.sink.Growth(); grown != 0 {
		p.metrics.grow(p.gate.Metrics().AuditQueue(), int64(grown))
	}
}

// Lost implements sink.Owner.
func (p *plugin) Lost(line []byte) { p.gate.AuditLost(line) }

// WriteGaps implements sink.Owner.
func (p *plugin) WriteGaps() { p.tellGaps() }

// tellGaps writes what was lost into the stream of events.
func (p *plugin) tellGaps() {
	if !p.gate.AuditGaps() {
		return
	}
	wall, err := p.proxy.Now()
	if err != nil {
		proxy.Log(p.proxy, proxy.Error, "lost audit events can't be told yet: "+err.Error())
		return
	}
	p.lines, p.events = p.lines[:0], 0
	p.gate.WriteGaps(wall, p.record)
	p.keepTold()
}

// heirSink is the sink of the instance that takes this one's queue over; nil if there is none with
// the same receiver.
func (p *plugin) heirSink() *sink.Sink {
	heir := p.heir(func(o *plugin) bool { return o.sink != nil && o.sink.Delivers(p.cfg.Audit.HTTP) })
	if heir == nil {
		return nil
	}
	return heir.sink
}
