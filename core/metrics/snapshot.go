package metrics

import "strconv"

// Snapshot holds the figures of the Python library's MetricsCollector: how many tokens were valid,
// how many were not and why, and how long their validation took.
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

// AddError adds to the count of a reason.
func (s *Snapshot) AddError(reason string, n uint64) {
	for i := range s.Errors {
		if s.Errors[i].Reason == reason {
			s.Errors[i].Count += n
			return
		}
	}
	s.Errors = append(s.Errors, ErrorCount{reason, n})
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

// Since subtracts an earlier state, the baseline. A count that is smaller than the baseline's has
// been restarted in between and stays as it is.
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

// AppendJSON appends the snapshot as one JSON object with the members of the Python library's
// get_metrics.
func (s *Snapshot) AppendJSON(dst []byte) []byte {
	failed := s.Failed()
	dst = appendFloat(dst, `{"uptime_seconds":`, float64(s.Uptime)/1e9)
	dst = appendUint(dst, `,"tokens_validated":`, s.Validated)
	dst = appendUint(dst, `,"tokens_failed":`, failed)
	dst = appendUint(dst, `,"total_tokens":`, s.Validated+failed)
	dst = appendFloat(dst, `,"success_rate":`, s.SuccessRate())
	dst = appendFloat(dst, `,"validation_time_avg_ms":`, s.AverageMS())
	dst = appendFloat(dst, `,"validation_time_p95_ms":`, s.QuantileMS(0.95))
	dst = appendFloat(dst, `,"validation_time_p99_ms":`, s.QuantileMS(0.99))
	dst = append(dst, `,"errors_by_type":{`...)
	before := `"`
	for _, e := range s.Errors {
		if e.Count > 0 {
			dst = appendUint(dst, before+e.Reason+`":`, e.Count)
			before = `,"`
		}
	}
	return append(dst, "}}"...)
}

// AppendPrometheus appends the Python library's three metrics and the percentiles in Prometheus's
// text exposition format.
func (s *Snapshot) AppendPrometheus(dst []byte) []byte {
	dst = appendUint(dst, `# HELP auth_tokens_validated_total Total validated tokens
# TYPE auth_tokens_validated_total counter
auth_tokens_validated_total `, s.Validated)
	dst = appendFloat(dst, `
# HELP auth_success_rate Authentication success rate, percent
# TYPE auth_success_rate gauge
auth_success_rate `, s.SuccessRate())
	dst = appendFloat(dst, `
# HELP auth_validation_duration_avg_ms Average validation time
# TYPE auth_validation_duration_avg_ms gauge
auth_validation_duration_avg_ms `, s.AverageMS())
	dst = appendFloat(dst, `
# HELP auth_validation_duration_p95_ms 95th percentile of the validation time
# TYPE auth_validation_duration_p95_ms gauge
auth_validation_duration_p95_ms `, s.QuantileMS(0.95))
	dst = appendFloat(dst, `
# HELP auth_validation_duration_p99_ms 99th percentile of the validation time
# TYPE auth_validation_duration_p99_ms gauge
auth_validation_duration_p99_ms `, s.QuantileMS(0.99))
	return append(dst, '\n')
}

// appendFloat appends a text and a finite number in the shortest form that parses to the same
// value. Inlined, it would make the module larger.
//
//go:noinline
func appendFloat(dst []byte, before string, v float64) []byte {
	return strconv.AppendFloat(append(dst, before...), v, 'f', -1, 64)
}

//go:noinline
func appendUint(dst []byte, before string, v uint64) []byte {
	return strconv.AppendUint(append(dst, before...), v, 10)
}
