// Package clock has a type for each of the two clocks, so that one's moments can't be taken for the
// other's. It reads no clock: whoever runs the core passes the moments in.
package clock

// Second is a second in nanoseconds.
const Second = 1_000_000_000

// Wall is a moment on the wall clock: nanoseconds since 1970-01-01 00:00 UTC. Tokens and events are
// dated by it. It jumps when the clock is set.
type Wall int64

// Mono is a moment on the host's monotonic clock, which all workers of a process share: nanoseconds
// since an unknown moment. Rate limits and durations are measured by it.
type Mono int64

// Since returns the nanoseconds from an earlier moment to m; 0 if earlier is in fact later, as two
// workers' readings may be.
func (m Mono) Since(earlier Mono) int64 { return int64(max(m-earlier, 0)) }

// Add returns the moment that many nanoseconds after m.
func (m Mono) Add(nanoseconds int64) Mono { return m + Mono(nanoseconds) }
