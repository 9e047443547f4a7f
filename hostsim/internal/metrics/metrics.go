// Package metrics holds the metrics that guests define.
package metrics

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"gatehouse/hostsim/abi"
)

// DefaultBuckets are the upper bounds of a histogram without buckets of its
// own; they are Envoy's defaults (envoy.config.metrics.v3.StatsConfig).
var DefaultBuckets = []float64{0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000,
	10000, 30000, 60000, 300000, 600000, 1800000, 3600000}

// Registry holds the counters, gauges and histograms of a process. All VMs share
// it: a name that two VMs define is one metric. It is safe for concurrent
// use.
type Registry struct {
	buckets map[string][]float64

	mu         sync.Mutex
	counters   map[string]*atomic.Uint64
	gauges     map[string]*atomic.Uint64
	histograms map[string]*histogram
}

type histogram struct {
	mu     sync.Mutex
	bounds []float64
	counts []uint64 // one more than bounds: the last is above them all
	count  uint64
	sum    float64
}

// New returns an empty registry. buckets gives the upper bounds, in
// ascending order, of the histograms that do not want DefaultBuckets, by exact
// name (Envoy's histogram_bucket_settings).
func New(buckets map[string][]float64) *Registry {
	return &Registry{
		buckets:    buckets,
		counters:   map[string]*atomic.Uint64{},
		gauges:     map[string]*atomic.Uint64{},
		histograms: map[string]*histogram{},
	}
}

// Metric is one metric's state at a moment.
type Metric struct {
	Name string
	Type abi.MetricType
	// Value is the value of a counter or gauge. Like Envoy's, a gauge that was
	// taken below zero wraps around.
	Value uint64
	// Buckets, Count and Sum are those of a histogram.
	Buckets []Bucket
	Count   uint64
	Sum     float64
}

// Bucket counts a histogram's samples up to and including a bound.
type Bucket struct {
	UpperBound float64
	Cumulative uint64
}

// Counter returns a counter's value; a counter nobody defined is 0.
func (m *Registry) Counter(name string) uint64 { return m.value(m.counters, name) }

// Gauge returns a gauge's value; a gauge nobody defined is 0.
func (m *Registry) Gauge(name string) uint64 { return m.value(m.gauges, name) }

func (m *Registry) value(set map[string]*atomic.Uint64, name string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := set[name]; v != nil {
		return v.Load()
	}
	return 0
}

// Histogram returns a histogram's state, and false if nobody defined it.
func (m *Registry) Histogram(name string) (Metric, bool) {
	m.mu.Lock()
	h := m.histograms[name]
	m.mu.Unlock()
	if h == nil {
		return Metric{}, false
	}
	return h.snapshot(name), true
}

// Snapshot returns all metrics, ordered by name and then type.
func (m *Registry) Snapshot() []Metric {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Metric
	for name, v := range m.counters {
		all = append(all, Metric{Name: name, Type: abi.MetricCounter, Value: v.Load()})
	}
	for name, v := range m.gauges {
		all = append(all, Metric{Name: name, Type: abi.MetricGauge, Value: v.Load()})
	}
	for name, h := range m.histograms {
		all = append(all, h.snapshot(name))
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Name != all[j].Name {
			return all[i].Name < all[j].Name
		}
		return all[i].Type < all[j].Type
	})
	return all
}

// Define returns the metric of that type and name, which is made if it does not exist, for IDs.Add.
func (m *Registry) Define(t abi.MetricType, name string) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch t {
	case abi.MetricCounter:
		return getOrMake(m.counters, name)
	case abi.MetricGauge:
		return getOrMake(m.gauges, name)
	default:
		h := m.histograms[name]
		if h == nil {
			bounds := m.buckets[name]
			if bounds == nil {
				bounds = DefaultBuckets
			}
			h = &histogram{bounds: slices.Clone(bounds), counts: make([]uint64, len(bounds)+1)}
			m.histograms[name] = h
		}
		return h
	}
}

func getOrMake(set map[string]*atomic.Uint64, name string) *atomic.Uint64 {
	v := set[name]
	if v == nil {
		v = new(atomic.Uint64)
		set[name] = v
	}
	return v
}

func (h *histogram) record(v uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[sort.SearchFloat64s(h.bounds, float64(v))]++
	h.count++
	h.sum += float64(v)
}

func (h *histogram) snapshot(name string) Metric {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Metric{Name: name, Type: abi.MetricHistogram, Count: h.count, Sum: h.sum}
	var n uint64
	for i, bound := range h.bounds {
		n += h.counts[i]
		s.Buckets = append(s.Buckets, Bucket{UpperBound: bound, Cumulative: n})
	}
	return s
}

// IDs are the ids that one VM was given. Every definition makes a new id,
// even of a known name, and an id's two low bits are its type (both as in
// proxy-wasm-cpp-host).
type IDs struct {
	byID map[uint32]any // *atomic.Uint64 or *histogram
	next [abi.MetricTypes]uint32
}

// Add gives a metric, which Registry.Define returned, an id.
func (v *IDs) Add(t abi.MetricType, metric any) uint32 {
	if v.byID == nil {
		v.byID = map[uint32]any{}
	}
	v.next[t]++
	id := v.next[t]<<2 | uint32(t)
	v.byID[id] = metric
	return id
}

// Increment adds delta. A counter takes only positive ones; a histogram none.
func (v *IDs) Increment(id uint32, delta int64) abi.Status {
	t := abi.MetricType(id & 3)
	if t != abi.MetricCounter && t != abi.MetricGauge {
		return abi.BadArgument
	}
	m, ok := v.byID[id].(*atomic.Uint64)
	if !ok {
		return abi.NotFound
	}
	if t == abi.MetricCounter && delta <= 0 {
		return abi.BadArgument
	}
	m.Add(uint64(delta))
	return abi.OK
}

// Record sets a gauge, adds a sample to a histogram, and adds to a counter.
func (v *IDs) Record(id uint32, value uint64) abi.Status {
	switch m := v.byID[id].(type) {
	case *atomic.Uint64:
		if abi.MetricType(id&3) == abi.MetricCounter {
			m.Add(value)
		} else {
			m.Store(value)
		}
	case *histogram:
		m.record(value)
	default:
		return abi.NotFound
	}
	return abi.OK
}

// Get reads a counter or gauge; a histogram has no one value.
func (v *IDs) Get(id uint32) (uint64, abi.Status) {
	t := abi.MetricType(id & 3)
	if t != abi.MetricCounter && t != abi.MetricGauge {
		return 0, abi.BadArgument
	}
	m, ok := v.byID[id].(*atomic.Uint64)
	if !ok {
		return 0, abi.NotFound
	}
	return m.Load(), abi.OK
}
