package ratelimit

import "errors"

// Version tells one state of a key from the next. What it counts is the Store's own affair: versions are only ever compared.
type Version uint64

// Absent is the version of a key that isn't there: Get returns it for a missing key, and CompareAndSet takes it to
// create one.
const Absent Version = 0

// Store is a key-value store that all workers share. One Store value belongs to one worker and is not used concurrently;
// the data behind it is. ratelimittest.TestStore holds an implementation to this contract.
type Store interface {
	// Get returns a key's value and its version: nil and Absent when the key is missing. The value is valid until the
	// next call of this Store and must not be changed. An error is a failure of the store, never a missing key.
	Get(key string) (value []byte, v Version, err error)

	// CompareAndSet writes value if the key's version still is v, and reports whether it did. v is one that Get returned for
	// the key. With Absent it creates the key, or reports false if the key exists; it never overwrites blindly. A write
	// gives the key a version it never had before, even if the value stays the same. Keys are never deleted. The value is
	// copied; key and value are valid during the call only.
	CompareAndSet(key string, value []byte, v Version) (swapped bool, err error)
}

// ErrContention says that a compare-and-set was lost Tries times in a row.
var ErrContention = errors.New("ratelimit: lost every compare-and-set")

// Tries is how many compare-and-sets one operation attempts before it gives up as contention.
const Tries = 16
