package ratelimit

import "errors"

// Version tells one state of a key from the next. Its number has no meaning outside the Store:
// versions are only compared for equality.
type Version uint64

// Absent is the version of a missing key: Get returns it, and CompareAndSet takes it to create the
// key.
const Absent Version = 0

// Store is a key-value store that all workers share. One Store value belongs to one worker and is
// not used concurrently; the data behind it is. ratelimittest.TestStore tests an implementation
// against this contract.
type Store interface {
	// Get returns a key's value and version: nil and Absent if the key is missing. The value is
	// valid until the next call of this Store and must not be changed. An error means that the
	// store failed, never that the key is missing.
	Get(key string) (value []byte, v Version, err error)

	// CompareAndSet writes value if the key's version still is v, and reports whether it wrote. v
	// is a version that Get returned for the key. With Absent it creates the key, or reports false
	// if the key exists; it never overwrites without comparing. A write gives the key a version it
	// never had before, even if the value stays the same. Keys are never deleted. The store copies
	// the value; key and value are valid during the call only.
	CompareAndSet(key string, value []byte, v Version) (swapped bool, err error)
}

// ErrContention means that one operation lost Tries compare-and-sets in a row.
var ErrContention = errors.New("ratelimit: lost every compare-and-set")

// Tries is how many compare-and-sets an operation attempts before it fails with contention.
const Tries = 16
