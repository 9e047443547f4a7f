package auditverify

import (
	"cmp"
	"slices"

	"gatehouse/core/audit"
)

// streamID is what a line says of its stream. A stream has one key.
type streamID struct{ name, keyID string }

// stream is what is known of a stream, over all inputs.
type stream struct {
	streamID
	mac     *audit.MAC // nil if the key isn't known
	first   Place      // of the first of its lines that was read
	label   uint64     // the seq that this line says
	lines   uint64
	valid   uint64 // lines whose mac is right
	repeats uint64
	parts   []*part
	strays  []stray
	// contested are parts that begin with a stray: another line has its seq.
	contested []*part
	gaps      []audit.Gap
	found     *Break // the first break
	dropped   bool   // its lines are another stream's
}

// part is a run of lines of a stream in one input, each chained to the one before it.
type part struct {
	input    *Input
	first    uint64 // seq
	prev     [audit.MACBytes]byte
	last     uint64 // seq
	mac      [audit.MACBytes]byte
	from, to Place // of the first and of the last line
}

// maxParts bounds the parts of a stream, and so the gaps in it.
const maxParts = 1 << 16

// stray is a line that came after a later one.
type stray struct {
	input *Input
	here  Place
	seq   uint64
	prev  [audit.MACBytes]byte
	mac   [audit.MACBytes]byte
}

// maxStrays bounds the strays of a stream.
const maxStrays = 1 << 16

// stream finds the stream of a line.
func (v *Verifier) stream(link *audit.Link, here Place) *stream {
	id := streamID{string(link.Stream), string(link.KeyID)}
	if s := v.streams[id]; s != nil {
		return s
	}
	s := &stream{streamID: id, mac: v.keys[id.keyID], first: here, label: link.Seq}
	v.streams[id] = s
	v.order = append(v.order, s)
	return s
}

// breaks records a break. The one with the lowest seq counts, of several the first.
func (s *stream) breaks(b Break) {
	if s.found == nil || b.Seq < s.found.Seq {
		s.found = &b
	}
}

// evict removes the part that has a seq which belongs to another line, one of the part by.
func (s *stream) evict(by *part, seq uint64) {
	for i, p := range s.parts {
		if p != by && p.first <= seq && seq <= p.last {
			s.breaks(Break{Kind: Inserted, Place: p.from, Seq: p.first, Detail: seqTaken})
			s.parts = slices.Delete(s.parts, i, i+1)
			return
		}
	}
}

// resolveKeys merges streams that have one name and several keys: the one with the most lines whose
// mac is right is the stream, and the others' lines don't belong into it.
func (v *Verifier) resolveKeys() {
	byName := map[string]*stream{}
	for _, s := range v.order {
		if best := byName[s.name]; best == nil || s.valid > best.valid || s.valid == best.valid && s.lines > best.lines {
			byName[s.name] = s
		}
	}
	for _, s := range v.order {
		best := byName[s.name]
		if s == best {
			continue
		}
		b := Break{Kind: Changed, Place: s.first, Seq: s.label, Detail: keyChanged}
		if s.valid > 0 {
			b = Break{Kind: Inserted, Place: s.first, Seq: s.label, Detail: "a line of another key"}
		}
		best.breaks(b)
		s.dropped = true
	}
}

// resolveStreams finds streams that begin right behind a line of another one: the stream of a line
// was changed. It decides which: the shorter one's.
func (v *Verifier) resolveStreams() {
	type end struct {
		stream *stream
		part   *part
	}
	ends := map[[audit.MACBytes]byte]end{}
	for _, s := range v.order {
		for _, p := range s.parts {
			ends[p.mac] = end{s, p}
		}
	}
	for _, s := range v.order {
		if s.dropped || len(s.parts) == 0 {
			continue
		}
		first := s.firstPart()
		from, ok := ends[first.prev]
		if !ok || first.first == 0 || from.stream == s || from.stream.dropped {
			continue
		}
		if from.stream.lines < s.lines {
			s.breaks(Break{Kind: Changed, Place: from.stream.first, Seq: from.part.first, Detail: streamChanged})
			from.stream.dropped = true
		} else {
			from.stream.breaks(Break{Kind: Changed, Place: first.from, Seq: first.first, Detail: streamChanged})
			s.dropped = true
		}
	}
}

