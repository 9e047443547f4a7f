package ratelimit_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/ratelimit"
	"gatehouse/core/ratelimit/ratelimittest"
)

// roomPerBucket is how many identifiers a bucket holds.
const roomPerBucket = 32

// oneBucket is a rule with a single bucket, which all identifiers share.
func oneBucket(windows ...ratelimit.Window) ratelimit.Rule {
	r := rule(windows...)
	r.MaxIdentifiers = 1
	return r
}

func caller(i int) (id ratelimit.ID) {
	sum := ratelimit.NewHasher([16]byte{7}).Sum(binary.LittleEndian.AppendUint64(nil, uint64(i)))
	return sum
}

func TestAFullBucketEvictsTheLeastUsedEntryFirst(t *testing.T) {
	l := limiter(t, ratelimit.NewMemoryStore(), oneBucket(ratelimit.Window{Max: 100, Length: 60 * second}))
	for i := range roomPerBucket {
		require.Zero(t, charge(l, caller(i), uint64(50-i), start.Add(int64(i))).Evicted)
	}
	// New callers of cost 100 have reached their limit and stay; caller 31 has 19, caller 30 has
	// 20, …
	for i := range 5 {
		r := charge(l, caller(100+i), 100, start+100)
		assert.True(t, r.Admitted)
		assert.Equal(t, 1, r.Evicted)
		gone := peek(t, l, caller(31-i), start+100).Windows[0]
		assert.Equal(t, uint64(100), gone.Remaining, "caller %d", 31-i)
		next := peek(t, l, caller(30-i), start+100).Windows[0]
		assert.Equal(t, uint64(100-50+30-i), next.Remaining)
	}
}

func TestATieEvictsTheEntryNearestToExpiry(t *testing.T) {
	l := limiter(t, ratelimit.NewMemoryStore(), oneBucket(ratelimit.Window{Max: 100, Length: 60 * second}))
	for i := range roomPerBucket { // caller 3 first
		charge(l, caller((i+3)%roomPerBucket), 5, start.Add(int64(i)))
	}
	for i := range 3 {
		require.Equal(t, 1, charge(l, caller(100+i), 10, start+100).Evicted)
		assert.Equal(t, uint64(100), peek(t, l, caller(3+i), start+100).Windows[0].Remaining)
		assert.Equal(t, uint64(95), peek(t, l, caller(4+i), start+100).Windows[0].Remaining)
	}
}

func TestExpiredEntriesAreDroppedFirstAndAreNotEvictions(t *testing.T) {
	l := limiter(t, ratelimit.NewMemoryStore(), oneBucket(ratelimit.Window{Max: 100_000, Length: 60 * second}))
	charge(l, caller(0), 90_000, start) // the most charged, but it expires first
	for i := 1; i < roomPerBucket; i++ {
		charge(l, caller(i), 1, start+second)
	}
	r := charge(l, caller(100), 1, start+60*second)
	assert.True(t, r.Admitted)
	assert.Zero(t, r.Evicted)
	for i := 1; i < roomPerBucket; i++ {
		assert.Equal(t, uint64(99_999), peek(t, l, caller(i), start+60*second).Windows[0].Remaining)
	}
}

// After a refund, the entry's newest charge may be older than the entry says.
func TestDroppingAnEntryWithoutChargesIsNotAnEviction(t *testing.T) {
	l := limiter(t, ratelimit.NewMemoryStore(), oneBucket(ratelimit.Window{Max: 100, Length: 60 * second}))
	charge(l, caller(0), 99, start)
	refunded := charge(l, caller(0), 1, start+50*second)
	require.True(t, l.Refund(0, caller(0), 1, &refunded, start+50*second))
	for i := 1; i < roomPerBucket; i++ {
		charge(l, caller(i), 1, start+50*second)
	}
	assert.Zero(t, charge(l, caller(100), 1, start+60*second).Evicted)
	for i := 1; i < roomPerBucket; i++ {
		assert.Equal(t, uint64(99), peek(t, l, caller(i), start+60*second).Windows[0].Remaining)
	}
}

func TestTheNextWriteDropsExpiredEntries(t *testing.T) {
	shared := ratelimittest.NewShared()
	l := limiter(t, shared.Worker(), oneBucket(ratelimit.Window{Max: 100, Length: 60 * second}))
	charge(l, caller(0), 1, start)
	_, one := shared.Size()
	for i := range 20 {
		charge(l, caller(i), 1, start)
	}
	charge(l, caller(20), 1, start+60*second)
	_, bytes := shared.Size()
	assert.Equal(t, one, bytes)
}

