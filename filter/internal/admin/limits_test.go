package admin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/ratelimit"
)

func TestLookingUpResettingAndClearingActOnAllWorkers(t *testing.T) {
	f := newFleet()
	a, b := f.worker(t), f.worker(t)
	const path = "/rate-limits/per-caller/user_id=main/alice"
	alice := func(w *worker) ratelimit.ID {
		id, err := w.gate.ParseIdentifier(0, "user_id=main/alice")
		require.NoError(t, err)
		return id
	}
	charge := func(w *worker) bool {
		var out ratelimit.Result
		w.gate.Limiter().Charge(0, alice(w), 1, f.now, &out)
		return out.Admitted
	}
	windows := func(remaining, reset float64) any {
		return []any{map[string]any{"limit": 3.0, "remaining": remaining, "reset_seconds": reset}}
	}
	for range 10 { // looking changes nothing
		assert.Equal(t, windows(3, 0), a.get(path))
	}
	assert.True(t, charge(a))
	f.now += second / 2
	assert.True(t, charge(b))
	assert.Equal(t, windows(1, 60), a.get(path), "59.5 s until the oldest charge expires")
	assert.Equal(t, windows(1, 60), b.get("/rate-limits/per-caller/user_id=main%2Falice"[:len("/rate-limits/per-caller/")]+"user_id=main/%61lice"))
	assert.True(t, charge(a))
	assert.False(t, charge(a))
	assert.False(t, charge(b))

	a.do("DELETE", path)
	assert.Equal(t, windows(3, 0), b.get(path))
	for range 3 {
		assert.True(t, charge(b))
	}
	assert.False(t, charge(a))

	b.do("DELETE", "/rate-limits")
	assert.Equal(t, windows(3, 0), a.get(path))
	assert.True(t, charge(a))
	assert.True(t, charge(b))

	assert.Equal(t, []any{
		map[string]any{"limit": 2.0, "remaining": 2.0, "reset_seconds": 0.0},
		map[string]any{"limit": 10.0, "remaining": 10.0, "reset_seconds": 0.0},
	}, a.get("/rate-limits/two/ip=192.0.2.1"))
}

func TestAMalformedIdentifierIsABadRequest(t *testing.T) {
	w := newFleet().worker(t)
	for _, method := range []string{"GET", "DELETE"} {
		out := w.serve(method, "/rate-limits/per-caller/user=alice")
		assert.Equal(t, 400, out.Status)
		assert.JSONEq(t, `{"detail": "element 1: want user_id"}`, string(out.Body))
	}
}
