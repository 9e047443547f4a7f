// Package clock holds the clocks that a host can run on.
package clock

import (
	"sync"
	"time"
)

// Clock is what the host knows of time. The guest's wall clock, its monotonic
// clock, ticks, callout time-outs and the back-off of a reload all come from it.
//
// Implementations must be safe for concurrent use.
type Clock interface {
	// Now is the wall time (WASI's clock 0, proxy_get_current_time_nanoseconds).
	Now() time.Time
	// Monotonic is the time since some fixed start (WASI's clock 1). It never
	// goes back, whatever the wall clock does.
	Monotonic() time.Duration
	// AfterFunc calls f once when Monotonic has grown by d, and returns a
	// function that prevents a call that has not begun.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// System returns the machine's clock.
func System() Clock { return systemClock{start: time.Now()} }

type systemClock struct{ start time.Time }

func (systemClock) Now() time.Time             { return time.Now() }
func (c systemClock) Monotonic() time.Duration { return time.Since(c.start) }

func (systemClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// Manual is a Clock that moves only when told to. It is safe for
// concurrent use.
type Manual struct {
	mu     sync.Mutex
	wall   time.Time
	mono   time.Duration
	timers []*manualTimer
	seq    uint64
}

type manualTimer struct {
	at  time.Duration
	seq uint64
	f   func()
}

// NewManual returns a clock whose wall time is wall and whose monotonic
// time is one hour: a filter that takes zero for "never" must not pass by luck.
func NewManual(wall time.Time) *Manual {
	return &Manual{wall: wall, mono: time.Hour}
}

// Now implements Clock.
func (c *Manual) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

// Monotonic implements Clock.
func (c *Manual) Monotonic() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mono
}

// SetWall moves the wall clock alone, forward or back, as an operator or NTP
// would: no timer runs.
func (c *Manual) SetWall(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = t
}

// AfterFunc implements Clock. f runs inside the call of Advance that reaches
// its time, on that caller's goroutine.
func (c *Manual) AfterFunc(d time.Duration, f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &manualTimer{at: c.mono + max(d, 0), seq: c.seq, f: f}
	c.seq++
	c.timers = append(c.timers, t)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remove(t)
	}
}

// Advance moves both clocks on by d and runs the timers that fall due, in order
// of their times; each sees the clock at its own time. A negative d panics: a
// monotonic clock has no way back.
func (c *Manual) Advance(d time.Duration) {
	if d < 0 {
		panic("hostsim: ManualClock.Advance with a negative duration")
	}
	c.mu.Lock()
	end := c.mono + d
	for {
		t := c.nextDue(end)
		if t == nil {
			break
		}
		c.remove(t)
		c.moveTo(t.at)
		c.mu.Unlock()
		t.f()
		c.mu.Lock()
	}
	c.moveTo(end)
	c.mu.Unlock()
}

// moveTo moves both clocks to the monotonic time at, unless they are past it.
func (c *Manual) moveTo(at time.Duration) {
	if at > c.mono {
		c.wall = c.wall.Add(at - c.mono)
		c.mono = at
	}
}

func (c *Manual) nextDue(end time.Duration) *manualTimer {
	var next *manualTimer
	for _, t := range c.timers {
		if t.at <= end && (next == nil || t.at < next.at || t.at == next.at && t.seq < next.seq) {
			next = t
		}
	}
	return next
}

func (c *Manual) remove(t *manualTimer) {
	for i, u := range c.timers {
		if u == t {
			c.timers = append(c.timers[:i], c.timers[i+1:]...)
			return
		}
	}
}
