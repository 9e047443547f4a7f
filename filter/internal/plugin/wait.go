package plugin

import (
	"gatehouse/core/clock"
	"gatehouse/core/reason"
	"gatehouse/filter/internal/proxy"
)

// maxWaiting bounds the requests that one worker holds while keys are fetched. Those whose
// signature no key made may take maxUnverified of these places: anybody can send them.
const (
	maxWaiting    = 1024
	maxUnverified = 256
)

// maxResumed bounds the requests that one tick resumes. The proxy goes on with them when the tick's
// callback has returned, but with each of them inside the one before: a thousand are too deep for
// Envoy's stack, and the VM dies.
const maxResumed = 32

// Counters go to the proxy, where they may lag by a second, and keys are looked after at every
// tick. While requests wait for keys, ticks come faster, and faster still while there are more to
// resume than one tick may.
const (
	tickMilliseconds  = 500
	hurryMilliseconds = 20
	drainMilliseconds = 2
)

// setTick sets the time between ticks.
func (p *plugin) setTick(milliseconds uint32) error {
	if milliseconds == p.tick {
		return nil
	}
	err := p.proxy.SetTick(milliseconds)
	if err == nil {
		p.tick = milliseconds
	}
	return err
}

// pace is setTick after the start: if it fails the old pace stays until the next tick tries again.
func (p *plugin) pace(milliseconds uint32) {
	if err := p.setTick(milliseconds); err != nil {
		proxy.Log(p.proxy, proxy.Error, "the time between ticks stays as it was: "+err.Error())
	}
}

// wait makes a request wait for its provider's keys; false if too many wait already.
func (p *plugin) wait(s *stream, now clock.Mono) bool {
	unverified := s.decision.WaitWhy == reason.InvalidSignature
	if len(p.waiting) >= maxWaiting || unverified && p.unverified >= maxUnverified {
		return false
	}
	if s.unverified = unverified; unverified {
		p.unverified++
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
	s.stopWaiting()
	for i, w := range p.waiting {
		if w == s {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return
		}
	}
}

// stopWaiting gives the request's place to another one.
func (s *stream) stopWaiting() {
	s.deadline = 0
	if s.unverified {
		s.unverified = false
		s.plugin.unverified--
	}
}

// resume goes on with the requests that need not, or may not, wait any longer: those that came
// first, and the others at the next ticks.
func (p *plugin) resume(now clock.Mono) {
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
		if err := p.proxy.SetContext(s.id); err != nil {
			proxy.Log(p.proxy, proxy.Error, "a held request has to wait for another tick: "+err.Error())
			p.waiting = append(p.waiting, s)
			continue
		}
		s.stopWaiting()
		s.resume()
	}
	if err := p.proxy.SetContext(p.id); err != nil {
		return // what follows would act on a stream; the next tick begins in the plugin's context again
	}
	switch {
	case len(ready) == maxResumed:
		p.pace(drainMilliseconds)
	case len(p.waiting) > 0:
		p.pace(hurryMilliseconds)
	default:
		p.pace(tickMilliseconds)
	}
}
