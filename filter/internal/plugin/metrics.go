package plugin

import (
	coremetrics "gatehouse/core/metrics"
	"gatehouse/filter/internal/proxy"
)

// metrics are the proxy's numbers for the table's metrics. One is defined when it is first needed:
// thousands of routes make tens of thousands of metrics, most of which never count anything.
type metrics struct {
	proxy  proxy.Proxy
	table  *coremetrics.Table
	ids    []uint32          // plus one; 0 is not yet defined
	count  int               // of those that are defined
	byName map[string]uint32 // those that the admin API reads
	failed bool              // a call failed, which has been logged
}

func (m *metrics) open(px proxy.Proxy, table *coremetrics.Table, hash uint64) {
	m.proxy, m.table, m.ids = px, table, make([]uint32, table.Len())
	// Those without labels are there from the start, so that a dashboard shows 0 and not nothing.
	for _, i := range [...]int{table.TokensValidated(), table.AuditDropped()} {
		if _, err := m.id(i); err != nil {
			m.fail(i, err)
		}
	}
	m.set(table.BuildInfo(), 1)
	m.set(table.ConfigHash(), hash)
}

// id finds the proxy's number for a metric.
func (m *metrics) id(metric int) (uint32, error) {
	if id := m.ids[metric]; id != 0 {
		return id - 1, nil
	}
	def := m.table.Def(metric)
	id, err := m.proxy.DefineMetric(proxy.MetricKind(def.Kind), def.Full)
	if err != nil {
		return 0, err
	}
	m.ids[metric] = id + 1
	m.count++
	return id, nil
}

func (m *metrics) add(metric int, n uint64) {
	id, err := m.id(metric)
	if err == nil {
		err = m.proxy.AddMetric(id, int64(n))
	}
	if err != nil {
		m.fail(metric, err)
	}
}

// grow adds to a gauge, or takes away from it.
func (m *metrics) grow(metric int, delta int64) {
	id, err := m.id(metric)
	if err == nil {
		err = m.proxy.AddMetric(id, delta)
	}
	if err != nil {
		m.fail(metric, err)
	}
}

func (m *metrics) observe(metric int, value uint64) {
	id, err := m.id(metric)
	if err == nil {
		err = m.proxy.RecordMetric(id, value)
	}
	if err != nil {
		m.fail(metric, err)
	}
}

func (m *metrics) validated(nanos int64) {
	m.observe(m.table.ValidationDuration(), uint64(nanos)/1000) // the histogram is in microseconds
}

func (m *metrics) set(metric int, value uint64) { m.observe(metric, value) }

// names yields the names of those that are defined.
func (m *metrics) names(yield func(name string)) {
	for i, id := range m.ids {
		if id != 0 {
			yield(m.table.Def(i).Full)
		}
	}
}

// value reads a metric, its own or another instance's.
func (m *metrics) value(kind coremetrics.Kind, name string) (uint64, error) {
	id, ok := m.byName[name]
	if !ok {
		var err error
		if id, err = m.proxy.DefineMetric(proxy.MetricKind(kind), name); err != nil {
			return 0, err
		}
		if m.byName == nil {
			m.byName = map[string]uint32{}
		}
		m.byName[name] = id
	}
	return m.proxy.Metric(id)
}

// fail logs the first call that failed.
func (m *metrics) fail(metric int, err error) {
	if !m.failed {
		m.failed = true
		proxy.Log(m.proxy, proxy.Error, "metrics lag: "+m.table.Def(metric).Full+": "+err.Error())
	}
}
