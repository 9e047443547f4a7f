// Package shared keeps what all workers share in the proxy's shared data.
package shared

import (
	"errors"

	"gatehouse/core/ratelimit"
	"gatehouse/filter/internal/proxy"
)

// Store is the proxy's shared data as a ratelimit.Store. It has no state of its own.
type Store struct{ Proxy proxy.Proxy }

// Get implements ratelimit.Store. An error is the proxy's status.
func (s Store) Get(key string) ([]byte, ratelimit.Version, error) {
	value, cas, err := s.Proxy.SharedGet(key)
	switch {
	case err == nil:
		return value, ratelimit.Version(cas) + 1, nil
	case proxy.Absent(err):
		return nil, ratelimit.Absent, nil
	}
	return nil, ratelimit.Absent, err
}

// CompareAndSet implements ratelimit.Store. The proxy ignores the compare-and-set value of a key
// that is absent, so two creators would both succeed; with a value that no entry has, the second
// one fails. An error is the proxy's status.
func (s Store) CompareAndSet(key string, value []byte, v ratelimit.Version) (bool, error) {
	cas := proxy.NoMatch
	if v != ratelimit.Absent {
		cas = uint32(v - 1)
	}
	err := s.Proxy.SharedSet(key, value, cas)
	if errors.Is(err, proxy.CASMismatch) {
		return false, nil
	}
	return err == nil, err
}
