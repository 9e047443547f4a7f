package ratelimit

import "encoding/binary"

// A log is stored as
//
//	form 1 | count 2 | bytes of the charges 2 | total 8 | oldest 8 | newest 8 | charges
//
// with moments in nanoseconds and the oldest charge first. A charge is a varint: the nanoseconds
// since the charge before it, times two, plus one if a varint with the cost follows. Without that
// varint the cost is 1. The oldest charge's distance is left over from earlier charges and has no
// meaning. The header has the moments of both ends, so a decision reads only the charges that have
// expired, not all 512.
const logHeader = 29

func (w *window) readLog(b []byte, now int64) (s state, rest []byte, ok bool) {
	if len(b) < logHeader {
		return s, nil, false
	}
	s = state{
		count:  int(binary.LittleEndian.Uint16(b[1:])),
		total:  binary.LittleEndian.Uint64(b[5:]),
		oldest: int64(binary.LittleEndian.Uint64(b[13:])),
		newest: int64(binary.LittleEndian.Uint64(b[21:])),
	}
	size := int(binary.LittleEndian.Uint16(b[3:]))
	b = b[logHeader:]
	if size > len(b) || s.count > LogEntries || uint64(s.count) > s.total ||
		s.oldest < 0 || s.oldest > s.newest || s.newest > now || s.newest-s.oldest >= w.length {
		return s, nil, false
	}
	s.body, rest = b[:size], b[size:]
	for s.count > 0 && now-s.oldest >= w.length {
		if !s.dropOldest() {
			return s, nil, false
		}
	}
	if s.count == 0 && (s.total != 0 || len(s.body) != 0) {
		return s, nil, false
	}
	return s, rest, true
}

// dropOldest removes the oldest charge.
func (s *state) dropOldest() bool {
	_, cost, n := readCharge(s.body)
	if n == 0 || cost > s.total {
		return false
	}
	s.body = s.body[n:]
	s.total -= cost
	s.count--
	if s.count == 0 {
		return true
	}
	since, _, n := readCharge(s.body)
	if n == 0 || since > uint64(s.newest-s.oldest) {
		return false
	}
	s.oldest += int64(since)
	return true
}

// readCharge reads the first charge of b, which has n bytes; n is 0 if b does not start with a
// charge.
func readCharge(b []byte) (since, cost uint64, n int) {
	since, n = binary.Uvarint(b)
	if n <= 0 {
		return 0, 0, 0
	}
	if since&1 == 0 {
		return since >> 1, 1, n
	}
	cost, m := binary.Uvarint(b[n:])
	if m <= 0 || cost < 2 {
		return 0, 0, 0
	}
	return since >> 1, cost, n + m
}

func appendCharge(dst []byte, since, cost uint64) []byte {
	if cost == 1 {
		return binary.AppendUvarint(dst, since<<1)
	}
	return binary.AppendUvarint(binary.AppendUvarint(dst, since<<1|1), cost)
}

// appendLog appends room for a log's header. The charges follow, then finishLog.
func appendLog(dst []byte) []byte {
	var header [logHeader]byte
	return append(dst, header[:]...)
}

// finishLog fills in the header of b, which is the whole log.
func (s *state) finishLog(b []byte) {
	b[0] = formLog
	binary.LittleEndian.PutUint16(b[1:], uint16(s.count))
	binary.LittleEndian.PutUint16(b[3:], uint16(len(b)-logHeader))
	binary.LittleEndian.PutUint64(b[5:], s.total)
	binary.LittleEndian.PutUint64(b[13:], uint64(s.oldest))
	binary.LittleEndian.PutUint64(b[21:], uint64(s.newest))
	s.body = b[logHeader:]
}

func (w *window) appendLogCharged(dst []byte, s *state, now int64, cost uint64) []byte {
	if s.count == 0 {
		s.oldest, s.newest = now, now
	}
	start := len(dst)
	dst = append(appendLog(dst), s.body...)
	dst = appendCharge(dst, uint64(now-s.newest), cost)
	s.count++
	s.total += cost
	s.newest = now
	s.finishLog(dst[start:])
	return dst
}

// appendLogWithout appends the log without one charge of that moment and cost. Equal charges are
// interchangeable.
func (w *window) appendLogWithout(dst []byte, s *state, at int64, cost uint64) []byte {
	start := len(dst)
	dst = appendLog(dst)
	found := s.find(at, cost)
	head, tail := s.body[:found.from], s.body[found.to:]
	dst = append(dst, head...)
	if found.to > found.from {
		s.count--
		s.total -= cost
		since, c, n := readCharge(tail)
		switch {
		case n == 0: // it was the newest
			s.newest = found.before
		case len(head) == 0: // it was the oldest
			s.oldest += int64(min(since, uint64(s.newest-s.oldest)))
		default:
			dst = appendCharge(dst, found.since+since, c)
			tail = tail[n:]
		}
		if s.count == 0 {
			s.oldest, s.newest = 0, 0
		}
	}
	dst = append(dst, tail...)
	s.finishLog(dst[start:])
	return dst
}

// place is a charge's position in a log: body[from:to], which is empty if the log does not have it.
type place struct {
	from, to int
	since    uint64
	before   int64 // moment of the charge before it
}

func (s *state) find(at int64, cost uint64) place {
	before := s.oldest
	for c := s.walk(); c.next(); before = c.moment {
		if c.moment == at && c.cost == cost && cost <= s.total {
			return place{from: c.from, to: c.to, since: c.since, before: before}
		}
	}
	return place{}
}

// logRelease is the moment from which at least excess of s has expired.
func (w *window) logRelease(s *state, excess uint64) int64 {
	for c := s.walk(); c.next(); excess -= c.cost {
		if c.cost >= excess {
			return c.moment + w.length
		}
	}
	return s.newest + w.length
}

// cursor iterates over a log's charges, oldest first.
type cursor struct {
	s    *state
	done int // number of charges read

	// the current charge
	from, to int // s.body[from:to]
	since    uint64
	moment   int64
	cost     uint64
}

func (s *state) walk() cursor { return cursor{s: s, moment: s.oldest} }

// next reads the next charge. It reports false after the last charge, and where the log is damaged:
// then done is less than s.count.
func (c *cursor) next() bool {
	if c.done == c.s.count {
		return false
	}
	since, cost, n := readCharge(c.s.body[c.to:])
	if c.done == 0 {
		since = 0 // it has no meaning
	}
	if n == 0 || since > uint64(c.s.newest-c.moment) {
		return false
	}
	c.from, c.to = c.to, c.to+n
	c.since, c.cost = since, cost
	c.moment += int64(since)
	c.done++
	return true
}
