package ratelimittest

import (
	"strings"
	"sync"

	"gatehouse/core/ratelimit"
)

// Shared is memory that behaves like a proxy's shared data: values are copied in and out, and the
// worker's next call zeroes the value that Get returned, so that a test finds code that keeps it.
// Once its keys exist it allocates nothing, so benchmarks use it.
type Shared struct {
	mu     sync.Mutex
	values map[string]*sharedValue
}

type sharedValue struct {
	bytes   []byte
	version ratelimit.Version
}

// NewShared returns empty shared data.
func NewShared() *Shared { return &Shared{values: make(map[string]*sharedValue)} }

// Worker returns one worker's Store.
func (s *Shared) Worker() ratelimit.Store { return &sharedWorker{shared: s} }

// Size is how many keys there are, and how many bytes their values have.
func (s *Shared) Size() (keys, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.values {
		bytes += len(v.bytes)
	}
	return len(s.values), bytes
}

// Overwrite replaces every value by change's result, as another plugin that shares the data might.
func (s *Shared) Overwrite(change func(key string, value []byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, v := range s.values {
		v.bytes = append([]byte(nil), change(key, v.bytes)...)
		v.version++
	}
}

type sharedWorker struct {
	shared *Shared
	arena  []byte
}

// Get implements ratelimit.Store.
func (w *sharedWorker) Get(key string) ([]byte, ratelimit.Version, error) {
	clear(w.arena) // the value that the last call returned is no longer valid
	w.shared.mu.Lock()
	defer w.shared.mu.Unlock()
	v := w.shared.values[key]
	if v == nil {
		return nil, ratelimit.Absent, nil
	}
	w.arena = append(w.arena[:0], v.bytes...)
	return w.arena, v.version, nil
}

// CompareAndSet implements ratelimit.Store.
func (w *sharedWorker) CompareAndSet(key string, value []byte, version ratelimit.Version) (bool, error) {
	w.shared.mu.Lock()
	defer w.shared.mu.Unlock()
	v := w.shared.values[key]
	switch {
	case v == nil && version == ratelimit.Absent:
		v = new(sharedValue)
		w.shared.values[strings.Clone(key)] = v
	case v == nil || v.version != version:
		return false, nil
	}
	v.bytes = append(v.bytes[:0], value...)
	v.version++
	clear(w.arena)
	return true, nil
}
