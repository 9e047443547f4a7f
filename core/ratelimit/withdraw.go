package ratelimit

// Withdraw takes back the charge of cost that Charge recorded in out, which then shows what is left without it. Nothing happens if the
// charge no longer counts: it has expired, or was evicted, reset or cleared; nor the second time. It reports false if the
// charge stays, because the store failed or all Tries compare-and-sets were lost: that may cause refusals, never admissions.
func (l *Limiter) Withdraw(rule int, id ID, cost uint64, out *Result, now int64) bool {
	if !out.kept {
		return true
	}
	r := &l.rules[rule]
	now = max(now, 0)
	cost = max(cost, 1)
	var f found
	for range Tries {
		if l.load(r, id, now, &f) != nil {
			return false
		}
		done, err := true, error(nil)
		if f.exists && f.birth == out.birth {
			var changed bool
			if l.buf, changed = r.appendWithdrawn(l.buf[:0], &f, cost, out.at); changed {
				done, err = l.store.CompareAndSet(f.key, l.buf, f.version)
			}
		}
		if err != nil {
			return false
		}
		if done {
			out.kept = false
			for i := range r.windows {
				out.Windows[i] = r.windows[i].report(&f.states[i], now)
			}
			return true
		}
	}
	return false
}

// appendWithdrawn appends the bucket without the charge of cost at that moment, and without the caller if nothing else counts. changed says
// whether the charge still counted in any window.
func (r *rule) appendWithdrawn(dst []byte, f *found, cost uint64, at int64) (_ []byte, changed bool) {
	dst = r.appendOthers(dst, &f.bucket, f.tag, nil)
	from := len(dst)
	dst = appendEntry(dst, f.tag, f.birth, f.last)
	empty := true
	for i := range r.windows {
		s := &f.states[i]
		before := s.total
		dst = r.windows[i].appendWithdrawn(dst, s, at, cost)
		changed = changed || s.total != before
		empty = empty && s.total == 0
	}
	if empty {
		return dst[:from], changed
	}
	finishEntry(dst, from)
	return dst, changed
}

// Reset forgets a caller's charges under a rule. The error is the store's or ErrContention.
func (l *Limiter) Reset(rule int, id ID, now int64) error {
	r := &l.rules[rule]
	var f found
	for range Tries {
		if err := l.load(r, id, max(now, 0), &f); err != nil {
			return err
		}
		if !f.exists && f.damaged == 0 {
			return nil
		}
		l.buf = r.appendOthers(l.buf[:0], &f.bucket, f.tag, nil)
		if done, err := l.store.CompareAndSet(f.key, l.buf, f.version); err != nil || done {
			return err
		}
	}
	return ErrContention
}