// resolveCopies finds streams whose first line is another stream's too: the name of a stream isn't
// under the mac, so that anybody can copy lines under another one. The copy is the one that no head
// names; of two such the one that has fewer lines, or was read later.
func (v *Verifier) resolveCopies() {
	firsts := map[kept]*stream{}
	var late []*stream // those that begin later than seq 0: the other one may have earlier lines
	for _, s := range v.order {
		if s.dropped || len(s.parts) == 0 {
			continue
		}
		first := s.firstPart().first
		mac, _ := v.store.get(s, first)
		if other := firsts[mac]; other == nil {
			firsts[mac] = s
		} else if v.isCopy(other, s) {
			other.copies(s)
			firsts[mac] = s
		} else {
			s.copies(other)
		}
		if first > 0 {
			late = append(late, s)
		}
	}
	for _, s := range late {
		first := s.firstPart().first
		mac, _ := v.store.get(s, first)
		for _, other := range v.order {
			if got, ok := v.store.get(other, first); ok && other != s && !other.dropped && got == mac {
				s.copies(other)
				break
			}
		}
	}
}

// isCopy reports whether s, which was read before other and has the same first line, is the copy.
func (v *Verifier) isCopy(s, other *stream) bool {
	named := func(s *stream) bool {
		return slices.ContainsFunc(v.heads, func(h audit.Head) bool { return h.Stream == s.name })
	}
	if named(s) != named(other) {
		return named(other)
	}
	return s.lines < other.lines
}

func (s *stream) copies(original *stream) {
	s.breaks(Break{Kind: Inserted, Place: s.first, Seq: s.firstPart().first, Detail: "a copy of lines of stream " + printable(original.name)})
}

// firstPart returns the part with the lowest seq.
func (s *stream) firstPart() *part {
	return slices.MinFunc(s.parts, func(a, b *part) int { return cmp.Compare(a.first, b.first) })
}

// resolveStrays decides what the lines were that came after a later one of their stream: repeats of
// lines that another input has, other lines with the seq of a line that is there, or lines out of
// order.
func (v *Verifier) resolveStrays(s *stream) {
	for i := range s.strays {
		line := &s.strays[i]
		_, there := v.store.get(s, line.seq)
		switch {
		case v.store.has(s, line.seq, &line.mac):
			v.repeated(s)
		case there && v.belongs(s, line): // it is the other line that doesn't
			s.evict(nil, line.seq)
			v.store.put(s, line.seq, &line.mac)
			if p := s.contestedBy(line); p != nil {
				s.parts = append(s.parts, p)
			}
		case there:
			s.breaks(Break{Kind: Inserted, Place: line.here, Seq: line.seq, Detail: seqTaken})
		default:
			s.breaks(line.reordered(s))
			return
		}
	}
}

// belongs reports whether a stray has its place by right, rather than the line that has it now:
// only one of them follows the line before, or the stray begins the longer part.
func (v *Verifier) belongs(s *stream, line *stray) bool {
	if !v.follows(s, line.seq, &line.prev) {
		return false
	}
	at := slices.IndexFunc(s.parts, func(p *part) bool { return p.first <= line.seq && line.seq <= p.last })
	if at < 0 || s.parts[at].first < line.seq {
		return false
	}
	other, own := s.parts[at], s.contestedBy(line)
	return !v.follows(s, other.first, &other.prev) || own != nil && own.last-own.first > other.last-other.first
}

// contestedBy returns the part that begins with a stray, nil if there is none.
func (s *stream) contestedBy(line *stray) *part {
	for _, p := range s.contested {
		if p.from == line.here {
			return p
		}
	}
	return nil
}

// follows reports whether a line's prev is the mac of the line before it.
func (v *Verifier) follows(s *stream, seq uint64, prev *[audit.MACBytes]byte) bool {
	if seq == 0 {
		return *prev == [audit.MACBytes]byte{}
	}
	return v.store.has(s, seq-1, prev)
}

// reordered is the break where lines overtook a stray: the first part after its place.
func (line *stray) reordered(s *stream) Break {
	next := uint64(0) // of the input's part before
	for _, p := range s.parts {
		if p.input != line.input {
			continue
		}
		if p.first > line.seq {
			return Break{Kind: Reordered, Place: p.from, Seq: next}
		}
		next = p.last + 1
	}
	return Break{Kind: Reordered, Place: line.here, Seq: line.seq}
}
