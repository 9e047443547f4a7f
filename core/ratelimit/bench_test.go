package ratelimit_test

import (
	"strconv"
	"testing"

	"gatehouse/core/ratelimit"
	"gatehouse/core/ratelimit/ratelimittest"
)

// BenchmarkCharge decides over a store that copies values in and out as a proxy does, in the steady
// state: time passes as fast as a caller may charge, so that every window is full. 0 allocations.
func BenchmarkCharge(b *testing.B) {
	for _, max := range []uint64{10, 100, 500, 10_000, 100_000_000} {
		for _, callers := range []int{1, 2000} {
			name := "limit=" + strconv.FormatUint(max, 10) + "/callers=" + strconv.Itoa(callers)
			b.Run(name, func(b *testing.B) {
				const length = 60 * second
				shared := ratelimittest.NewShared()
				l := limiter(b, shared.Worker(), rule(ratelimit.Window{Max: max, Length: length}))
				ids := make([]ratelimit.ID, callers)
				for i := range ids {
					ids[i] = caller(i)
				}
				var r ratelimit.Result
				now, i := start, 0
				step := func() {
					l.Charge(0, ids[i%callers], 1, now, &r)
					now = now.Add(length / int64(max) / int64(callers))
					i++
				}
				for range callers * int(min(max, 600)) {
					step()
				}
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
				if !r.Admitted {
					b.Fatal("refused")
				}
				_, bytes := shared.Size()
				b.ReportMetric(float64(bytes)/float64(callers), "B/caller")
			})
		}
	}
}

func BenchmarkRefusal(b *testing.B) {
	l := limiter(b, ratelimittest.NewShared().Worker(), rule(ratelimit.Window{Max: 100, Length: 60 * second}))
	var r ratelimit.Result
	for i := range int64(101) {
		l.Charge(0, ratelimit.ID{}, 1, start.Add(i), &r)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Charge(0, ratelimit.ID{}, 1, start+1000, &r)
	}
	if r.Admitted {
		b.Fatal("admitted")
	}
}

// BenchmarkEviction is the worst case: every bucket is full and each charge evicts an entry.
func BenchmarkEviction(b *testing.B) {
	small := rule(ratelimit.Window{Max: 100, Length: 3600 * second})
	small.MaxIdentifiers = 1024
	l := limiter(b, ratelimittest.NewShared().Worker(), small)
	var r ratelimit.Result
	i := 0
	step := func() {
		l.Charge(0, caller(i), 1, start, &r)
		i++
	}
	for range 10_000 {
		step()
	}
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}

func BenchmarkHash(b *testing.B) {
	h := ratelimit.NewHasher([16]byte{1})
	var key []byte
	var id ratelimit.ID
	b.ReportAllocs()
	for b.Loop() {
		key = ratelimit.AppendElement(key[:0], 1, "", "main", "8c1f1a8e-9d3a-4f6e-9d0e-5d0a3f0f7c11")
		id = h.Sum(key)
	}
	_ = id
}

// The same claim as a test: a decision allocates nothing once the buffers have grown.
func TestADecisionAllocatesNothing(t *testing.T) {
	for _, max := range []uint64{100, 100_000_000} {
		l := limiter(t, ratelimittest.NewShared().Worker(), rule(ratelimit.Window{Max: max, Length: 60 * second}))
		now := start
		var first, r ratelimit.Result
		step := func() {
			now += second
			l.Charge(0, ratelimit.ID{}, 1, now, &first)
			l.Charge(0, ratelimit.ID{8: 1}, max, now, &r)
			l.Charge(0, ratelimit.ID{8: 1}, 1, now, &r)
			l.Refund(0, ratelimit.ID{}, 1, &first, now)
			if err := l.Peek(0, ratelimit.ID{}, 1, now, &r); err != nil {
				t.Fatal(err)
			}
		}
		for range 2000 {
			step()
		}
		if n := testing.AllocsPerRun(1000, step); n > 0 {
			t.Errorf("limit %d: %v allocations", max, n)
		}
	}
}
