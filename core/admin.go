package core

import "gatehouse/core/audit"

// AdminAction records a change through the admin API, which was answered with status. d is scratch.
// write gets the event's line, as in Finish.
func (g *Gate) AdminAction(r *Request, d *Decision, status int, write func(line []byte)) {
	if !logs(&g.cfg.Audit) {
		return
	}
	d.Reset()
	r.target = target{} // without a path: audit.exclude_paths is about the gate's
	g.remember(r, d)
	e := &d.event
	e.Type, e.Status = audit.TypeAdminAction, status
	e.Meta.Extra = d.extra
	g.write(d, write)
}

// Head returns the head of the stream of chained audit lines. ok is false if lines aren't chained,
// or there is none yet.
func (g *Gate) Head() (head audit.Head, ok bool) {
	if g.chain == nil {
		return head, false
	}
	return g.chain.Head()
}
