// Package auditverify proves that chained audit logs are complete and unchanged, or says where they
// aren't. docs/audit.md defines the chain.
//
// It reads each line once, in inputs of any order. Within one input, a stream's lines must be in
// order, unless AnyOrder is set. When all have been read, the parts of a stream are joined across
// inputs.
package auditverify

import (
	"bytes"
	"encoding/hex"
	"errors"

	"github.com/tidwall/gjson"

	"gatehouse/cmd/gatehouse/internal/auditlog"
	"gatehouse/core/audit"
)

// Verifier verifies audit logs. Give it each input's lines, then ask for the Result.
type Verifier struct {
	// AnyOrder accepts lines in any order within an input. Receivers that take several batches at
	// the same time store them so.
	AnyOrder bool

	keys    map[string]*audit.MAC // by key id
	heads   []audit.Head
	streams map[streamID]*stream
	order   []*stream // as first seen
	store   *store
	inputs  []*Input
	counts  Counts
}

// Counts are figures over all inputs.
type Counts struct {
	Lines   uint64 `json:"lines"`
	Events  uint64 `json:"events"`  // chained ones, repeats included
	Repeats uint64 `json:"repeats"` // byte-identical repeats of another line
	// Unchained are events without a chain. Nothing proves them, and nothing proves that they
	// belong here.
	Unchained uint64 `json:"unchained"`
}

// New returns a Verifier. keys are the chains' keys by their ids, heads what is known of the
// streams' ends.
func New(keys map[string][]byte, heads []audit.Head) *Verifier {
	v := &Verifier{keys: map[string]*audit.MAC{}, heads: heads, streams: map[streamID]*stream{}, store: newStore()}
	for id, key := range keys {
		v.keys[id] = audit.NewMAC(key)
	}
	return v
}

// Close frees what the Verifier needed.
func (v *Verifier) Close() { v.store.close() }

// Input is one file, or standard input. Its lines must come in order.
type Input struct {
	v          *Verifier
	name       string
	cursors    map[*stream]*cursor
	damaged    []*damage
	unchained  *Place // the first event without a chain
	incomplete bool   // the last line is a part of an event, and has no newline
}

// damage is a line of which no mac is right.
type damage struct {
	line      int
	stream    *stream // the one that it names; nil if it can't be read
	explained bool    // a missing line has been put down to it
}

// maxDamaged bounds the damaged lines that an input remembers.
const maxDamaged = 4096

// cursor is where a stream is in an input.
type cursor struct {
	part    *part
	suspect *suspect
	done    bool // nothing more is looked at
}

// suspect is a line that isn't right. The stream's next line tells what happened.
type suspect struct {
	here  Place
	seq   uint64 // what the line says of itself
	valid bool   // its mac is right, but it doesn't follow the line before it
}

// Input begins an input.
func (v *Verifier) Input(name string) *Input {
	in := &Input{v: v, name: name, cursors: map[*stream]*cursor{}}
	v.inputs = append(v.inputs, in)
	return in
}

// Line takes the input's next line.
func (in *Input) Line(line auditlog.Line) {
	in.v.counts.Lines++
	event, kind := auditlog.Find(line.Text)
	if kind == auditlog.Other {
		return
	}
	link, signed, err := audit.ParseLink(event)
	switch {
	case kind == auditlog.Found && err == nil && opensObject(line.Text[:len(line.Text)-len(event)]):
		in.damage(nil, line.Number)
	case kind == auditlog.Found && err == nil:
		in.chained(line.Number, event, &link, signed)
	case line.Incomplete:
		in.incomplete = true
	case kind == auditlog.Found && errors.Is(err, audit.ErrNotChained) && unchained(event):
		in.v.counts.Unchained++
		if in.unchained == nil {
			in.unchained = &Place{in.name, line.Number}
		}
	default:
		in.damage(nil, line.Number)
	}
}

// opensObject reports whether what precedes an event could be an event of its own to a reader of
// JSON. Nothing proves it: the mac covers the event alone.
func opensObject(prefix []byte) bool { return bytes.IndexByte(prefix, '{') >= 0 }

func (in *Input) damage(s *stream, line int) {
	if len(in.damaged) < maxDamaged {
		in.damaged = append(in.damaged, &damage{line: line, stream: s})
	}
}

// unchained reports whether an event without a readable chain is a whole one that never had a
// chain.
func unchained(event []byte) bool {
	if !gjson.ValidBytes(event) {
		return false
	}
	text, ok := bytes.CutSuffix(event, []byte(`"}}`))
	if !ok || len(text) < 2*audit.MACBytes {
		return true
	}
	_, err := hex.Decode(make([]byte, audit.MACBytes), text[len(text)-2*audit.MACBytes:])
	return err != nil // else it ends in a mac
}

func (in *Input) chained(number int, event []byte, link *audit.Link, signed []byte) {
	here := Place{in.name, number}
	in.v.counts.Events++
	s := in.v.stream(link, here)
	s.lines++
	c := in.cursors[s]
	if c == nil {
		c = &cursor{}
		in.cursors[s] = c
	}
	switch {
	case c.done || s.mac == nil:
	case !bytes.Equal(s.mac.Sum(link.Prev[:], signed), link.MAC[:]):
		if c.suspect == nil {
			c.suspect = &suspect{here: here, seq: link.Seq}
		} else {
			in.damage(s, number)
		}
	default:
		s.valid++
		if gap, ok := audit.ParseGap(event); ok && gap.Chained && len(s.gaps) < maxParts {
			s.gaps = append(s.gaps, gap)
		}
		if c.suspect != nil {
			in.settle(s, c, link)
		}
		in.verified(s, c, here, link)
	}
}

