package metrics

import "strconv"

// Snapshot holds the figures of the Python library's MetricsCollector: how many tokens were valid, how many were not and
// why, and how long their validation took.
type Snapshot struct {
	Uptime    int64 // nanoseconds since counting began
	Validated uint64
	Errors    []ErrorCount // by reason; reasons without errors may be left out
	Durations Sketch       // of the validation of valid and of bad tokens
}

// ErrorCount is how many tokens failed for one reason.
type ErrorCount struct {
	Reason string // a refusal's word
	Count  uint64
}

// Failed returns the number of tokens that failed.
func (s *Snapshot) Failed() (n uint64) {
	for i := range s.Errors {
		n += s.Errors[i].Count
	}
	return n
}

// SuccessRate returns the share of valid tokens in percent; 0 if there were no tokens.
func (s *Snapshot) SuccessRate() float64 {
	total := s.Validated + s.Failed()
	if total == 0 {
		return 0
	}
	return float64(s.Validated) / float64(total) * 100
}

// AverageMS returns the mean validation time in milliseconds; 0 if there were no tokens.
func (s *Snapshot) AverageMS() float64 {
	if s.Durations.Count() == 0 {
		return 0
	}
	return float64(s.Durations.Sum()) / float64(s.Durations.Count()) / 1e6
}

// QuantileMS returns a quantile of the validation time in milliseconds, within RelativeError.
func (s *Snapshot) QuantileMS(q float64) float64 { return float64(s.Durations.Quantile(q)) / 1e6 }

// Since subtracts an earlier state, the baseline. A count that is smaller than the baseline's has been restarted in between
// and stays as it is.
func (s *Snapshot) Since(baseline *Snapshot) {
	s.Uptime = since(s.Uptime, baseline.Uptime)
	s.Validated = since(s.Validated, baseline.Validated)
	for i := range s.Errors {
		for _, b := range baseline.Errors {
			if b.Reason == s.Errors[i].Reason {
				s.Errors[i].Count = since(s.Errors[i].Count, b.Count)
			}
		}
	}
	s.Durations.Since(&baseline.Durations)
}

func since[T int64 | uint64](now, then T) T {
	if now < then {
		return now
	}
	return now - then
}

// AppendJSON appends the snapshot as one JSON object with the members of the Python library's get_metrics.
func (s *Snapshot) AppendJSON(dst []byte) []byte {
	failed := s.Failed()
	dst = append(dst, `{"uptime_seconds":`...)
	dst = appendFloat(dst, float64(s.Uptime)/1e9)
	dst = append(dst, `,"tokens_validated":`...)
	dst = strconv.AppendUint(dst, s.Validated, 10)
	dst = append(dst, `,"tokens_failed":`...)
	dst = strconv.AppendUint(dst, failed, 10)
	dst = append(dst, `,"total_tokens":`...)
	dst = strconv.AppendUint(dst, s.Validated+failed, 10)
	dst = append(dst, `,"success_rate":`...)
	dst = appendFloat(dst, s.SuccessRate())
	dst = append(dst, `,"validation_time_avg_ms":`...)
	dst = appendFloat(dst, s.AverageMS())
	dst = append(dst, `,"validation_time_p95_ms":`...)
	dst = appendFloat(dst, s.QuantileMS(0.95))
	dst = append(dst, `,"validation_time_p99_ms":`...)
	dst = appendFloat(dst, s.QuantileMS(0.99))
	dst = append(dst, `,"errors_by_type":{`...)
	first := true
	for _, e := range s.Errors {
		if e.Count == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, '"')
		dst = append(dst, e.Reason...)
		dst = append(dst, `":`...)
		dst = strconv.AppendUint(dst, e.Count, 10)
	}
	return append(dst, "}}"...)
}

// appendFloat appends a finite number in the shortest form that parses to the same value.
func appendFloat(dst []byte, v float64) []byte { return strconv.AppendFloat(dst, v, 'f', -1, 64) }

// AppendPrometheus appends the Python library's three metrics and the percentiles in Prometheus's text exposition format.
func (s *Snapshot) AppendPrometheus(dst []byte) []byte {
	dst = header(dst, "auth_tokens_validated_total", "Total validated tokens", "counter")
	dst = append(strconv.AppendUint(dst, s.Validated, 10), '\n')
	dst = header(dst, "auth_success_rate", "Authentication success rate, percent", "gauge")
	dst = append(appendFloat(dst, s.SuccessRate()), '\n')
	dst = header(dst, "auth_validation_duration_avg_ms", "Average validation time", "gauge")
	dst = append(appendFloat(dst, s.AverageMS()), '\n')
	dst = header(dst, "auth_validation_duration_p95_ms", "95th percentile of the validation time", "gauge")
	dst = append(appendFloat(dst, s.QuantileMS(0.95)), '\n')
	dst = header(dst, "auth_validation_duration_p99_ms", "99th percentile of the validation time", "gauge")
	return append(appendFloat(dst, s.QuantileMS(0.99)), '\n')
}

func header(dst []byte, name, help, kind string) []byte {
	for _, part := range [...]string{"# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n", name, " "} {
		dst = append(dst, part...)
	}
	return dst
}
