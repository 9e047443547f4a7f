// Package ratelimit decides sliding-window rate limits. Several workers share the state through a
// key-value store with compare-and-set.
//
// # Semantics
//
// A charge counts while its age is less than the window. At exactly the window's length it no
// longer counts. For any moment, the cost admitted in the window that ends there is at most the
// limit, summed over all workers, as long as no entry was evicted. A refused charge counts nothing.
//
// A window keeps up to [LogEntries] charges as an exact log. One charge more compacts the log into
// a ring of LogEntries+1 slots. In a ring a charge may count up to Length/LogEntries longer, never
// shorter. Once the window has emptied it is a log again.
//
// Moments are nanoseconds on a monotonic clock that all workers share. Workers may write in another
// order than they read the clock: a bucket remembers the newest moment at which it was written, and
// no later decision is made for an earlier moment.
//
// # Memory
//
// Shared data cannot be deleted. So a rule has a fixed number of buckets, each the value of one
// key, and the [ID] of an identifier chooses its bucket. A bucket holds up to 32 entries, and there
// is one bucket for every 16 of Rule.MaxIdentifiers. With that many identifiers at once, the number
// of identifiers in a bucket is about Poisson distributed with mean 16. It exceeds 32 in 1.3 of
// 10,000 buckets, and 1 identifier in 70,000 finds no room. So memory is bounded by twice
// MaxIdentifiers entries. An entry has 53 bytes, and then per window either 1 to 6 bytes for each
// charge of a log (550 bytes at 100 evenly spread charges in 60 s), or a ring of 1, 2 or 4 kB (for
// a limit below 2^16, below 2^32, above).
//
// # Eviction
//
// Each write of a bucket drops its expired entries. If a new identifier finds its bucket full, the
// limiter evicts an entry: an expired one, else the one that uses the smallest share of its limit
// (on a tie, the one whose newest charge is the oldest). An identifier that has reached its limit
// (less than Rule.MinCost remains) is never evicted for a new one. If all 32 have reached their
// limit, the new identifier is admitted without being recorded.
//
// An entry is found by 64 bits of the ID that did not choose the bucket. Two identifiers that agree
// in both parts would share a limit. For a new identifier that is a chance of 32 in 2^64, and
// nobody without the hash key can search for one.
//
// # Damaged data
//
// Other plugins may write to the same shared data, and so may another version of this package. Keys
// and values both name the format. A key contains a fingerprint of its rule, and the value repeats
// it. So two formats, or two rules, never meet under one key. A value that is still malformed or
// impossible (a clock too far ahead, more than the limit, moments that go back) is read as empty,
// overwritten by the next charge, and counted as an eviction. To refuse instead would let one stray
// write lock callers out for good. It is no way around a limit: a caller cannot write to shared
// data, and a plugin that can may as well write a valid empty bucket. The charges of a log are
// checked when they expire or when a decision needs them, not at each decision: a total that
// disagrees with them lasts for one window at most.
package ratelimit
