//go:build wasip1

package plugin

import "gatehouse/filter/internal/host"

// maxWaiting bounds the requests that one worker holds while keys are fetched.
const maxWaiting = 1024

// Counters go to the proxy, where they may lag by a second, and keys are looked after at every tick. While requests wait for
// keys, ticks come faster.
const (
	tickMilliseconds  = 500
	hurryMilliseconds = 20
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

// resume goes on with the requests that need not, or may not, wait any longer.
func (p *plugin) resume(now int64) {
	if len(p.waiting) == 0 {
		p.pace(tickMilliseconds)
		return
	}
	kept := p.waiting[:0]
	var ready []*stream
	for _, s := range p.waiting {
		if now < s.deadline && p.keys.Pending(s.decision.WaitFor, now) {
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
	host.Within(p.id, func() {}) // the tick's own context again
}

// resume is RequestHeaders' second half, when the keys are there or won't come.
func (s *stream) resume() {
	defer s.recovered()
	s.plugin.gate.Resume(s.request(), &s.decision, false)
	if s.act() {
		host.Resume()
	}
}

// recovered answers for a request whose second half panicked.
func (s *stream) recovered() {
	if recover() != nil {
		host.Log(host.Error, "gatehouse: panic in a request that had waited")
		s.Panicked()
	}
}
