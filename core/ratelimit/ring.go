package ratelimit

import "encoding/binary"

// A ring is stored as
//
//	form 1 | total 8 | first 8 | last 8 | ringSlots counters of the window's width
//
// where slot k is the time [k·grid, (k+1)·grid). Its counter, at k mod ringSlots, is the cost
// charged in it. A charge counts as if made at the end of its slot, so it counts up to one grid,
// Length/512, longer and never shorter. Slot k expires when slot k+ringSlots begins: the slots that
// count are the current one and the 512 before it.
const (
	ringHeader = 25
	ringSlots  = LogEntries + 1
)

func (w *window) slot(t int64) uint64 { return uint64(t / w.grid) }

func (w *window) slotExpiry(slot uint64) int64 { return int64(slot+ringSlots) * w.grid }

func (w *window) counter(counters []byte, slot uint64) uint64 {
	i := int(slot%ringSlots) * w.width
	switch w.width {
	case 2:
		return uint64(binary.LittleEndian.Uint16(counters[i:]))
	case 4:
		return uint64(binary.LittleEndian.Uint32(counters[i:]))
	}
	return binary.LittleEndian.Uint64(counters[i:])
}

func (w *window) setCounter(counters []byte, slot, v uint64) {
	i := int(slot%ringSlots) * w.width
	switch w.width {
	case 2:
		binary.LittleEndian.PutUint16(counters[i:], uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(counters[i:], uint32(v))
	default:
		binary.LittleEndian.PutUint64(counters[i:], v)
	}
}

func (w *window) readRing(b []byte, now int64) (s state, rest []byte, ok bool) {
	size := ringHeader + ringSlots*w.width
	if len(b) < size {
		return s, nil, false
	}
	s = state{
		ring:  true,
		total: binary.LittleEndian.Uint64(b[1:]),
		first: binary.LittleEndian.Uint64(b[9:]),
		last:  binary.LittleEndian.Uint64(b[17:]),
		body:  b[ringHeader:size],
	}
	current := w.slot(now)
	if s.last > current || s.first > s.last || s.last-s.first >= ringSlots {
		return s, nil, false
	}
	for s.first <= s.last && (s.first+ringSlots <= current || w.counter(s.body, s.first) == 0) {
		expired := w.counter(s.body, s.first)
		if expired > s.total {
			return s, nil, false
		}
		s.total -= expired
		s.first++
	}
	if s.first > s.last {
		return state{}, b[size:], s.total == 0 // empty: an empty log
	}
	return s, b[size:], true
}

func appendRing(dst []byte, s *state) []byte {
	dst = append(dst, formRing)
	dst = binary.LittleEndian.AppendUint64(dst, s.total)
	dst = binary.LittleEndian.AppendUint64(dst, s.first)
	return binary.LittleEndian.AppendUint64(dst, s.last)
}

func (w *window) appendRingCharged(dst []byte, s *state, now int64, cost uint64) []byte {
	current := w.slot(now)
	counters := s.body
	last := s.last
	s.last = current
	s.total += cost
	dst = append(appendRing(dst, s), counters...)
	s.body = dst[len(dst)-len(counters):]
	for slot := last + 1; slot <= current; slot++ { // fewer than ringSlots: the slot last still counts
		w.setCounter(s.body, slot, 0)
	}
	w.setCounter(s.body, current, w.counter(s.body, current)+cost)
	return dst
}

// appendConverted compacts a full log into a ring and adds the charge to the ring.
func (w *window) appendConverted(dst []byte, s *state, now int64, cost uint64) (_ []byte, ok bool) {
	ring := state{ring: true, total: s.total + cost, first: w.slot(s.oldest), last: w.slot(now)}
	dst = appendRing(dst, &ring)
	var zeros [64]byte
	for left := ringSlots * w.width; left > 0; left -= len(zeros) {
		dst = append(dst, zeros[:min(left, len(zeros))]...)
	}
	ring.body = dst[len(dst)-ringSlots*w.width:]
	add := func(moment int64, cost uint64) {
		slot := w.slot(moment)
		w.setCounter(ring.body, slot, w.counter(ring.body, slot)+cost)
	}
	c := s.walk()
	for c.next() {
		add(c.moment, c.cost)
	}
	if c.done < s.count {
		return dst, false
	}
	add(now, cost)
	*s = ring
	return dst, true
}

func (w *window) appendRingWithout(dst []byte, s *state, at int64, cost uint64) []byte {
	slot := w.slot(at)
	counts := slot >= s.first && slot <= s.last && w.counter(s.body, slot) >= cost && cost <= s.total
	if counts {
		s.total -= cost
	}
	dst = append(appendRing(dst, s), s.body...)
	s.body = dst[len(dst)-len(s.body):]
	if counts {
		w.setCounter(s.body, slot, w.counter(s.body, slot)-cost)
		for s.first < s.last && w.counter(s.body, s.first) == 0 {
			s.first++ // readers skip empty slots as well
		}
	}
	return dst
}

// ringRelease is the moment from which at least excess of s has expired.
func (w *window) ringRelease(s *state, excess uint64) int64 {
	for slot := s.first; slot < s.last; slot++ {
		expired := w.counter(s.body, slot)
		if expired >= excess {
			return w.slotExpiry(slot)
		}
		excess -= expired
	}
	return w.slotExpiry(s.last)
}
