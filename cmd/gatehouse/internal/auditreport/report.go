// Package auditreport says who was refused, or in observe mode would have been, out of audit logs
// of any size.
package auditreport

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"

	"gatehouse/cmd/gatehouse/internal/auditlog"
)

// Counts are requests.
type Counts struct {
	Requests uint64 `json:"requests"`
	Refused  uint64 `json:"refused"`
	WouldBe  uint64 `json:"would_be_refused"` // in observe mode
}

func (c *Counts) add(refused, wouldBe bool) {
	c.Requests++
	if refused {
		c.Refused++
	}
	if wouldBe {
		c.WouldBe++
	}
}

func (c *Counts) total() uint64 { return c.Refused + c.WouldBe }

// Report is what audit logs say about refusals. Its JSON form is stable.
type Report struct {
	Lines      uint64 `json:"lines"`
	Events     uint64 `json:"events"`
	Unreadable uint64 `json:"unreadable"` // lines with a part of an event
	Repeats    uint64 `json:"repeats"`    // events that had been read before, which aren't counted again
	Lost       uint64 `json:"lost"`       // events that a sink lost, as audit_gap says
	From       string `json:"from,omitempty"`
	To         string `json:"to,omitempty"`
	Counts
	Reasons []Reason `json:"by_reason"`
	Routes  []Named  `json:"by_route"`
	Kinds   []Named  `json:"by_caller_kind"`
	Issuers []Named  `json:"by_issuer"`
	Groups  []Group  `json:"by_reason_route_caller_issuer"`
	Callers []Caller `json:"by_caller"`
	// CallersExact is false if there were so many callers that the figures of Callers are upper
	// bounds.
	CallersExact bool   `json:"by_caller_exact"`
	Timeline     []Span `json:"over_time"`
	// SpanSeconds is the length of each part of Timeline.
	SpanSeconds int64 `json:"over_time_seconds"`
}

// Reason counts the refusals for one reason, or by one other filter.
type Reason struct {
	Reason  *string `json:"reason"`
	Origin  *string `json:"origin,omitempty"` // the other filter; the reason is null then
	Refused uint64  `json:"refused"`
	WouldBe uint64  `json:"would_be_refused"`
}

// Named counts the requests that have one route, kind of caller or issuer. Name is null for those
// that have none.
type Named struct {
	Name *string `json:"name"`
	Counts
}

// Group counts the refusals that have all of these in common.
type Group struct {
	Reason  *string `json:"reason"`
	Origin  *string `json:"origin,omitempty"`
	Route   *string `json:"route"`
	Caller  *string `json:"caller"`
	Issuer  *string `json:"issuer"`
	Refused uint64  `json:"refused"`
	WouldBe uint64  `json:"would_be_refused"`
	First   string  `json:"first"`
	Last    string  `json:"last"`
}

// Caller counts the refusals of one caller. Who has no token, or a bad one, is known by the
// address.
type Caller struct {
	UserID   *string `json:"user_id"`
	ClientID *string `json:"client_id"`
	Issuer   *string `json:"issuer"`
	IP       *string `json:"ip_address"`
	Refused  uint64  `json:"refused"`
	WouldBe  uint64  `json:"would_be_refused"`
}

// Bounds of what is kept, whatever the logs hold.
const (
	maxNames   = 10_000 // of routes, kinds, issuers, reasons; and of groups
	maxCallers = 10_000
	maxSeen    = 1 << 16 // event ids by which repeats are found
	maxSpans   = 240
)

// other stands for all that come after maxNames.
const other = "(others)"

type groupKey struct{ reason, origin, route, caller, issuer string }

type group struct {
	refused, wouldBe uint64
	first, last      string
}

// Builder reads events and makes the Report.
type Builder struct {
	report  Report
	event   event
	routes  names
	kinds   names
	issuers names
	groups  map[groupKey]*group
	callers *top
	time    timeline
	seed    maphash.Seed
	seen    map[uint64]bool
	ring    []uint64 // what is in seen, oldest at next
	next    int
}

// NewBuilder returns a Builder.
func NewBuilder() *Builder {
	return &Builder{
		routes: names{}, kinds: names{}, issuers: names{}, groups: map[groupKey]*group{},
		callers: newTop(maxCallers), seed: maphash.MakeSeed(), seen: map[uint64]bool{},
	}
}

// Line takes a line of a log.
func (b *Builder) Line(line auditlog.Line) {
	r := &b.report
	r.Lines++
	text, kind := auditlog.Find(line.Text)
	switch {
	case kind == auditlog.Other:
		return
	case kind == auditlog.Damaged || !b.event.parse(text):
		r.Unreadable++
		return
	}
	e := &b.event
	if b.repeated(e.id) {
		r.Repeats++
		return
	}
	r.Events++
	if e.eventType == "audit_gap" {
		r.Lost += e.dropped
	}
	if e.isRequest() {
		b.request(e)
	}
}