// settle decides what happened at a suspect line, by the stream's next line.
func (in *Input) settle(s *stream, c *cursor, link *audit.Link) {
	was := c.suspect
	c.suspect = nil
	follows := c.part == nil && link.Seq == was.seq || c.part != nil && link.Prev == c.part.mac
	switch {
	case follows:
		s.breaks(Break{Kind: Inserted, Place: was.here, Seq: link.Seq})
	case was.valid:
		s.breaks(Break{Kind: Removed, Place: was.here, Seq: was.seq, Detail: notItsPrevious})
	default:
		in.damage(s, was.here.Line)
	}
}

const (
	notItsPrevious = "the line before it isn't the one that it was chained to"
	seqChanged     = "its seq was changed"
	seqTaken       = "another line has this seq"
	streamChanged  = "its stream was changed"
	keyChanged     = "its key_id isn't that of the stream's other lines"
	unreadable     = "not a readable event"
	notChained     = "an event without a chain"
	wrongKey       = "no line of the stream verifies: is it the right key?"
	rewritten      = "a head has another mac for this seq: somebody with the key wrote the stream anew"
	noLine         = "there is a head, and no line"
)

// verified takes a line whose mac is right: it was written with the key, after the line that its
// prev names. What it says of its stream and seq isn't under the mac.
func (in *Input) verified(s *stream, c *cursor, here Place, link *audit.Link) {
	last := c.part
	switch {
	case last == nil:
		in.begin(s, c, here, link)
	case link.Prev == last.mac:
		if link.Seq != last.last+1 {
			s.breaks(Break{Kind: Changed, Place: here, Seq: last.last + 1, Detail: seqChanged})
		}
		in.advance(s, last, here, link)
	case link.Seq > last.last+1:
		in.begin(s, c, here, link)
	case link.Seq == last.last+1:
		c.suspect = &suspect{here, link.Seq, true}
	default:
		in.earlier(s, c, here, link)
	}
}

// advance adds to a part the line that is chained to its last one.
func (in *Input) advance(s *stream, p *part, here Place, link *audit.Link) {
	seq := p.last + 1
	if _, taken := in.v.store.get(s, seq); taken {
		if in.v.store.has(s, seq, &link.MAC) {
			in.v.repeated(s)
		} else {
			s.evict(p, seq) // this line is where it belongs, so the other one isn't
		}
	}
	p.last, p.mac, p.to = seq, link.MAC, here
	in.v.store.put(s, seq, &link.MAC)
}

// begin begins a part.
func (in *Input) begin(s *stream, c *cursor, here Place, link *audit.Link) {
	switch _, taken := in.v.store.get(s, link.Seq); {
	case (link.Seq == 0) != (link.Prev == [audit.MACBytes]byte{}):
		s.breaks(Break{Kind: Changed, Place: here, Seq: c.next(), Detail: seqChanged})
		return
	case taken && in.v.store.has(s, link.Seq, &link.MAC):
		in.v.repeated(s)
	case taken && c.part != nil:
		s.breaks(Break{Kind: Inserted, Place: here, Seq: link.Seq, Detail: seqTaken})
		return
	case taken: // by a line of another input: which of them is right shows when all have been read
		in.stray(s, c, here, link)
		c.part = &part{input: in, first: link.Seq, prev: link.Prev, last: link.Seq, mac: link.MAC, from: here, to: here}
		s.contested = append(s.contested, c.part)
		return
	case len(s.parts) == maxParts:
		s.breaks(Break{Kind: Removed, Place: here, Seq: c.next(), Detail: "too many gaps"})
		c.done = true
		return
	}
	c.part = &part{input: in, first: link.Seq, prev: link.Prev, last: link.Seq, mac: link.MAC, from: here, to: here}
	s.parts = append(s.parts, c.part)
	in.v.store.put(s, link.Seq, &link.MAC)
}

// next returns the seq that should come next in the input.
func (c *cursor) next() uint64 {
	if c.part == nil {
		return 0
	}
	return c.part.last + 1
}

// earlier takes a line whose place is before the last one's: a repeat, or one that is out of order.
// Whether another input has the line isn't known before all have been read.
func (in *Input) earlier(s *stream, c *cursor, here Place, link *audit.Link) {
	if in.v.store.has(s, link.Seq, &link.MAC) {
		in.v.repeated(s)
		return
	}
	if _, taken := in.v.store.get(s, link.Seq); in.v.AnyOrder && !taken {
		in.begin(s, c, here, link)
		return
	}
	in.stray(s, c, here, link)
}

func (in *Input) stray(s *stream, c *cursor, here Place, link *audit.Link) {
	s.strays = append(s.strays, stray{in, here, link.Seq, link.Prev, link.MAC})
	c.done = len(s.strays) == maxStrays
}

func (v *Verifier) repeated(s *stream) {
	s.repeats++
	v.counts.Repeats++
}
