//go:build wasip1

// Package shared keeps what all workers share in the proxy's shared data.
package shared

import (
	"errors"

	"gatehouse/core/ratelimit"
	"gatehouse/filter/internal/host"
)

// Store is the proxy's shared data as a ratelimit.Store. It has no state of its own.
type Store struct{}

var errStore = errors.New("the proxy's shared data can't be used")

// Get implements ratelimit.Store.
func (Store) Get(key string) ([]byte, ratelimit.Version, error) {
	value, cas, s := host.SharedGet(key)
	switch s {
	case host.OK:
		return value, ratelimit.Version(cas) + 1, nil
	case host.NotFound:
		return nil, ratelimit.Absent, nil
	}
	return nil, ratelimit.Absent, errStore
}

// CompareAndSet implements ratelimit.Store. The host ignores the compare-and-set value of a key that is absent, so two creators
// would both succeed; with a value that no entry has, the second one fails.
func (Store) CompareAndSet(key string, value []byte, v ratelimit.Version) (bool, error) {
	cas := host.NoMatch
	if v != ratelimit.Absent {
		cas = uint32(v - 1)
	}
	switch host.SharedSet(key, value, cas) {
	case host.OK:
		return true, nil
	case host.CasMismatch:
		return false, nil
	}
	return false, errStore
}
