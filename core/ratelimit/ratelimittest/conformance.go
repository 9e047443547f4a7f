// Package ratelimittest tests implementations of ratelimit.Store, and what uses one.
package ratelimittest

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/ratelimit"
)

// TestStore tests a Store against its contract. open creates a new, empty space that workers share,
// and returns a function that returns another worker's Store on it; both may use t. The Stores are
// used concurrently, each by one goroutine.
func TestStore(t *testing.T, open func(t *testing.T) (worker func() ratelimit.Store)) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, worker func() ratelimit.Store)
	}{
		{"a missing key is absent", missing},
		{"a key is created once", createdOnce},
		{"a stale version changes nothing", stale},
		{"every write gives a version the key never had", versions},
		{"a key doesn't come back to an earlier version with an earlier value", aba},
		{"values come back byte for byte", roundTrips},
		{"values and keys are copied in", copied},
		{"keys don't touch each other", keysApart},
		{"workers see each other's writes", shared},
		{"concurrent increments are all counted", increments},
		{"of concurrent creators one wins", creators},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func get(t *testing.T, s ratelimit.Store, key string) (string, ratelimit.Version) {
	t.Helper()
	value, version, err := s.Get(key)
	require.NoError(t, err)
	return string(value), version
}

func set(t *testing.T, s ratelimit.Store, key, value string, v ratelimit.Version) bool {
	t.Helper()
	swapped, err := s.CompareAndSet(key, []byte(value), v)
	require.NoError(t, err)
	return swapped
}

func missing(t *testing.T, worker func() ratelimit.Store) {
	s := worker()
	for _, key := range []string{"a", "a/b", "\x00\xff"} {
		value, version, err := s.Get(key)
		require.NoError(t, err)
		assert.Equal(t, ratelimit.Absent, version)
		assert.Empty(t, value)
		_, version = get(t, s, key)
		assert.Equal(t, ratelimit.Absent, version, "reading creates nothing")
	}
}

func createdOnce(t *testing.T, worker func() ratelimit.Store) {
	s := worker()
	require.True(t, set(t, s, "k", "first", ratelimit.Absent))
	assert.False(t, set(t, s, "k", "second", ratelimit.Absent))
	assert.False(t, set(t, worker(), "k", "third", ratelimit.Absent))
	value, version := get(t, s, "k")
	assert.Equal(t, "first", value)
	assert.NotEqual(t, ratelimit.Absent, version)
}

func stale(t *testing.T, worker func() ratelimit.Store) {
	s := worker()
	require.True(t, set(t, s, "k", "1", ratelimit.Absent))
	_, first := get(t, s, "k")
	require.True(t, set(t, s, "k", "2", first))
	assert.False(t, set(t, s, "k", "3", first))
	assert.False(t, set(t, worker(), "k", "3", first))
	value, second := get(t, s, "k")
	assert.Equal(t, "2", value)
	assert.True(t, set(t, s, "k", "3", second))
}

func versions(t *testing.T, worker func() ratelimit.Store) {
	s := worker()
	require.True(t, set(t, s, "k", "same", ratelimit.Absent))
	seen := map[ratelimit.Version]bool{ratelimit.Absent: true}
	for range 100 {
		_, v := get(t, s, "k")
		require.False(t, seen[v], "version %d again", v)
		seen[v] = true
		require.True(t, set(t, s, "k", "same", v))
	}
}

func aba(t *testing.T, worker func() ratelimit.Store) {
	s := worker()
	require.True(t, set(t, s, "k", "a", ratelimit.Absent))
	_, first := get(t, s, "k")
	require.True(t, set(t, s, "k", "b", first))
	_, v := get(t, s, "k")
	require.True(t, set(t, s, "k", "a", v))
	assert.False(t, set(t, s, "k", "c", first))
}

func roundTrips(t *testing.T, worker func() ratelimit.Store) {
	s := worker()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for i, value := range []string{"", "\x00", string(all), string(bytes.Repeat(all, 1024))} {
		key := "k" + strconv.Itoa(i)
		require.True(t, set(t, s, key, value, ratelimit.Absent))
		got, v := get(t, worker(), key)
		assert.True(t, got == value, "%d bytes", len(value))
		assert.NotEqual(t, ratelimit.Absent, v, "even an empty value is there")
		assert.False(t, set(t, s, key, "x", ratelimit.Absent))
		require.True(t, set(t, s, key, "shorter", v))
		got, _ = get(t, s, key)
		assert.Equal(t, "shorter", got)
	}
}

func copied(t *testing.T, worker func() ratelimit.Store) {
	s := worker()
	key, value := []byte("key"), []byte("value")
	swapped, err := s.CompareAndSet(string(key), value, ratelimit.Absent)
	require.NoError(t, err)
	require.True(t, swapped)
	copy(value, "VALUE")
	got, v := get(t, s, "key")
	assert.Equal(t, "value", got)
	swapped, err = s.CompareAndSet("key", value, v)
	require.NoError(t, err)
	require.True(t, swapped)
	clear(value)
	got, _ = get(t, s, "key")
	assert.Equal(t, "VALUE", got)
}

func keysApart(t *testing.T, worker func() ratelimit.Store) {
	s := worker()
	keys := []string{"a", "A", "a/", "a/b", "a\x00", "a\x00b", "ä"}
	for _, key := range keys {
		require.True(t, set(t, s, key, "value of "+key, ratelimit.Absent))
	}
	for _, key := range keys {
		value, _ := get(t, s, key)
		assert.Equal(t, "value of "+key, value)
	}
}

func shared(t *testing.T, worker func() ratelimit.Store) {
	a, b := worker(), worker()
	require.True(t, set(t, a, "k", "by a", ratelimit.Absent))
	value, v := get(t, b, "k")
	assert.Equal(t, "by a", value)
	require.True(t, set(t, b, "k", "by b", v))
	value, _ = get(t, a, "k")
	assert.Equal(t, "by b", value)
	assert.False(t, set(t, a, "k", "late", v))
}

func increments(t *testing.T, worker func() ratelimit.Store) {
	const workers, each = 4, 500
	stores := make([]ratelimit.Store, workers)
	for i := range stores {
		stores[i] = worker()
	}
	var group sync.WaitGroup
	for _, s := range stores {
		group.Go(func() {
			for range each {
				for {
					value, v, err := s.Get("n")
					if !assert.NoError(t, err) {
						return
					}
					n := uint64(0)
					if v != ratelimit.Absent {
						n = binary.LittleEndian.Uint64(value)
					}
					swapped, err := s.CompareAndSet("n", binary.LittleEndian.AppendUint64(nil, n+1), v)
					if !assert.NoError(t, err) {
						return
					}
					if swapped {
						break
					}
				}
			}
		})
	}
	group.Wait()
	value, _ := get(t, worker(), "n")
	assert.Equal(t, uint64(workers*each), binary.LittleEndian.Uint64([]byte(value)))
}

func creators(t *testing.T, worker func() ratelimit.Store) {
	const workers, rounds = 4, 200
	stores := make([]ratelimit.Store, workers)
	for i := range stores {
		stores[i] = worker()
	}
	var mu sync.Mutex
	winners := make(map[string]int)
	var group sync.WaitGroup
	for i, s := range stores {
		group.Go(func() {
			for round := range rounds {
				key := "round " + strconv.Itoa(round)
				swapped, err := s.CompareAndSet(key, []byte{byte(i)}, ratelimit.Absent)
				if !assert.NoError(t, err) {
					return
				}
				if swapped {
					mu.Lock()
					winners[key]++
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	assert.Len(t, winners, rounds)
	for key, n := range winners {
		assert.Equal(t, 1, n, key)
	}
}
