package fleet

import (
	"math/rand/v2"
	"slices"
)

// Outcome is what a fleet did in one window, after one to warm up; all per second unless it says
// otherwise.
type Outcome struct {
	Requests float64
	Ideal    float64 // admitted by one exact sliding window over the whole fleet
	Local    float64 // admitted by each proxy's window: about as many the service is asked
	Busiest  float64 // the most that one caller got past the proxies' windows in a window, over its limit
	Both     float64 // admitted by the proxies' windows and then the service

	Bare        float64 // Redis commands without either: two for each request
	LocalFirst  float64 // Redis commands when the proxies' windows come first
	Cached      float64 // Redis commands when the service remembers who is over
	LocalCached float64 // Redis commands with both

	Keys        float64 // that the service starts
	KeySeconds  float64 // that those keys count, up to their last request
	Identifiers float64 // in one proxy's windows
	Charges     float64 // in them
}

// Run simulates callers whose requests reach so many proxies each, evenly: 1 is a balancer that
// hashes the caller. The requests are the same whatever the spread.
func (f Fleet) Run(spread int) Outcome {
	var out Outcome
	requests, choices := random(0), random(uint64(spread))
	c := newCaller(f, spread)
	for _, s := range f.strata() {
		weight := float64(s.size) / float64(s.sample)
		for range s.sample {
			c.run(requests, choices, s.rate)
			out.add(c, weight)
		}
	}
	out.scale(f)
	return out
}

// caller simulates one caller after the other.
type caller struct {
	fleet   Fleet
	ideal   sliding
	local   []sliding // by proxy
	reached []int     // proxies that have seen the caller
	count             // of the current window
}

func newCaller(f Fleet, spread int) *caller {
	empty := sliding{limit: f.Limit, length: f.Window}
	c := &caller{fleet: f, ideal: empty, local: slices.Repeat([]sliding{empty}, spread)}
	c.layered.over, c.alone.over = make([]bool, f.Replicas), make([]bool, f.Replicas)
	return c
}

// count is what happened in one of the service's windows.
type count struct {
	requests, ideal, local, both int     // of them: how many there were, and were admitted
	layered, alone               service // behind the proxies' windows, and without them
	first, last                  int64   // moments of requests that reached Redis; first is -1 before there is one
}

// service is the rate limit service's state of one caller.
type service struct {
	counter int    // in Redis
	over    []bool // by replica, whether its local cache knows that the caller is over the limit
}

func (s *service) begin() {
	s.counter = 0
	clear(s.over)
}

// ask asks a replica and reports whether it asked Redis, and whether the request is admitted.
func (s *service) ask(replica, limit int) (asked, admitted bool) {
	if s.over[replica] {
		return false, false
	}
	s.counter++
	s.over[replica] = s.counter > limit
	return true, s.counter <= limit
}

// run simulates two of the service's windows of a new caller; count is of the second then.
func (c *caller) run(requests, choices *rand.Rand, rate float64) {
	c.ideal.clear()
	for _, proxy := range c.reached {
		c.local[proxy].clear()
	}
	c.reached = c.reached[:0]
	c.begin()
	f, window := c.fleet, int64(0)
	arrivals(requests, rate, 2*f.Window, func(now int64) {
		if n := now / f.Window; n != window {
			window = n
			c.begin()
		}
		c.request(now, choices.IntN(len(c.local)), choices.IntN(f.Replicas))
	})
	if window == 0 {
		c.begin() // nothing came in the second
	}
}

// begin begins a window of the service's.
func (c *caller) begin() {
	c.layered.begin()
	c.alone.begin()
	c.count = count{first: -1, layered: c.layered, alone: c.alone}
}

func (c *caller) request(now int64, proxy, replica int) {
	c.requests++
	if c.ideal.admit(now) {
		c.count.ideal++
	}
	c.alone.ask(replica, c.fleet.Limit)
	w := &c.local[proxy]
	if len(w.log) == 0 {
		c.reached = append(c.reached, proxy)
	}
	if !w.admit(now) {
		return
	}
	c.count.local++
	asked, admitted := c.layered.ask(replica, c.fleet.Limit)
	if asked {
		if c.first < 0 {
			c.first = now
		}
		c.last = now
	}
	if admitted {
		c.both++
	}
}

func (o *Outcome) add(c *caller, weight float64) {
	o.Requests += weight * float64(c.requests)
	o.Ideal += weight * float64(c.count.ideal)
	o.Local += weight * float64(c.count.local)
	o.Busiest = max(o.Busiest, float64(c.count.local)/float64(c.fleet.Limit))
	o.Both += weight * float64(c.both)
	const each = 2 // commands: INCRBY and EXPIRE
	o.Bare += weight * each * float64(c.requests)
	o.LocalFirst += weight * each * float64(c.count.local)
	o.Cached += weight * each * float64(c.alone.counter)
	o.LocalCached += weight * each * float64(c.layered.counter)
	if c.first >= 0 {
		o.Keys += weight
		o.KeySeconds += weight * float64(c.last-c.first) / float64(Second)
	}
	for _, proxy := range c.reached {
		if n := c.local[proxy].live(2 * c.fleet.Window); n > 0 {
			o.Identifiers += weight
			o.Charges += weight * float64(n)
		}
	}
}

// scale turns sums over a window into figures a second, and those of all proxies into those of one.
func (o *Outcome) scale(f Fleet) {
	seconds := float64(f.Window) / float64(Second)
	for _, sum := range []*float64{
		&o.Requests, &o.Ideal, &o.Local, &o.Both, &o.Bare, &o.LocalFirst, &o.Cached, &o.LocalCached, &o.Keys, &o.KeySeconds,
	} {
		*sum /= seconds
	}
	o.Identifiers /= float64(f.Proxies)
	o.Charges /= float64(f.Proxies)
}

// LiveKeys is how many keys Redis holds at any time (Little's law): each lives for its window and
// half the jitter on average, in seconds, after its last request.
func (o *Outcome) LiveKeys(f Fleet, jitter float64) float64 {
	return o.KeySeconds + o.Keys*(float64(f.Window)/float64(Second)+jitter/2)
}

// ProxyBytes is what the windows of one proxy take, without room for growth.
func (o *Outcome) ProxyBytes() float64 {
	return o.Identifiers*identifierBytes + o.Charges*chargeBytes
}
