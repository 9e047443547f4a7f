package core

import "gatehouse/core/audit"

// Opened records that a request was admitted, where the route has "audit": "open": its end may be
// hours away. write gets the line, without newline; it must not keep it. Call it once the request
// goes on.
func (g *Gate) Opened(d *Decision, write func(line []byte)) {
	if d.Verdict != Admit || d.Route < 0 || !g.table.Route(d.Route).AuditOpen || !logs(&g.cfg.Audit) {
		return
	}
	g.recordCaller(d)
	e := d.event
	e.Type = audit.TypeRequest
	if d.Principal != nil {
		e.Type = audit.TypeAuthSuccess
	}
	e.Meta.WouldBe, e.Meta.Phase = d.WouldBe.String(), "open"
	if !audit.Recorded(g.cfg.Audit.Enabled, d.excluded, &e) {
		return
	}
	d.openID = g.newEventID(d)
	e.Meta.EventID = d.openID
	g.writeEvent(&e, g.cfg.Audit.MaxFieldBytes, write)
}