// repeated finds an event that was read not long ago: delivery is at least once, and a batch is
// repeated soon.
func (b *Builder) repeated(id string) bool {
	if id == "" {
		return false
	}
	h := maphash.String(b.seed, id)
	if b.seen[h] {
		return true
	}
	if len(b.ring) < maxSeen {
		b.ring = append(b.ring, h)
	} else {
		delete(b.seen, b.ring[b.next])
		b.ring[b.next] = h
		b.next = (b.next + 1) % maxSeen
	}
	b.seen[h] = true
	return false
}

func (b *Builder) request(e *event) {
	r := &b.report
	if r.From == "" || e.time < r.From {
		r.From = strings.Clone(e.time)
	}
	if e.time > r.To {
		r.To = strings.Clone(e.time)
	}
	reason, origin, refused, wouldBe := e.refusal()
	r.add(refused, wouldBe)
	b.routes.at(e.route).add(refused, wouldBe)
	b.kinds.at(e.caller).add(refused, wouldBe)
	b.issuers.at(e.issuer).add(refused, wouldBe)
	b.time.add(e.time, refused, wouldBe)
	if !refused && !wouldBe {
		return
	}
	g := b.group(groupKey{reason, origin, e.route, e.caller, e.issuer})
	if refused {
		g.refused++
	} else {
		g.wouldBe++
	}
	if g.first == "" || e.time < g.first {
		g.first = strings.Clone(e.time)
	}
	if e.time > g.last {
		g.last = strings.Clone(e.time)
	}
	who := identity{e.userID, e.clientID, e.issuer, ""}
	if e.userID == "" && e.clientID == "" {
		who = identity{ip: e.ip}
	}
	b.callers.add(who, refused)
}

func (b *Builder) group(key groupKey) *group {
	g := b.groups[key]
	if g == nil {
		if len(b.groups) >= maxNames {
			key = groupKey{reason: key.reason, origin: key.origin, route: other, caller: other, issuer: other}
			if g = b.groups[key]; g != nil {
				return g
			}
		}
		g = &group{}
		b.groups[groupKey{
			strings.Clone(key.reason), strings.Clone(key.origin), strings.Clone(key.route), strings.Clone(key.caller), strings.Clone(key.issuer),
		}] = g
	}
	return g
}

// names counts by name.
type names map[string]*Counts

func (n names) at(name string) *Counts {
	c := n[name]
	if c == nil {
		if len(n) >= maxNames {
			name = other
			if c = n[name]; c != nil {
				return c
			}
		}
		c = &Counts{}
		n[strings.Clone(name)] = c
	}
	return c
}

// list orders by refusals, then by requests and name.
func (n names) list() []Named {
	out := []Named{}
	for name, c := range n {
		out = append(out, Named{orNull(name), *c})
	}
	slices.SortFunc(out, func(a, b Named) int {
		return cmp.Or(cmp.Compare(b.total(), a.total()), cmp.Compare(b.Requests, a.Requests), cmp.Compare(text(a.Name), text(b.Name)))
	})
	return out
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Report makes the report; callers is how many callers it lists, those with the most refusals.
func (b *Builder) Report(callers int) *Report {
	r := b.report
	r.Routes, r.Kinds, r.Issuers = b.routes.list(), b.kinds.list(), b.issuers.list()
	r.Groups = b.groupList()
	r.Reasons = reasons(r.Groups)
	r.Callers, r.CallersExact = b.callers.list(callers), b.callers.exact()
	r.Timeline, r.SpanSeconds = b.time.list()
	return &r
}

func (b *Builder) groupList() []Group {
	out := []Group{}
	for key, g := range b.groups {
		out = append(out, Group{
			orNull(key.reason), orNull(key.origin), orNull(key.route), orNull(key.caller), orNull(key.issuer),
			g.refused, g.wouldBe, g.first, g.last,
		})
	}
	slices.SortFunc(out, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Refused+b.WouldBe, a.Refused+a.WouldBe), cmp.Compare(text(a.Reason), text(b.Reason)),
			cmp.Compare(text(a.Origin), text(b.Origin)), cmp.Compare(text(a.Route), text(b.Route)),
			cmp.Compare(text(a.Caller), text(b.Caller)), cmp.Compare(text(a.Issuer), text(b.Issuer)))
	})
	return out
}

// reasons sums up groups.
func reasons(groups []Group) []Reason {
	out := []Reason{}
	for i := range groups {
		g := &groups[i]
		at := slices.IndexFunc(out, func(r Reason) bool {
			return text(r.Reason) == text(g.Reason) && text(r.Origin) == text(g.Origin)
		})
		if at < 0 {
			at = len(out)
			out = append(out, Reason{Reason: g.Reason, Origin: g.Origin})
		}
		out[at].Refused += g.Refused
		out[at].WouldBe += g.WouldBe
	}
	slices.SortStableFunc(out, func(a, b Reason) int { return cmp.Compare(b.Refused+b.WouldBe, a.Refused+a.WouldBe) })
	return out
}
