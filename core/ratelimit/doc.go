// Package ratelimit decides sliding-window limits over a key-value store that several workers share by compare-and-set.
//
// # What it keeps
//
// A charge counts while its age is less than the window; at exactly the window it no longer counts. For any moment, the cost
// admitted in the window that ends there is at most the limit, over all workers, as long as nobody was evicted. A refused
// charge weighs nothing. Up to [LogEntries] charges in a window are kept as an exact log. With one more the
// window becomes a ring of as many slots, in which a charge weighs up to Length/LogEntries longer, never shorter, until the
// window has emptied; then it is a log again.
//
// Moments are nanoseconds on a monotonic clock that all workers share. Their readings may arrive out of order: a bucket
// remembers the newest moment at which it was written, and nothing happens before that.
//
// # Where it keeps it
//
// Shared data can't be deleted, so a rule has a fixed number of buckets, each the value of one key, and a caller's
// bucket follows from its [ID]. A bucket holds up to 32 callers and there is one for every 16 of Rule.MaxIdentifiers. With
// that many callers at once their number in a bucket is about Poisson distributed with mean 16, and exceeds 32 for 1.3 in 10,000 buckets:
// 1 caller in 70,000 finds no room. So memory is bounded by twice MaxIdentifiers callers, of 53 bytes and then 1 to 6 a charge while a
// log (at 100 evenly spread charges in 60 s, 550), or 1, 2 or 4 kB as a ring (for a limit below 2^16, below 2^32, above).
//
// What has expired is dropped whenever a bucket is written. When a bucket is full and a newcomer arrives, whoever has nothing
// left that counts goes first, then the one who has used up the least of its tightest window (on a tie, the one whose
// newest charge is the oldest). A caller who has reached its limit (what is left is less than Rule.Cheapest) is never forgotten for a
// newcomer: if all 32 have, the newcomer is admitted without being recorded.
//
// An entry is recognised by 64 bits of the ID beside those that chose the bucket. Two callers who agree in both would share a
// limit: for a newcomer, a chance of 32 in 2^64, and nobody without the key can look for one.
//
// # What it makes of what it reads
//
// Other plugins may write to the same shared data, and so may another version of this package. Keys and values both name the
// format, and keys have a fingerprint of the rule, which the value repeats: formats and rules
// never meet under one key. What is malformed or impossible all the same (a clock too far ahead, more than the limit, moments that go
// back) is taken for empty and overwritten by the next charge, and counted as an eviction. To refuse instead would let one
// stray write lock callers out for good; and it is no way round a limit, for a caller can't write to
// shared data, and who can may as well write a valid empty bucket. A log's individual charges are checked when they expire or
// are needed, not at each decision: a total that doesn't agree with them lasts for a window at most.
package ratelimit
