package ratelimit

import (
	"bytes"
	"strings"
	"sync"
)

// MemoryStore is a Store in memory, for tests and the command line, which have no proxy. Unlike
// other Stores, one MemoryStore may be used by several workers concurrently.
type MemoryStore struct {
	mu     sync.Mutex
	values map[string]*memoryValue
	last   Version // the newest version of any key
}

type memoryValue struct {
	bytes   []byte // never changed, only replaced
	version Version
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{values: make(map[string]*memoryValue)}
}

// Get implements Store. It never fails, and the value stays valid.
func (m *MemoryStore) Get(key string) (value []byte, v Version, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found := m.values[key]; found != nil {
		return found.bytes, found.version, nil
	}
	return nil, Absent, nil
}

// CompareAndSet implements Store. It never fails.
func (m *MemoryStore) CompareAndSet(key string, value []byte, v Version) (swapped bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.values[key]
	switch {
	case found == nil && v == Absent:
		found = new(memoryValue)
		m.values[strings.Clone(key)] = found
	case found == nil || found.version != v:
		return false, nil
	}
	m.last++
	*found = memoryValue{bytes.Clone(value), m.last}
	return true, nil
}

// Len is the number of keys.
func (m *MemoryStore) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.values)
}

var _ Store = (*MemoryStore)(nil)
