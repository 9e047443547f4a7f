package soak_test

import (
	"context"
	"math/rand/v2"
	"time"

	"gatehouse/cmd/testbed/toy"
)

// faults break what is around the gate, several things at a time, until the context ends.
type faults struct {
	rec      *record
	issuers  []*issuer
	receiver *receiver
	upstream *toy.Upstream
	gate     *gate
	load     *load
	usual    int64 // the rate, requests a second
	random   *rand.Rand
}

// run ends with everything in order again. Each fault has its own rhythm, so that in time every two
// of them meet. The drawing of lots is this goroutine's alone.
func (f *faults) run(ctx context.Context) {
	var due [6]time.Time
	acts := [len(due)]func(now time.Time) time.Time{f.keys, f.sink, f.service, f.burst, f.rotate, f.update}
	now := time.Now()
	for i := range due {
		due[i] = now.Add(time.Duration(1+f.random.IntN(4)) * time.Second)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			f.mend()
			return
		case now := <-tick.C:
			for i := range due {
				if now.After(due[i]) {
					due[i] = acts[i](now)
				}
			}
		}
	}
}

// between is a moment so many milliseconds from now.
func (f *faults) between(now time.Time, least, most int) time.Time {
	return now.Add(time.Duration(least+f.random.IntN(most-least)) * time.Millisecond)
}

// keys gives one issuer another fault, or none. The outages last longer than the sets of provider
// flaky may serve.
func (f *faults) keys(now time.Time) time.Time {
	i := f.issuers[f.random.IntN(len(f.issuers))]
	fault := ""
	if f.random.IntN(3) > 0 {
		fault = keyFaults[f.random.IntN(len(keyFaults))]
	}
	i.misbehave(fault)
	return f.between(now, 1500, 9000)
}

// sink lets the audit receiver fail for some time in every two.
func (f *faults) sink(now time.Time) time.Time {
	if f.random.IntN(2) == 0 {
		f.receiver.misbehave("")
		return f.between(now, 3000, 9000)
	}
	f.receiver.misbehave(receiverFaults[f.random.IntN(len(receiverFaults))])
	return f.between(now, 1000, 9000)
}

// service takes the upstream down for a moment, with all requests that it has.
func (f *faults) service(now time.Time) time.Time {
	if f.random.IntN(2) == 0 {
		f.rec.event("upstream", object{"fault": "down"})
		f.upstream.Stop()
		time.Sleep(time.Duration(f.random.IntN(400)) * time.Millisecond)
		f.rec.note(f.upstream.Restart())
		f.rec.event("upstream", object{"fault": ""})
	}
	return f.between(now, 5000, 15000)
}

// burst changes the rate.
func (f *faults) burst(now time.Time) time.Time {
	if f.load.rate.Load() > f.usual {
		f.load.rate.Store(f.usual)
		return f.between(now, 6000, 12000)
	}
	f.rec.event("burst", nil)
	f.load.rate.Store(3 * f.usual)
	return f.between(now, 500, 1500)
}

// rotate gives an issuer new keys, and often takes the old ones away at once.
func (f *faults) rotate(now time.Time) time.Time {
	i := f.issuers[f.random.IntN(len(f.issuers))]
	keep := f.random.IntN(3) > 0
	f.rec.note(i.Rotate(keep))
	f.rec.event("rotate", object{"provider": i.provider, "keep": keep})
	return f.between(now, 15000, 40000)
}

// update replaces the gate's configuration, or tries to with one that is refused.
func (f *faults) update(now time.Time) time.Time {
	if f.random.IntN(4) == 0 {
		f.gate.applyBad()
		return f.between(now, 2000, 5000)
	}
	f.gate.apply()
	return f.between(now, 12000, 25000)
}

// mend ends all faults.
func (f *faults) mend() {
	for _, i := range f.issuers {
		i.misbehave("")
	}
	f.receiver.misbehave("")
	f.load.rate.Store(f.usual)
}
