package core

import (
	"encoding/binary"
	"unicode/utf8"

	"gatehouse/core/ascii"
	"gatehouse/core/audit"
	"gatehouse/core/caller"
	"gatehouse/core/clock"
	"gatehouse/core/ipaddr"
	"gatehouse/core/metrics"
)

// Outcome is how a stream ended.
type Outcome struct {
	Status  int    // what the client got; 0 when nothing
	Details string // Envoy's response code details
	// HeadersAlone says that the response was its headers, without a body or trailers.
	HeadersAlone bool
	Mono         clock.Mono // the end
	Custom       []string   // the values of the upstream's x-audit-event
	// GRPC is the status of a gRPC request, of which Decision.GRPC says that it is one; nil if it
	// isn't known.
	GRPC *int
}

// remember copies the parts of the request that its audit event will have, and no more: a stream
// may be open for hours, and the client chooses how long its headers are.
func (g *Gate) remember(r *Request, d *Decision) {
	if !logs(&g.cfg.Audit) {
		return
	}
	e := &d.event
	e.Timestamp = r.Wall
	longest := g.cfg.Audit.MaxFieldBytes + utf8.UTFMax
	field := func(s string) string { return d.keepField(s, longest) }
	header := func(name string) string {
		start := len(d.text)
		d.text, _ = r.appendHeader(d.text, name, longest)
		return d.textFrom(start)
	}
	e.Path, e.Method = field(audit.WithoutQuery(r.Path)), field(r.Method)
	if ip := sourceHost(r.Source); isAddress(ip) { // a pipe's path and an internal listener's name are none
		e.IP = field(ip)
	}
	d.excluded = g.excluded(&r.target)
	e.UserAgent, e.Meta.RequestID = header("user-agent"), header("x-request-id")
	// Configured names have a field even if the request has no value for them. An empty field isn't
	// written, but no other field can take its name. Claims come first; recordCaller fills them in.
	for _, name := range g.cfg.Audit.Claims {
		d.extra = append(d.extra, audit.Field{Source: audit.FromClaim, Name: name})
	}
	for _, name := range g.cfg.Audit.Headers {
		d.extra = append(d.extra, audit.Field{Source: audit.FromHeader, Name: name, Text: header(name)})
	}
}

// keepField keeps the first bytes of s. Inlined, it would cost the module 5 kB.
//
//go:noinline
func (d *Decision) keepField(s string, longest int) string {
	return d.copyText(s[:min(len(s), longest)])
}
func isAddress(s string) bool {
	_, _, ok := ipaddr.Parse(s)
	return ok
}

// Unseen prepares d for a request that another filter refused before the Gate saw it, so that
// Finish can record it. It decides nothing.
func (g *Gate) Unseen(r *Request, d *Decision) {
	d.Reset()
	d.mono, d.grpc = r.Mono, r.isGRPC()
	g.readTarget(r)
	g.remember(r, d)
	d.Route, _ = g.findRoute(r)
}

// Finish records the request's audit event, and the events that the upstream reported. write gets
// each line without its newline, and must not keep it. Call Finish once for each Decision, when the
// stream has ended.
func (g *Gate) Finish(d *Decision, o Outcome, write func(line []byte)) {
	if !logs(&g.cfg.Audit) {
		return
	}
	e := &d.event
	g.recordCaller(d)
	e.Status, e.Meta.OpenEventID = o.Status, d.openID
	out := audit.Outcome{
		Refused: d.Reason.Status(), Authenticated: d.Principal != nil, Status: o.Status, Details: o.Details,
		Answered: d.metadata, GRPCHeadersAlone: d.grpc && o.HeadersAlone,
	}
	e.Type, e.Meta.Origin = audit.TypeOf(out), audit.OriginOf(out)
	e.Meta.Reason, e.Meta.WouldBe = d.Reason.String(), d.WouldBe.String()
	if d.lack.field != "" {
		start := len(d.text)
		d.text = d.lack.appendJSON(d.text)
		e.Meta.Required = d.text[start:]
	}
	if d.Rule >= 0 {
		e.Meta.Rule = g.cfg.Limits[d.Rule].Name
	}
	if d.grpc && o.GRPC != nil {
		e.Meta.GRPCStatus, e.Meta.HasGRPCStatus = *o.GRPC, true
	}
	if d.mono > 0 {
		e.Meta.DurationMS, e.Meta.HasDuration = o.Mono.Since(d.mono)/1_000_000, true
	}
	if g.recorded(d) {
		if e.Meta.EventID = d.eventID; e.Meta.EventID != "" {
			g.writeEvent(e, g.cfg.Audit.MaxFieldBytes, write)
		} else {
			g.write(d, write)
		}
	}
	for _, header := range o.Custom {
		if header != "" {
			g.custom(d, header, write)
		}
	}
}

