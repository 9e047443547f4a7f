package ratelimittest

import "gatehouse/core/ratelimit"

// Faults is a Store that behaves as under concurrent workers and failing hosts. Every hook may be
// nil. A hook may use another worker's Store, and this one.
type Faults struct {
	ratelimit.Store

	BeforeGet func(key string)       // another worker acts just before a read
	BeforeSet func(key string)       // or between a read and the write that depends on it
	Lose      func(key string) bool  // whether a compare-and-set is lost, for no visible reason
	Fail      func(key string) error // what a call fails with, if not nil

	Gets, Sets int // how many calls were made; lost and failed ones count
	Swaps      int // how many of the Sets wrote
}

// Get implements ratelimit.Store.
func (f *Faults) Get(key string) ([]byte, ratelimit.Version, error) {
	f.Gets++
	if f.BeforeGet != nil {
		f.BeforeGet(key)
	}
	if f.Fail != nil {
		if err := f.Fail(key); err != nil {
			return nil, ratelimit.Absent, err
		}
	}
	return f.Store.Get(key)
}

// CompareAndSet implements ratelimit.Store.
func (f *Faults) CompareAndSet(key string, value []byte, v ratelimit.Version) (bool, error) {
	f.Sets++
	if f.BeforeSet != nil {
		f.BeforeSet(key)
	}
	if f.Fail != nil {
		if err := f.Fail(key); err != nil {
			return false, err
		}
	}
	if f.Lose != nil && f.Lose(key) {
		return false, nil
	}
	swapped, err := f.Store.CompareAndSet(key, value, v)
	if swapped {
		f.Swaps++
	}
	return swapped, err
}
