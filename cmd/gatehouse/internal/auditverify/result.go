package auditverify

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"gatehouse/core/audit"
)

// Kind says what happened to a stream.
type Kind string

// The kinds of breaks.
const (
	Changed   Kind = "changed"   // the line isn't as it was written
	Removed   Kind = "removed"   // lines before this one are missing
	Inserted  Kind = "inserted"  // the line wasn't written here
	Reordered Kind = "reordered" // lines that belong before this one come later
	Truncated Kind = "truncated" // lines after this one are missing, as a head proves
)

// Place is where a line is.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1
}

// Break is the first place where a stream isn't as it was written.
type Break struct {
	Kind Kind `json:"kind"`
	Place
	Seq uint64 `json:"seq"` // of the first line that isn't as it was
	// From and To are the seq of the missing lines, of Removed and Truncated.
	Missing *Range `json:"missing,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// Range is a range of seqs, both included.
type Range struct {
	From uint64 `json:"from_seq"`
	To   uint64 `json:"to_seq"`
}

// Status says what is proven of a stream.
type Status string

// The statuses of streams.
const (
	// Proven means that all lines up to a head's are there and unchanged, and that none follow.
	Proven Status = "proven"
	// UnprovenTail means that all lines that are there are unchanged, and that none is missing
	// among them. Whether later ones were cut off isn't known: no head says where the stream ends.
	UnprovenTail Status = "unproven_tail"
	Broken       Status = "broken"
	NoKey        Status = "no_key" // nothing was verified
)

// Stream is what is proven of one stream.
type Stream struct {
	Stream string `json:"stream"`
	KeyID  string `json:"key_id"`
	Status Status `json:"status"`
	Lines  uint64 `json:"lines"` // repeats included
	// FirstSeq and LastSeq are of the verified lines.
	FirstSeq uint64  `json:"first_seq"`
	LastSeq  uint64  `json:"last_seq"`
	Repeats  uint64  `json:"repeats"`
	Gaps     []Range `json:"gaps,omitempty"` // missing lines that an audit_gap states
	// ProvenTo is the seq up to which heads prove that no line was cut off.
	ProvenTo *uint64 `json:"proven_to,omitempty"`
	Break    *Break  `json:"break,omitempty"`
}

// Result is what is proven of all inputs.
type Result struct {
	OK bool `json:"ok"` // no break, and a key for every stream
	Counts
	Streams []Stream `json:"streams"`
	// Breaks are those that belong to no stream: damaged lines, and events without a chain.
	Breaks []Break `json:"breaks,omitempty"`
	// Incomplete are inputs whose last line was cut off.
	Incomplete []string `json:"incomplete,omitempty"`
}

// Result joins the parts of all inputs. allowUnchained accepts events without a chain. The error is
// one of the temporary file.
func (v *Verifier) Result(allowUnchained bool) (*Result, error) {
	for _, in := range v.inputs {
		for s, c := range in.cursors {
			switch {
			case c.suspect == nil:
			case c.suspect.valid:
				s.breaks(Break{Kind: Removed, Place: c.suspect.here, Seq: c.suspect.seq, Detail: notItsPrevious})
			default:
				in.damage(s, c.suspect.here.Line)
			}
		}
		slices.SortStableFunc(in.damaged, func(a, b *damage) int { return a.line - b.line })
	}
	v.resolveKeys()
	v.resolveStreams()
	v.resolveCopies()
	for _, s := range v.order {
		v.resolveStrays(s)
	}
	r := &Result{OK: true, Counts: v.counts, Streams: []Stream{}}
	for _, s := range v.order {
		if !s.dropped {
			r.Streams = append(r.Streams, v.judge(s))
		}
	}
	r.Streams = append(r.Streams, v.unseen()...)
	for _, in := range v.inputs {
		for _, d := range in.damaged {
			if !d.explained && d.stream == nil {
				r.Breaks = append(r.Breaks, Break{Kind: Changed, Place: Place{in.name, d.line}, Detail: unreadable})
			}
		}
		if in.unchained != nil && !allowUnchained {
			r.Breaks = append(r.Breaks, Break{Kind: Inserted, Place: *in.unchained, Detail: notChained})
		}
		if in.incomplete {
			r.Incomplete = append(r.Incomplete, in.name)
		}
	}
	for i := range r.Streams {
		r.OK = r.OK && r.Streams[i].Status != Broken && r.Streams[i].Status != NoKey
	}
	r.OK = r.OK && len(r.Breaks) == 0
	return r, v.store.err
}

// Broken reports whether something was changed, removed, inserted, reordered or truncated.
func (r *Result) Broken() bool {
	return len(r.Breaks) > 0 || slices.ContainsFunc(r.Streams, func(s Stream) bool { return s.Status == Broken })
}

// judge joins a stream's parts.
func (v *Verifier) judge(s *stream) Stream {
	out := Stream{Stream: s.name, KeyID: s.keyID, Lines: s.lines, Repeats: s.repeats}
	if s.mac == nil {
		out.Status = NoKey
		return out
	}
	next, mac, end := v.join(s, &out)
	v.damagedLines(s)
	if s.found == nil {
		v.checkHeads(s, &out, next, mac, end)
	}
	if s.found != nil && s.valid == 0 {
		s.found.Detail = wrongKey
	}
	out.Break = s.found
	switch {
	case s.found != nil:
		out.Status = Broken
	case out.ProvenTo != nil && *out.ProvenTo == out.LastSeq:
		out.Status = Proven
	default:
		out.Status = UnprovenTail
	}
	return out
}

// join puts the parts in order and checks that each follows the one before. It returns the seq that
// comes next, the last line's mac and place.
func (v *Verifier) join(s *stream, out *Stream) (next uint64, mac [audit.MACBytes]byte, end *part) {
	slices.SortStableFunc(s.parts, func(a, b *part) int { return cmp.Compare(a.first, b.first) })
	for _, p := range s.parts {
		switch {
		case p.first > next:
			if !v.explained(s, out, p, next) {
				v.removed(s, p, next, end)
			}
		case p.first == next && p.prev != mac, p.first < next && !v.follows(s, p.first, &p.prev):
			s.breaks(Break{Kind: Removed, Place: p.from, Seq: p.first, Detail: notItsPrevious})
		}
		if end == nil {
			out.FirstSeq = p.first
		}
		if end == nil || p.last >= next {
			next, mac, end = p.last+1, p.mac, p
			out.LastSeq = p.last
		}
	}
	return next, mac, end
}

// explained reports whether the lines from next to the part's first one are missing for a reason:
// audit_gap events say so, or a head proves that the stream's beginning was left out.
func (v *Verifier) explained(s *stream, out *Stream, p *part, next uint64) bool {
	if v.stated(s, next, p) {
		out.Gaps = append(out.Gaps, Range{next, p.first - 1})
		return true
	}
	return next == 0 && slices.ContainsFunc(v.heads, func(h audit.Head) bool {
		return h.Stream == s.name && h.Seq == p.first-1 && h.MAC == p.prev
	})
}

// stated reports whether audit_gap events state that all lines from next to the part's first one
// were lost.
func (v *Verifier) stated(s *stream, next uint64, p *part) bool {
	slices.SortFunc(s.gaps, func(a, b audit.Gap) int { return cmp.Compare(a.From, b.From) })
	for _, g := range s.gaps {
		if g.From > next || g.To < next {
			continue
		}
		if next = g.To + 1; next >= p.first {
			return v.endsAt(s, &g)
		}
	}
	return false
}

// endsAt reports whether the stream has the end of a gap where the audit_gap says it is. Else the
// lines that seem to stand in the gap, or right behind it, are others that were renumbered: seq
// isn't under the mac.
func (v *Verifier) endsAt(s *stream, g *audit.Gap) bool {
	return v.store.has(s, g.To, &g.ToMAC) ||
		slices.ContainsFunc(s.parts, func(p *part) bool { return p.first == g.To+1 && p.prev == g.ToMAC })
}

// removed records that the lines from next to the part's first one are missing. A damaged line
// between the parts is what is left of the first of them.
func (v *Verifier) removed(s *stream, p *part, next uint64, before *part) {
	after := 0
	if before != nil && before.input == p.input {
		after = before.to.Line
	}
	until := p.from.Line
	if v.AnyOrder { // where a line stands says nothing of its place
		after, until = 0, math.MaxInt
	}
	in, d := p.input, p.input.damagedBetween(s, after, until)
	if before != nil && before.input != p.input {
		if earlier := before.input.damagedBetween(s, before.to.Line, math.MaxInt); earlier != nil {
			in, d = before.input, earlier
		}
	}
	b := Break{Kind: Removed, Place: p.from, Seq: next, Missing: &Range{next, p.first - 1}}
	if d != nil {
		b = Break{Kind: Changed, Place: Place{in.name, d.line}, Seq: next}
		if d.stream == nil {
			b.Detail = unreadable
		}
	}
	s.breaks(b)
}

// damagedBetween returns the first damaged line between two lines that may have been the stream's,
// and marks all of them explained.
func (in *Input) damagedBetween(s *stream, after, before int) (first *damage) {
	for _, d := range in.damaged {
		if d.line > after && d.line < before && (d.stream == nil || d.stream == s) {
			d.explained = true
			if first == nil {
				first = d
			}
		}
	}
	return first
}

// damagedLines records a break for a damaged line that no missing line explains: nothing follows
// it.
func (v *Verifier) damagedLines(s *stream) {
	if s.found != nil {
		return
	}
	for _, in := range v.inputs {
		for _, d := range in.damaged {
			if d.stream == s && !d.explained {
				c := in.cursors[s]
				s.breaks(Break{Kind: Changed, Place: Place{in.name, d.line}, Seq: c.next()})
				return
			}
		}
	}
}

// checkHeads holds a stream against the heads that are known of it.
func (v *Verifier) checkHeads(s *stream, out *Stream, next uint64, mac [audit.MACBytes]byte, end *part) {
	for i := range v.heads {
		h := &v.heads[i]
		if h.Stream != s.name || end == nil || s.found != nil {
			continue
		}
		switch {
		case h.Seq >= next:
			s.breaks(Break{Kind: Truncated, Place: end.to, Seq: next, Missing: &Range{next, h.Seq}})
		case h.Seq == next-1 && bytes.Equal(h.MAC[:], mac[:]), v.store.has(s, h.Seq, &h.MAC):
			if out.ProvenTo == nil || *out.ProvenTo < h.Seq {
				seq := h.Seq
				out.ProvenTo = &seq
			}
		case h.Seq+1 == out.FirstSeq: // it proved the beginning
		case !v.lost(out, h.Seq) && h.Seq >= out.FirstSeq:
			s.breaks(Break{Kind: Changed, Place: s.parts[0].from, Seq: h.Seq,
				Detail: rewritten})
		}
	}
}

// lost reports whether a line is in a stated gap.
func (v *Verifier) lost(out *Stream, seq uint64) bool {
	return slices.ContainsFunc(out.Gaps, func(r Range) bool { return seq >= r.From && seq <= r.To })
}

// unseen are the streams of which there is a head and no line.
func (v *Verifier) unseen() (out []Stream) {
	seen := map[string]bool{}
	for _, s := range v.order {
		seen[s.name] = true
	}
	for _, h := range v.heads {
		if seen[h.Stream] {
			continue
		}
		seen[h.Stream] = true
		out = append(out, Stream{Stream: h.Stream, KeyID: h.KeyID, Status: Broken, Break: &Break{
			Kind: Truncated, Missing: &Range{0, h.Seq}, Detail: noLine,
		}})
	}
	return out
}