// recorded applies audit.exclude_paths and the route's audit.
func (g *Gate) recorded(d *Decision) bool {
	if d.Route >= 0 && !g.table.Route(d.Route).Audit {
		return false
	}
	return audit.Recorded(g.cfg.Audit.Enabled, d.excluded, &d.event)
}

// recordCaller fills in who called.
func (g *Gate) recordCaller(d *Decision) {
	e := &d.event
	if d.Route >= 0 {
		e.Meta.Route = g.table.Route(d.Route).Name
	}
	if d.metadata {
		e.Meta.Route = metrics.RouteMetadata
	}
	e.Meta.Extra = d.extra
	p := d.Principal
	if p == nil {
		e.UserID, e.ClientID, e.Meta.Issuer = d.refused.userID, d.refused.clientID, d.refused.issuer
		if d.identified {
			e.Meta.Caller = caller.Anonymous.String()
		}
		return
	}
	e.UserID, e.ClientID, e.IsM2M = p.UserID, p.ClientID, p.Kind == caller.Machine
	e.Meta.Caller, e.Meta.Issuer, e.Meta.Evidence = p.Kind.String(), p.Issuer, p.Evidence
	for i, name := range g.cfg.Audit.Claims {
		v := p.Claims.Get(name)
		if text, ok := v.Text(); ok {
			d.extra[i].Text = text
		} else if v.Exists() {
			d.extra[i].JSON = []byte(v.Raw())
		}
	}
}

// custom records an event that the upstream reported, with the caller's identity. A report that
// can't be read is counted as lost; no part of it is written.
func (g *Gate) custom(d *Decision, header string, write func(line []byte)) {
	word, fields, err := audit.ParseCustom(header)
	if err != nil {
		g.Count(g.metrics.AuditDropped(), 1)
		return
	}
	e := &d.event
	e.Type, e.Custom = audit.TypeCustom, word
	e.Meta.Extra = append(d.extra, fields...)
	g.write(d, write)
}

// write writes d's event under a new id.
func (g *Gate) write(d *Decision, write func(line []byte)) {
	e := &d.event
	e.Meta.EventID = g.newEventID(d)
	g.writeEvent(e, g.cfg.Audit.MaxFieldBytes, write)
}

func (g *Gate) writeEvent(e *audit.Event, maxField int, write func(line []byte)) {
	g.line = e.AppendJSON(g.line[:0], maxField)
	if g.chain != nil {
		g.line = g.chain.Append(g.line)
	}
	g.countEvent(e.Type)
	write(g.line)
}

// newEventID makes an id that no other event has: a keyed hash of the instance's random number and
// a count. So an id doesn't tell a client how many requests there were.
func (g *Gate) newEventID(d *Decision) string {
	var n [17]byte
	n[0] = eventKey
	binary.LittleEndian.PutUint64(n[1:], g.host.InstanceID)
	binary.LittleEndian.PutUint64(n[9:], g.events)
	g.events++
	id := g.hasher.Sum(n[:])
	start := len(d.text)
	for half := id[:]; len(half) > 0; half = half[8:] {
		d.text = ascii.AppendHex(d.text, binary.BigEndian.Uint64(half))
	}
	return d.textFrom(start)
}

// eventKey begins the input of that hash. No key of a limit begins with it.
const eventKey = 0xff
