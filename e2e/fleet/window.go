package fleet

// Second is a second in the simulation's time, nanoseconds.
const Second = int64(1_000_000_000)

// sliding is a sliding window: an exact log of the last limit admissions.
type sliding struct {
	limit  int
	length int64
	log    []int64 // a ring, once it is full
	next   int     // where the oldest admission is, once it is full
}

// admit decides a request at a moment, none earlier than the last.
func (w *sliding) admit(now int64) bool {
	if len(w.log) < w.limit {
		w.log = append(w.log, now)
		return true
	}
	if now-w.log[w.next] < w.length {
		return false
	}
	w.log[w.next] = now
	w.next = (w.next + 1) % w.limit
	return true
}

// clear makes it as new.
func (w *sliding) clear() { w.log, w.next = w.log[:0], 0 }

// live returns how many admissions still count.
func (w *sliding) live(now int64) int {
	n := 0
	for _, t := range w.log {
		if now-t < w.length {
			n++
		}
	}
	return n
}

// fixed is the rate limit service's window: a count that starts again with each multiple of length.
type fixed struct {
	limit  int
	length int64
	window int64
	count  int
}

// admit counts a request, also one that it refuses, and decides it.
func (w *fixed) admit(now int64) bool {
	if n := now / w.length; n != w.window {
		w.window, w.count = n, 0
	}
	w.count++
	return w.count <= w.limit
}
