//go:build wasip1

package plugin

import (
	coremetrics "gatehouse/core/metrics"
	"gatehouse/filter/internal/host"
)

// metrics are the host's numbers for the table's metrics. One is defined when it is first needed: thousands of routes make
// tens of thousands of metrics, most of which never count anything.
type metrics struct {
	table *coremetrics.Table
	ids   []uint32 // plus one; 0 is not yet defined
}

func (m *metrics) open(table *coremetrics.Table) {
	m.table, m.ids = table, make([]uint32, table.Len())
	// Those without labels are there from the start, so that a dashboard shows 0 and not nothing.
	for _, i := range [...]int{table.TokensValidated(), table.AuditDropped()} {
		m.id(i)
	}
}

func (m *metrics) id(metric int) (uint32, bool) {
	if id := m.ids[metric]; id != 0 {
		return id - 1, true
	}
	def := m.table.Def(metric)
	id, s := host.DefineMetric(host.MetricKind(def.Kind), def.Full)
	if s != host.OK {
		return 0, false
	}
	m.ids[metric] = id + 1
	return id, true
}

func (m *metrics) add(metric int, n uint64) {
	if id, ok := m.id(metric); ok {
		host.AddMetric(id, int64(n))
	}
}

func (m *metrics) observe(metric int, value uint64) {
	if id, ok := m.id(metric); ok {
		host.RecordMetric(id, value)
	}
}

func (m *metrics) validated(nanos int64) {
	m.observe(m.table.ValidationDuration(), uint64(nanos)/1000) // the histogram is in microseconds
}

func (m *metrics) set(metric int, value uint64) { m.observe(metric, value) }
