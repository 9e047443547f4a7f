package ratelimit

import "gatehouse/core/clock"

// Refund removes the charge of cost that Charge recorded in out, and updates out.Windows. It does
// nothing if the charge no longer counts (it has expired, or was evicted, reset or cleared), nor
// when called a second time. It reports false if the charge stays, because the store failed or all
// Tries compare-and-sets were lost: that may cause refusals, never admissions.
func (l *Limiter) Refund(rule int, id ID, cost uint64, out *Result, at clock.Mono) bool {
	if !out.recorded {
		return true
	}
	r := &l.rules[rule]
	now := max(int64(at), 0)
	cost = max(cost, 1)
	var f found
	for range Tries {
		if l.load(r, id, now, &f) != nil {
			return false
		}
		done, err := true, error(nil)
		if f.exists && f.birth == out.birth {
			var changed bool
			if l.buf, changed = r.appendRefunded(l.buf[:0], &f, cost, out.recordedAt); changed {
				done, err = l.store.CompareAndSet(f.key, l.buf, f.version)
			}
		}
		if err != nil {
			return false
		}
		if done {
			out.recorded = false
			for i := range r.windows {
				out.Windows[i] = r.windows[i].report(&f.states[i], now)
			}
			return true
		}
	}
	return false
}

// appendRefunded appends the bucket without the charge of that moment and cost, and without the
// identifier's entry if no other charge counts. changed is true if the charge still counted in a
// window.
func (r *rule) appendRefunded(dst []byte, f *found, cost uint64, at int64) (_ []byte, changed bool) {
	dst = r.appendOthers(dst, &f.bucket, f.tag, nil)
	from := len(dst)
	dst = appendEntry(dst, f.tag, f.birth, f.last)
	empty := true
	for i := range r.windows {
		s := &f.states[i]
		before := s.total
		dst = r.windows[i].appendWithout(dst, s, at, cost)
		changed = changed || s.total != before
		empty = empty && s.total == 0
	}
	if empty {
		return dst[:from], changed
	}
	finishEntry(dst, from)
	return dst, changed
}
