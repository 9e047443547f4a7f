//go:build wasip1

package host

// MetricKind is a metric's type, by the ABI's number: counter, gauge, histogram.
type MetricKind int32

// DefineMetric registers a metric, or finds it if it is there.
func DefineMetric(kind MetricKind, name string) (id uint32, s Status) {
	p, n := stringPtr(name)
	s = Status(proxyDefineMetric(int32(kind), p, n, &id))
	return id, s
}

// AddMetric adds to a counter or a gauge.
func AddMetric(id uint32, delta int64) Status { return Status(proxyIncrementMetric(id, delta)) }

// RecordMetric sets a gauge, or adds a value to a histogram.
func RecordMetric(id uint32, value uint64) Status { return Status(proxyRecordMetric(id, value)) }
