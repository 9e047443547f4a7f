package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/audit"
	"gatehouse/filter/internal/admin"
)

func TestRefusalsAreTheLast200OfAllWorkersNewestFirst(t *testing.T) {
	f := newFleet()
	a, b := f.worker(t), f.worker(t)
	a.feed.Look(f.now)
	a.feed.Refused([]byte("{}"))
	a.feed.Share(0, nothing)
	assert.Empty(t, a.get("/refusals"), "nothing is kept before the admin API is there")

	a.api.Tick(f.now)
	event := func(i int) string {
		return fmt.Sprintf(`{"timestamp":"2026-01-01T00:%02d:%02d.000000Z","i":%d}`, i/60, i%60, i)
	}
	for i := range 450 {
		w := []*worker{a, b}[i%2]
		w.feed.Look(f.now)
		w.feed.Refused([]byte(event(i)))
		w.feed.Share(0, nothing)
	}
	all := b.get("/refusals").([]any)
	require.Len(t, all, admin.Refusals)
	for i, e := range all {
		assert.EqualValues(t, 449-i, e.(map[string]any)["i"])
	}
	a.feed.Refused([]byte(`{"timestamp":"2027-01-01T00:00:00.000000Z","x":"` + strings.Repeat("x", 1<<17) + `"}`))
	a.feed.Share(0, nothing)
	assert.EqualValues(t, 449, b.get("/refusals").([]any)[0].(map[string]any)["i"], "too long to keep")

	f.now += 11 * second // the admin API is gone
	a.feed.Look(f.now)
	assert.False(t, a.feed.Active())
}

// TestMoreThan200RefusalsBetweenTwoTicks come by in a worker that is flooded with bad tokens.
func TestMoreThan200RefusalsBetweenTwoTicks(t *testing.T) {
	w := newFleet().worker(t)
	w.api.Tick(w.now)
	w.feed.Look(w.now)
	for i := range 1000 {
		w.feed.Refused(fmt.Appendf(nil, `{"timestamp":"2026-01-01T00:00:00.%06dZ","i":%d}`, i, i))
	}
	w.feed.Share(0, nothing)
	all := w.get("/refusals").([]any)
	require.Len(t, all, admin.Refusals)
	assert.EqualValues(t, 999, all[0].(map[string]any)["i"])
	assert.EqualValues(t, 800, all[199].(map[string]any)["i"])
}

func TestHeadsAreTheLastOfEachStream(t *testing.T) {
	f := newFleet()
	a, b := f.worker(t), f.worker(t)
	a.api.Tick(f.now)
	head := func(stream string, seq uint64) audit.Head {
		return audit.Head{KeyID: "k", Stream: stream, Seq: seq, MAC: [32]byte{byte(seq)}}
	}
	shares := func(w *worker, stream string, seq uint64) {
		w.feed.Look(f.now)
		w.feed.Head(head(stream, seq))
		w.feed.Share(0, nothing)
	}
	heads := func() (out []string) {
		for _, h := range a.get("/audit/heads").([]any) {
			h := h.(map[string]any)
			out = append(out, fmt.Sprintf("%s %v %s", h["stream"], h["seq"], h["mac"].(string)[:4]))
		}
		return out
	}
	assert.Empty(t, heads())
	shares(a, "a", 0)
	shares(b, "b", 7)
	assert.Equal(t, []string{"a 0 0000", "b 7 0700"}, heads())
	shares(a, "a", 2)
	assert.Equal(t, []string{"b 7 0700", "a 2 0200"}, heads())
	for i := range 600 { // workers that came and went
		shares(f.worker(t), fmt.Sprint("c", i), 1)
	}
	assert.Len(t, heads(), 512)
	assert.Contains(t, heads(), "c599 1 0100")
}
