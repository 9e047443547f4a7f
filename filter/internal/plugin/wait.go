//go:build wasip1

package plugin

import "gatehouse/filter/internal/host"

// maxWaiting bounds the requests that one worker holds while keys are fetched.
const maxWaiting = 1024

// maxResumed bounds the requests that one tick lets go. The proxy goes on with them when the tick's callback has returned, but
// with each of them inside the one before: a thousand are too deep for Envoy's stack, and the VM dies.
const maxResumed = 32

// Counters go to the proxy, where they may lag by a second, and keys are looked after at every tick. While requests wait for
// keys, ticks come faster, and faster still while there are more to let go than one tick may.
const (
	tickMilliseconds  = 500
	hurryMilliseconds = 20
	drainMilliseconds = 2
)

// pace sets the time between ticks.
func (p *plugin) pace(milliseconds uint32) {
	if milliseconds != p.tick {
		p.tick = milliseconds
		host.SetTick(milliseconds)
	}
}

// hold makes a request wait for its provider's keys; false when too many wait already.
func (p *plugin) hold(s *stream, now int64) bool {
	if len(p.waiting) >= maxWaiting {
		return false
	}
	s.deadline = p.keys.Deadline(s.decision.WaitFor, now)
	p.waiting = append(p.waiting, s)
	p.pace(hurryMilliseconds)
	return true
}

// forget takes a stream that has ended out of those that wait.
func (p *plugin) forget(s *stream) {
	if s.deadline == 0 {
		return
	}
	s.deadline = 0
	for i, w := range p.waiting {
		if w == s {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return
		}
	}
}

// resume goes on with the requests that need not, or may not, wait any longer: those that came first, and the others at the
// next ticks.
func (p *plugin) resume(now int64) {
	kept := p.waiting[:0]
	var ready []*stream
	for _, s := range p.waiting {
		if len(ready) == maxResumed || now < s.deadline && p.keys.Pending(s.decision.WaitFor, now) {
			kept = append(kept, s)
		} else {
			ready = append(ready, s)
		}
	}
	clear(p.waiting[len(kept):])
	p.waiting = kept
	for _, s := range ready {
		s.deadline = 0
		host.Within(s.id, s.resume)
	}
	host.Within(p.id, func() {
		switch {
		case len(ready) == maxResumed:
			p.pace(drainMilliseconds)
		case len(p.waiting) > 0:
			p.pace(hurryMilliseconds)
		default:
			p.pace(tickMilliseconds)
		}
	})
}

// resume is RequestHeaders' second half, when the keys are there or won't come.
func (s *stream) resume() {
	defer s.recovered()
	s.plugin.gate.Resume(s.request(), &s.decision)
	if s.act() {
		host.Resume()
	}
}

// recovered answers for a request whose second half panicked. Those that wait behind it go on, even if answering panics too.
func (s *stream) recovered() {
	if r := recover(); r != nil {
		host.LogPanic("a request that had waited", r)
		defer func() { _ = recover() }()
		s.Panicked()
	}
}
