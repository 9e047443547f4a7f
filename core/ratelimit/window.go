package ratelimit

import "math"

// window is a Window with the values derived from it.
type window struct {
	max    uint64
	length int64 // nanoseconds
	grid   int64 // length of a ring's slot, nanoseconds
	width  int   // size of a ring's counter, bytes
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

// The two forms in which a window is stored: the first byte of each.
const (
	formLog  = 1
	formRing = 2
)

// state is the charges of one identifier that count in one window at one moment. The zero state is
// an empty log.
type state struct {
	ring  bool
	total uint64 // the cost that counts, at most the window's max
	body  []byte // as stored: the charges of a log that count, or all counters of a ring

	// for a log
	count          int
	oldest, newest int64 // nanoseconds; no meaning if count is 0

	// for a ring
	first, last uint64 // slots: the oldest whose counter is not 0, and the newest charged
}

// read reads the first window of b and drops the charges that have expired at now. It reports false
// if this package can't have written the bytes. It checks only what a decision needs: see the
// package comment.
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

// appendCharged appends s with one more charge, which fits, and updates s. It reports false if s
// turns out to be damaged.
func (w *window) appendCharged(dst []byte, s *state, now int64, cost uint64) (_ []byte, ok bool) {
	if !s.ring && s.count < LogEntries {
		return w.appendLogCharged(dst, s, now, cost), true
	}
	if !s.ring {
		return w.appendConverted(dst, s, now, cost)
	}
	return w.appendRingCharged(dst, s, now, cost), true
}

// appendWithout appends s without the charge of that moment and cost, if it still counts, and
// updates s.
func (w *window) appendWithout(dst []byte, s *state, at int64, cost uint64) []byte {
	if s.ring {
		return w.appendRingWithout(dst, s, at, cost)
	}
	return w.appendLogWithout(dst, s, at, cost)
}

// expiry is the moment at which the oldest charge expires. s isn't empty.
func (w *window) expiry(s *state) int64 {
	if s.ring {
		return w.slotExpiry(s.first)
	}
	return s.oldest + w.length
}

// fits is the moment from which cost fits if nothing else is charged. It doesn't fit now.
func (w *window) fits(s *state, now int64, cost uint64) int64 {
	if cost > w.max {
		return now + w.length
	}
	excess := s.total - (w.max - cost) // the cost that has to expire first
	if s.ring {
		return w.ringRelease(s, excess)
	}
	return w.logRelease(s, excess)
}

// report returns what s leaves; now is the worker's own clock.
func (w *window) report(s *state, now int64) WindowState {
	r := WindowState{Limit: w.max, Remaining: w.max - s.total}
	if s.total > 0 {
		r.Reset = w.expiry(s) - now
	}
	return r
}
