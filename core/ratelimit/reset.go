package ratelimit

import "gatehouse/core/clock"

// Reset deletes an identifier's charges under a rule. The error is the store's or ErrContention.
func (l *Limiter) Reset(rule int, id ID, now clock.Mono) error {
	r := &l.rules[rule]
	var f found
	for range Tries {
		if err := l.load(r, id, max(int64(now), 0), &f); err != nil {
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
