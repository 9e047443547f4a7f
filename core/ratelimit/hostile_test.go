package ratelimit

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/clock"
)

const testNow = clock.Mono(5000e9)

var hostileRules = []Rule{
	{Name: "log", Windows: []Window{{Max: 10, Length: 10e9}}, MaxIdentifiers: 1},
	{Name: "ring", Windows: []Window{{Max: 5000, Length: 10e9}}, MaxIdentifiers: 1},
	{Name: "both", Windows: []Window{{Max: 3, Length: 1e9}, {Max: 100_000, Length: 60e9}, {Max: 1 << 40, Length: 3600e9}}, MaxIdentifiers: 1},
}

// planted is a Store in which each bucket first has the planted value.
type planted struct {
	*MemoryStore
	value []byte
}

func (p *planted) Get(key string) ([]byte, Version, error) {
	value, v, err := p.MemoryStore.Get(key)
	if v == Absent && key[len(key)-1] != 'n' { // not the generation
		_, _ = p.CompareAndSet(key, p.value, Absent)
		return p.MemoryStore.Get(key)
	}
	return value, v, err
}

// genuine is a rule's bucket after charges by two callers.
func genuine(t testing.TB, index, charges int) []byte {
	store := NewMemoryStore()
	l, err := New(store, "", hostileRules)
	require.NoError(t, err)
	var r Result
	for i := range charges {
		l.Charge(index, ID{8: byte(1 + i%2)}, uint64(1+i%3), testNow-clock.Mono(charges-i)*1e6, &r)
	}
	value, _, _ := store.Get(l.bucketKey(&l.rules[index], ID{}))
	return value
}

func header(t testing.TB, index int) []byte {
	return bytes.Clone(genuine(t, index, 1)[:bucketHeader])
}

// survive checks the guarantees of a Limiter that finds value in its bucket.
func survive(t *testing.T, index int, value []byte, now clock.Mono, cost uint64) {
	store := &planted{NewMemoryStore(), bytes.Clone(value)}
	l, err := New(store, "", hostileRules)
	require.NoError(t, err)
	rule := &l.rules[index]
	longest := int64(0)
	for _, w := range rule.windows {
		longest = max(longest, w.length+w.grid)
	}
	id := ID{8: 1}
	bounded := func(r *Result) {
		require.False(t, r.Contention || r.Failed)
		require.LessOrEqual(t, r.Evicted, 1+MaxWindows)
		require.LessOrEqual(t, r.Retry, longest+maxLead)
		for i, w := range r.Windows[:r.N] {
			require.Equal(t, rule.windows[i].max, w.Limit)
			require.LessOrEqual(t, w.Remaining, w.Limit)
			require.True(t, 0 <= w.Reset && w.Reset <= longest+maxLead, w.Reset)
		}
	}
	var r, taken Result
	require.NoError(t, l.Peek(index, id, cost, now, &r))
	bounded(&r)
	l.Charge(index, id, cost, now, &taken)
	bounded(&taken)
	l.Charge(index, ID{8: 9}, 1, now, &r)
	bounded(&r)
	require.True(t, l.Refund(index, id, cost, &taken, now))
	bounded(&taken)
	for range 3 {
		now = now.Add(longest / 3)
		l.Charge(index, id, 1, now, &r)
		bounded(&r)
	}
	stored, _, _ := store.Get(l.bucketKey(rule, id))
	require.LessOrEqual(t, len(stored), len(value)+2*(entryHeader+MaxWindows*(ringHeader+8*ringSlots)))

	// Whatever the value was, it has expired after a window and the allowance for clocks.
	now = now.Add(longest + maxLead)
	l.Charge(index, id, 1, now, &r)
	require.True(t, r.Admitted)
	for i := range rule.windows {
		require.Equal(t, rule.windows[i].max-1, r.Windows[i].Remaining)
	}
}

