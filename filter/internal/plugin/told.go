package plugin

// told has audit lines that were written while no stream ended, such as audit_gap events. They wait
// for the filter state of the next stream that ends: without them the access log would have a gap
// of its own in the chain.
type told struct {
	lines  []byte // each with its newline
	events int
}

// maxTold bounds told.lines.
const maxTold = 64 << 10

// add adds lines, each with its newline; false if there is no room.
func (t *told) add(lines []byte, events int) bool {
	if len(t.lines)+len(lines) > maxTold {
		return false
	}
	t.lines = append(t.lines, lines...)
	t.events += events
	return true
}

// keepTold keeps the lines that were just written.
func (p *plugin) keepTold() {
	if p.state != "" && p.events > 0 {
		p.lines = append(p.lines, '\n')
		if !p.told.add(p.lines, p.events) {
			p.gate.Count(p.gate.Metrics().AuditDropped(), uint64(p.events))
		}
	}
	p.lines, p.events = p.lines[:0], 0
}

// beginLines begins a stream's audit lines, with those that waited for it.
func (p *plugin) beginLines() {
	p.lines, p.events = p.lines[:0], p.told.events
	if n := len(p.told.lines); n > 0 {
		p.lines = append(p.lines, p.told.lines[:n-1]...) // record adds a newline between lines
	}
	p.told = told{lines: p.told.lines[:0]}
}

// bequeathTold gives what waits to the instance that an update has put in this one's place. Without
// one that writes to the access log it is lost.
func (p *plugin) bequeathTold() {
	if p.told.events == 0 {
		return
	}
	heir := p.heir(func(o *plugin) bool { return o.admin == nil && o.state != "" })
	if heir == nil || !heir.told.add(p.told.lines, p.told.events) {
		p.gate.Count(p.gate.Metrics().AuditDropped(), uint64(p.told.events))
	}
	p.told = told{}
}
