// Package shared holds what all VMs of a process share: data and queues.
package shared

import (
	"sync"

	"gatehouse/hostsim/abi"
)

// Data is the store behind proxy_get_shared_data and
// proxy_set_shared_data. It belongs to the process: every VM of a host uses it,
// each under its vm_id. Entries never expire. It is safe for concurrent use.
//
// Hosts that are given the same store model one process after another
// configuration, for example an update that keeps the vm_id.
type Data struct {
	mu   sync.Mutex
	data map[string]map[string]entry
	cas  uint32
}

type entry struct {
	value []byte
	cas   uint32
}

// NewData returns an empty store.
func NewData() *Data {
	return &Data{data: map[string]map[string]entry{}}
}

// Get returns a copy of the value of key, its compare-and-set number, and
// whether the key exists.
func (s *Data) Get(vmID, key string) (value []byte, cas uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.data[vmID][key]
	return append([]byte(nil), e.value...), e.cas, ok
}

// Set stores value under key. A cas of 0 overwrites; any other must be the
// current one, or the answer is CasMismatch. On a key that does not exist cas
// is ignored, as in Envoy.
func (s *Data) Set(vmID, key string, value []byte, cas uint32) abi.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.data[vmID]
	if m == nil {
		m = map[string]entry{}
		s.data[vmID] = m
	}
	if e, ok := m[key]; ok && cas != 0 && cas != e.cas {
		return abi.CasMismatch
	}
	s.cas++
	if s.cas == 0 { // 0 means "no condition" to the guest, so it is never a number.
		s.cas++
	}
	m[key] = entry{value: append([]byte(nil), value...), cas: s.cas}
	return abi.OK
}

// Keys returns the keys of a vm_id in no particular order.
func (s *Data) Keys(vmID string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]string, 0, len(s.data[vmID]))
	for k := range s.data[vmID] {
		keys = append(keys, k)
	}
	return keys
}

// Bytes returns the summed length of all keys and values of a vm_id.
func (s *Data) Bytes(vmID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for k, e := range s.data[vmID] {
		n += len(k) + len(e.value)
	}
	return n
}