func FuzzHostileBucket(f *testing.F) {
	for index := range hostileRules {
		for _, charges := range []int{1, 5, 600, 2000} {
			f.Add(uint8(index), genuine(f, index, charges), int64(0), uint64(1))
		}
		// A valid header with anything after it.
		f.Add(uint8(index), append(header(f, index), bytes.Repeat([]byte{1}, 80)...), int64(1e9), uint64(3))
	}
	f.Add(uint8(0), []byte{}, int64(-1), uint64(0))
	f.Fuzz(func(t *testing.T, index uint8, value []byte, later int64, cost uint64) {
		i := int(index) % len(hostileRules)
		if later < -int64(testNow) || later > 1<<50 {
			return
		}
		survive(t, i, value, testNow.Add(later), cost)
		if len(value) >= bucketHeader { // behind the check of magic and fingerprint
			survive(t, i, append(header(t, i), value[bucketHeader:]...), testNow.Add(later), cost)
		}
	})
}

func TestDamagedDataIsOverwrittenAndCounted(t *testing.T) {
	good := genuine(t, 0, 5)
	entryAt := func(off int) int { return bucketHeader + off }
	logAt := func(off int) int { return bucketHeader + entryHeader + off }
	for name, damage := range map[string]func(b []byte) []byte{
		"empty":                    func([]byte) []byte { return nil },
		"another plugin's":         func([]byte) []byte { return []byte(`{"hello":"world, this is not a rate limit"}`) },
		"cut off":                  func(b []byte) []byte { return b[:len(b)-1] },
		"something after":          func(b []byte) []byte { return append(b, 0) },
		"another magic":            func(b []byte) []byte { b[0]++; return b },
		"a newer format":           func(b []byte) []byte { b[2]++; return b },
		"another rule's":           func(b []byte) []byte { b[4]++; return b },
		"more entries than there":  func(b []byte) []byte { b[3]++; return b },
		"more entries than room":   func(b []byte) []byte { b[3] = 200; return b },
		"a generation not yet":     func(b []byte) []byte { b[12]++; return b },
		"a clock an hour ahead":    func(b []byte) []byte { binary.LittleEndian.PutUint64(b[20:], uint64(testNow+3600e9)); return b },
		"a negative clock":         func(b []byte) []byte { binary.LittleEndian.PutUint64(b[20:], 1<<63); return b },
		"an entry beyond the end":  func(b []byte) []byte { binary.LittleEndian.PutUint32(b[entryAt(8):], 1<<31); return b },
		"an entry of the future":   func(b []byte) []byte { binary.LittleEndian.PutUint64(b[entryAt(16):], uint64(testNow+1)); return b },
		"an unknown form":          func(b []byte) []byte { b[logAt(0)] = 9; return b },
		"more than a log's count":  func(b []byte) []byte { binary.LittleEndian.PutUint16(b[logAt(1):], LogEntries+1); return b },
		"charges beyond the end":   func(b []byte) []byte { binary.LittleEndian.PutUint16(b[logAt(3):], 60_000); return b },
		"more than the limit":      func(b []byte) []byte { binary.LittleEndian.PutUint64(b[logAt(5):], 11); return b },
		"less than a charge each":  func(b []byte) []byte { binary.LittleEndian.PutUint64(b[logAt(5):], 1); return b },
		"newest before oldest":     func(b []byte) []byte { binary.LittleEndian.PutUint64(b[logAt(21):], 1); return b },
		"newest in the future":     func(b []byte) []byte { binary.LittleEndian.PutUint64(b[logAt(21):], uint64(testNow+1)); return b },
		"longer than the window":   func(b []byte) []byte { binary.LittleEndian.PutUint64(b[logAt(13):], uint64(testNow-20e9)); return b },
		"an oldest before time":    func(b []byte) []byte { binary.LittleEndian.PutUint64(b[logAt(13):], 1<<63); return b },
		"a ring cut to a log size": func(b []byte) []byte { b[logAt(0)] = formRing; return b },
	} {
		store := &planted{NewMemoryStore(), damage(bytes.Clone(good))}
		l, err := New(store, "", hostileRules)
		require.NoError(t, err)
		var r Result
		id := firstCaller(good)
		l.Charge(0, id, 1, testNow, &r)
		assert.True(t, r.Admitted, name)
		assert.Equal(t, 1, r.Evicted, name)
		assert.Equal(t, uint64(9), r.Windows[0].Remaining, name)
		l.Charge(0, id, 1, testNow, &r)
		assert.Equal(t, 0, r.Evicted, "%s: it is repaired", name)
		assert.Equal(t, uint64(8), r.Windows[0].Remaining, name)
	}
}