func TestTheTightestWindowDecidesTheShareOfTheLimit(t *testing.T) {
	l := limiter(t, ratelimit.NewMemoryStore(), oneBucket(
		ratelimit.Window{Max: 2, Length: 10 * second}, ratelimit.Window{Max: 1000, Length: 3600 * second}))
	for j := range int64(10) { // below every limit, though charged more in the long window
		for i := 1; i < roomPerBucket; i++ {
			require.True(t, charge(l, caller(i), 1, start.Add(-(10-j)*10*second)).Admitted)
		}
	}
	charge(l, caller(0), 2, start) // at its limit, of the short window
	require.Equal(t, 1, charge(l, caller(100), 2, start).Evicted)
	assert.False(t, charge(l, caller(0), 1, start).Admitted)
}

func TestANewIdentifierEvictsNoneThatHasReachedItsLimit(t *testing.T) {
	l := limiter(t, ratelimit.NewMemoryStore(), oneBucket(ratelimit.Window{Max: 2, Length: 60 * second}))
	for i := range roomPerBucket {
		charge(l, caller(i), 2, start)
	}
	for range 3 {
		r := charge(l, caller(100), 1, start)
		assert.True(t, r.Admitted)
		assert.Equal(t, 1, r.Evicted, "the new identifier itself")
		assert.True(t, l.Refund(0, caller(100), 1, &r, start))
	}
	for i := range roomPerBucket {
		assert.False(t, charge(l, caller(i), 1, start+59*second).Admitted)
	}
	// When one of them has expired, the new identifier takes its place.
	r := charge(l, caller(100), 2, start+60*second)
	assert.Zero(t, r.Evicted)
	assert.False(t, charge(l, caller(100), 1, start+60*second).Admitted)
}

func TestLessThanTheLowestCostRemainingIsAtTheLimit(t *testing.T) {
	r := oneBucket(ratelimit.Window{Max: 100, Length: 60 * second})
	r.MinCost = 30
	l := limiter(t, ratelimit.NewMemoryStore(), r)
	for i := range roomPerBucket - 1 {
		charge(l, caller(i), 71, start) // leaves 29
	}
	charge(l, caller(31), 70, start+1) // leaves room for one more
	for i := range 50 {
		require.True(t, charge(l, caller(100+i), 90, start+2).Admitted)
	}
	for i := range roomPerBucket - 1 {
		require.False(t, charge(l, caller(i), 30, start+2).Admitted, "caller %d", i)
	}
	assert.True(t, charge(l, caller(31), 70, start+2).Admitted, "the first new caller took its place")
}

func TestAFloodOfNewIdentifiersFreesNoCallerAndNeedsNoMoreMemory(t *testing.T) {
	shared := ratelimittest.NewShared()
	r := rule(ratelimit.Window{Max: 3, Length: 3600 * second})
	r.MaxIdentifiers = 256
	l := limiter(t, shared.Worker(), r)
	const atLimit = 100
	for i := range atLimit {
		require.True(t, charge(l, caller(i), 3, start).Admitted)
	}
	evicted, size := 0, 0
	for i := range 50_000 {
		got := charge(l, caller(1000+i), 1, start.Add(int64(i)))
		require.True(t, got.Admitted)
		evicted += got.Evicted
		if i == 10_000 {
			_, size = shared.Size()
		}
		if i%1000 == 0 {
			for j := range atLimit {
				require.False(t, charge(l, caller(j), 1, start.Add(int64(i))).Admitted, "caller %d after %d new ones", j, i)
			}
		}
	}
	keys, bytes := shared.Size()
	assert.Equal(t, 16, keys, "256 identifiers have 16 buckets")
	assert.Equal(t, size, bytes, "the memory has levelled off")
	assert.Equal(t, 50_000+atLimit-16*roomPerBucket, evicted, "every new caller but those with room")
}

func TestMaxIdentifiersAtOnceHaveRoom(t *testing.T) {
	shared := ratelimittest.NewShared()
	l := limiter(t, shared.Worker(), rule(ratelimit.Window{Max: 100, Length: 60 * second}))
	evicted := 0
	for i := range 65536 {
		evicted += charge(l, caller(i), 1, start).Evicted
	}
	assert.LessOrEqual(t, evicted, 5)
	keys, bytes := shared.Size()
	assert.Equal(t, 4096, keys)
	assert.LessOrEqual(t, bytes, 4096*32+65536*54)
}

// The figures that the package comment gives.
func TestTheArithmeticOfBuckets(t *testing.T) {
	const mean = 16.0
	p, full, lost := math.Exp(-mean), 0.0, 0.0
	for n := 1; n < 200; n++ {
		p *= mean / float64(n)
		if n > roomPerBucket {
			full += p
			lost += p * float64(n-roomPerBucket)
		}
	}
	assert.InDelta(t, 1.3e-4, full, 0.1e-4, "buckets with more callers than room")
	assert.InDelta(t, 70_000, mean/lost, 15_000, "one caller in so many finds none: %f", mean/lost)
}
