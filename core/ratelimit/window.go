package ratelimit

import "math"

// window is a Window with what follows from it.
type window struct {
	max    uint64
	length int64 // nanoseconds
	grid   int64 // nanoseconds of a ring's slot
	width  int   // bytes of a ring's counter
}

func newWindow(w Window) window {
	width := 8
	switch {
	case w.Max <= math.MaxUint16:
		width = 2
	case w.Max <= math.MaxUint32:
		width = 4
	}
	return window{max: w.Max, length: w.Length, grid: w.Length / LogEntries, width: width}
}

// The two forms a window is stored in: the first byte of each.
const (
	formLog  = 1
	formRing = 2
)

// state is one caller's window at one moment: what still counts then. The zero state is an empty log.
type state struct {
	ring  bool
	total uint64 // cost that counts, at most the window's max
	body  []byte // as stored: a log's charges that count, or all of a ring's counters

	// of a log
	count          int
	oldest, newest int64 // nanoseconds; without meaning when count is 0

	// of a ring
	first, last uint64 // slots: the oldest whose counter isn't 0, and the newest charged
}

// read takes one window off the front of b and drops what no longer counts at now. It reports false if the bytes can't
// have been written by this package: only the arithmetic that a decision needs is checked, see the package comment.
func (w *window) read(b []byte, now int64) (s state, rest []byte, ok bool) {
	if len(b) == 0 {
		return s, nil, false
	}
	switch b[0] {
	case formLog:
		s, rest, ok = w.readLog(b, now)
	case formRing:
		s, rest, ok = w.readRing(b, now)
	}
	return s, rest, ok && s.total <= w.max
}

// appendCharged appends s with one more charge at now, which fits, and makes s the state after it. It reports false if s
// turns out to be none that this package wrote.
func (w *window) appendCharged(dst []byte, s *state, now int64, cost uint64) (_ []byte, ok bool) {
	if !s.ring && s.count < LogEntries {
		return w.appendLogCharged(dst, s, now, cost), true
	}
	if !s.ring {
		return w.appendConverted(dst, s, now, cost)
	}
	return w.appendRingCharged(dst, s, now, cost), true
}

// appendWithdrawn appends s without the charge of that cost made at at, if it still counts, and makes s the state after it.
func (w *window) appendWithdrawn(dst []byte, s *state, at int64, cost uint64) []byte {
	if s.ring {
		return w.appendRingWithdrawn(dst, s, at, cost)
	}
	return w.appendLogWithdrawn(dst, s, at, cost)
}

// expiry is when the oldest charge stops to count. s isn't empty.
func (w *window) expiry(s *state) int64 {
	if s.ring {
		return w.slotExpiry(s.first)
	}
	return s.oldest + w.length
}

// fits is the moment from which cost fits, if nothing else is charged; it doesn't fit now.
func (w *window) fits(s *state, now int64, cost uint64) int64 {
	if cost > w.max {
		return now + w.length
	}
	excess := s.total - (w.max - cost) // what has to expire first
	if s.ring {
		return w.ringRelease(s, excess)
	}
	return w.logRelease(s, excess)
}

// report says what s leaves to its caller, whose own clock reads now.
func (w *window) report(s *state, now int64) WindowState {
	r := WindowState{Limit: w.max, Remaining: w.max - s.total}
	if s.total > 0 {
		r.Reset = w.expiry(s) - now
	}
	return r
}
