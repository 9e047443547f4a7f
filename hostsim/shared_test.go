package hostsim_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

func TestSharedDataIsAMapWithCompareAndSetThatAbsentKeysIgnore(t *testing.T) {
	type entry struct {
		value string
		cas   uint32
	}
	rapid.Check(t, func(t *rapid.T) {
		store, model := hostsim.NewSharedData(), map[string]entry{}
		seen := []uint32{0, 1, ^uint32(0)}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				vm, key := rapid.SampledFrom([]string{"", "a"}).Draw(t, "vm"), rapid.SampledFrom([]string{"", "k", "l"}).Draw(t, "key")
				value, cas := rapid.String().Draw(t, "value"), rapid.SampledFrom(seen).Draw(t, "cas")
				old, exists := model[vm+"/"+key]
				want := abi.OK
				if exists && cas != 0 && cas != old.cas {
					want = abi.CasMismatch
				}
				require.Equal(t, want, store.Set(vm, key, []byte(value), cas))
				if want == abi.OK {
					_, got, ok := store.Get(vm, key)
					require.True(t, ok)
					require.NotZero(t, got)
					require.NotEqual(t, old.cas, got)
					model[vm+"/"+key] = entry{value, got}
					seen = append(seen, got)
				}
			},
			"get": func(t *rapid.T) {
				vm, key := rapid.SampledFrom([]string{"", "a"}).Draw(t, "vm"), rapid.SampledFrom([]string{"", "k", "l"}).Draw(t, "key")
				value, cas, ok := store.Get(vm, key)
				want, exists := model[vm+"/"+key]
				require.Equal(t, exists, ok)
				require.Equal(t, want, entry{string(value), cas})
			},
		})
	})
}

func TestSharedDataCopiesWhatGoesInAndOut(t *testing.T) {
	s := hostsim.NewSharedData()
	in := []byte("value")
	s.Set("vm", "key", in, 0)
	in[0] = 'X'
	out, _, _ := s.Get("vm", "key")
	assert.Equal(t, "value", string(out))
	out[0] = 'Y'
	out, _, _ = s.Get("vm", "key")
	assert.Equal(t, "value", string(out))
	assert.Equal(t, []string{"key"}, s.Keys("vm"))
	assert.Equal(t, 8, s.Bytes("vm"))
	assert.Zero(t, s.Bytes("other"))
}

func TestWorkersServeInParallelAndShareDataAndMetrics(t *testing.T) {
	h, _, _ := probeHost(t, func(o *hostsim.Options) { o.Workers = 2 })
	const each = 50
	var wg sync.WaitGroup
	for worker := range 2 {
		for range 2 {
			wg.Go(func() {
				for range each {
					s := h.RoundTrip(worker, hostsim.Request{Path: "/metrics"}, answer)
					assert.Equal(t, "200", s.Downstream().Status())
					h.RoundTrip(worker, hostsim.Request{Path: "/shared"}, answer)
				}
			})
		}
	}
	wg.Wait()
	h.Settle()
	assert.EqualValues(t, 4*each*15, h.Metrics().Counter("probe_counter"))
	m, ok := h.Metrics().Histogram("probe_histogram")
	require.True(t, ok)
	assert.EqualValues(t, 4*each, m.Count)
	assert.InDelta(t, 4*each*7, m.Sum, 0)
}

func TestAQueueTellsTheWorkerThatRegisteredItLast(t *testing.T) {
	h, _, logs := probeHost(t, func(o *hostsim.Options) { o.Workers = 2 })
	h.RoundTrip(0, hostsim.Request{Path: "/queue"}, answer)
	assert.Len(t, logs.of(0, "queue queue_ready"), 3)
	logs.take()
	h.RoundTrip(1, hostsim.Request{Path: "/queue"}, answer)
	assert.Empty(t, logs.of(0, "queue queue_ready"))
	assert.Len(t, logs.of(1, "queue queue_ready"), 3)
}

func TestHostsMayShareDataAndMetrics(t *testing.T) {
	data, metrics := hostsim.NewSharedData(), hostsim.NewMetrics(map[string][]float64{"probe_histogram": {5, 10}})
	share := func(o *hostsim.Options) { o.SharedData, o.Metrics = data, metrics }
	one, _, _ := probeHost(t, share)
	two, _, _ := probeHost(t, share)
	visit(one, "/metrics")
	visit(two, "/metrics")
	assert.EqualValues(t, 30, metrics.Counter("probe_counter"))
	assert.EqualValues(t, 3, metrics.Gauge("probe_gauge"))
	m, _ := metrics.Histogram("probe_histogram")
	assert.Equal(t, []hostsim.Bucket{{UpperBound: 5, Cumulative: 0}, {UpperBound: 10, Cumulative: 2}}, m.Buckets)
	assert.Zero(t, metrics.Counter("nobody's"))
	_, ok := metrics.Histogram("nobody's")
	assert.False(t, ok)
	var names []string
	for _, m := range metrics.Snapshot() {
		names = append(names, fmt.Sprint(m.Name, " ", m.Type))
	}
	assert.Equal(t, []string{"probe_counter 0", "probe_gauge 1", "probe_histogram 2"}, names)
	visit(one, "/shared")
	visit(two, "/shared")
	assert.NotEmpty(t, data.Keys("vm"))
}

func TestTicksRunOnEachThreadUntilTheyAreStopped(t *testing.T) {
	h, clock, logs := probeHost(t, func(o *hostsim.Options) {
		o.Workers = 2
		o.Plugins[0].Config = []byte("tick")
	})
	clock.Advance(999 * time.Millisecond)
	assert.Empty(t, logs.take())
	clock.Advance(time.Millisecond)
	for _, worker := range []int{hostsim.MainThread, 0, 1} {
		assert.Equal(t, []string{"tick root"}, logs.of(worker, "tick"), "thread %d", worker)
	}
	assert.Empty(t, logs.of(hostsim.Canary, "tick"))
	clock.Advance(3 * time.Second)
	assert.Len(t, logs.of(0, "tick"), 4)
	h.Trap(0, "probe")
	clock.Advance(time.Second)
	assert.Len(t, logs.of(0, "tick"), 4, "a failed VM does not tick")
	assert.Len(t, logs.of(1, "tick"), 5)
}