func TestADamagedRingIsEmpty(t *testing.T) {
	good := genuine(t, 1, 2000)
	ringAt := func(off int) int { return bucketHeader + entryHeader + off }
	require.EqualValues(t, formRing, good[ringAt(0)])
	for name, damage := range map[string]func(b []byte){
		"last in the future": func(b []byte) { binary.LittleEndian.PutUint64(b[ringAt(17):], 1<<40) },
		"first after last": func(b []byte) {
			binary.LittleEndian.PutUint64(b[ringAt(9):], binary.LittleEndian.Uint64(b[ringAt(17):])+1)
		},
		"first too long ago": func(b []byte) {
			binary.LittleEndian.PutUint64(b[ringAt(9):], binary.LittleEndian.Uint64(b[ringAt(17):])-ringSlots)
		},
		"total above the limit":  func(b []byte) { binary.LittleEndian.PutUint64(b[ringAt(1):], 5001) },
		"counters that are zero": func(b []byte) { clear(b[ringAt(ringHeader):ringAt(ringHeader+2*ringSlots)]) },
	} {
		b := bytes.Clone(good)
		damage(b)
		l, err := New(&planted{NewMemoryStore(), b}, "", hostileRules)
		require.NoError(t, err)
		var r Result
		l.Charge(1, firstCaller(good), 1, testNow, &r)
		assert.Equal(t, 1, r.Evicted, name)
		assert.Equal(t, uint64(4999), r.Windows[0].Remaining, name)
	}
}

// firstCaller is the ID of a bucket's first entry.
func firstCaller(b []byte) (id ID) {
	copy(id[8:], b[bucketHeader:])
	return id
}

func TestADamagedGenerationDoesNotStopTheLimits(t *testing.T) {
	store := NewMemoryStore()
	l, err := New(store, "", hostileRules)
	require.NoError(t, err)
	require.NoError(t, l.ClearAll())
	var r Result
	l.Charge(0, ID{}, 10, testNow, &r)
	_, v, _ := store.Get(l.generation)
	_, _ = store.CompareAndSet(l.generation, []byte("garbage"), v)
	for _, admitted := range []bool{true, false} { // it starts empty, once
		l.Charge(0, ID{}, 10, testNow, &r)
		assert.Equal(t, admitted, r.Admitted)
	}
	require.NoError(t, l.ClearAll())
	l.Charge(0, ID{}, 10, testNow, &r)
	assert.True(t, r.Admitted, "clearing works again")
}

func TestAllWorkersGetTheFirstSharedKey(t *testing.T) {
	store := NewMemoryStore()
	first, err := SharedKey(store, "x/", [16]byte{1})
	require.NoError(t, err)
	assert.Equal(t, [16]byte{1}, first)
	second, err := SharedKey(store, "x/", [16]byte{2})
	require.NoError(t, err)
	assert.Equal(t, first, second)
	other, err := SharedKey(store, "y/", [16]byte{3})
	require.NoError(t, err)
	assert.Equal(t, [16]byte{3}, other)

	_, v, _ := store.Get("x/limits/1/key")
	_, _ = store.CompareAndSet("x/limits/1/key", []byte("garbage"), v)
	_, err = SharedKey(store, "x/", [16]byte{2})
	assert.Error(t, err)
}
