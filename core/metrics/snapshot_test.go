package metrics_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/metrics"
)

// row is one pair of inputs and outputs recorded from the Python library's MetricsCollector.
type row struct {
	Case  string
	Input struct {
		Ops [][]any // ["ok", ms], ["fail", reason, ms], ["reset"]
	}
	Expected map[string]any
}

func recordedRows(t *testing.T) (rows []row) {
	t.Helper()
	doc, err := os.ReadFile("../testdata/vectors.json")
	require.NoError(t, err)
	var all []json.RawMessage
	require.NoError(t, json.Unmarshal(doc, &all))
	for _, one := range all {
		var of struct{ Service string }
		require.NoError(t, json.Unmarshal(one, &of))
		if of.Service == "metrics" { // the other services' rows have other shapes
			var r row
			require.NoError(t, json.Unmarshal(one, &r))
			rows = append(rows, r)
		}
	}
	return rows
}

// counts is the state that a snapshot is taken of: what the host's counters and the workers'
// sketches hold.
type counts struct {
	at        int64
	validated uint64
	failed    []metrics.ErrorCount
	durations metrics.Sketch
}

func (c *counts) fail(reason string) {
	for i := range c.failed {
		if c.failed[i].Reason == reason {
			c.failed[i].Count++
			return
		}
	}
	c.failed = append(c.failed, metrics.ErrorCount{Reason: reason, Count: 1})
}

func (c *counts) took(ms any) {
	nanos := int64(math.Round(ms.(float64) * 1e6))
	c.at += nanos
	c.durations.Add(nanos)
}

func (c *counts) snapshot() *metrics.Snapshot {
	s := &metrics.Snapshot{Uptime: c.at, Validated: c.validated, Durations: c.durations}
	s.Errors = append(s.Errors, c.failed...)
	return s
}

func TestSnapshotsAgreeWithThePythonLibrary(t *testing.T) {
	rows := recordedRows(t)
	require.Len(t, rows, 10)
	for _, r := range rows {
		t.Run(r.Case, func(t *testing.T) {
			var c counts
			baseline := &metrics.Snapshot{}
			for _, op := range r.Input.Ops {
				switch op[0] {
				case "ok":
					c.validated++
					c.took(op[1])
				case "fail":
					c.fail(op[1].(string))
					c.took(op[2])
				case "reset":
					baseline = c.snapshot()
				default:
					t.Fatalf("unknown operation %v", op[0])
				}
			}
			s := c.snapshot()
			s.Since(baseline)
			var got map[string]any
			require.NoError(t, json.Unmarshal(s.AppendJSON(nil), &got))

			for name, want := range r.Expected {
				switch name {
				case "validation_time_p95_ms", "validation_time_p99_ms": // a sketch instead of all samples
					assert.InDelta(t, want, got[name], metrics.RelativeError*want.(float64), name)
				case "validation_time_avg_ms", "success_rate": // exact, but for the last bits of a float
					assert.InDelta(t, want, got[name], 1e-9, name)
				default:
					assert.Equal(t, want, got[name], name)
				}
			}
			assert.InDelta(t, float64(s.Uptime)/1e9, got["uptime_seconds"], 1e-9) // not in the vectors: it depends on the clock
			assert.Len(t, got, len(r.Expected)+1)
		})
	}
}

func TestTheSnapshotHasThePythonLibrarysMembersInOrder(t *testing.T) {
	s := &metrics.Snapshot{Uptime: 3_600_500_000_000, Validated: 3, Errors: []metrics.ErrorCount{
		{Reason: "malformed_token"}, {Reason: "expired_token", Count: 1}, {Reason: "invalid_signature", Count: 2},
	}}
	for _, ns := range []int64{10, 20, 30, 40, 50, 60} { // exact below 64
		s.Durations.Add(ns)
	}
	assert.Equal(t, `{"uptime_seconds":3600.5,"tokens_validated":3,"tokens_failed":3,"total_tokens":6,"success_rate":50,`+
		`"validation_time_avg_ms":0.000035,"validation_time_p95_ms":0.00006,"validation_time_p99_ms":0.00006,`+
		`"errors_by_type":{"expired_token":1,"invalid_signature":2}}`, string(s.AppendJSON(nil)))
	assert.Equal(t, `# HELP auth_tokens_validated_total Total validated tokens
# TYPE auth_tokens_validated_total counter
auth_tokens_validated_total 3
# HELP auth_success_rate Authentication success rate, percent
# TYPE auth_success_rate gauge
auth_success_rate 50
# HELP auth_validation_duration_avg_ms Average validation time
# TYPE auth_validation_duration_avg_ms gauge
auth_validation_duration_avg_ms 0.000035
# HELP auth_validation_duration_p95_ms 95th percentile of the validation time
# TYPE auth_validation_duration_p95_ms gauge
auth_validation_duration_p95_ms 0.00006
# HELP auth_validation_duration_p99_ms 99th percentile of the validation time
# TYPE auth_validation_duration_p99_ms gauge
auth_validation_duration_p99_ms 0.00006
`, string(s.AppendPrometheus(nil)))
}

func TestACountBelowItsBaselineStaysAsItIs(t *testing.T) {
	earlier := &metrics.Snapshot{Uptime: 100, Validated: 10, Errors: []metrics.ErrorCount{{Reason: "token_type", Count: 5}, {Reason: "unknown_key", Count: 1}}}
	s := &metrics.Snapshot{Uptime: 40, Validated: 4, Errors: []metrics.ErrorCount{{Reason: "token_type", Count: 7}, {Reason: "expired_token", Count: 2}}}
	s.Since(earlier)
	assert.Equal(t, &metrics.Snapshot{
		Uptime: 40, Validated: 4, Errors: []metrics.ErrorCount{{Reason: "token_type", Count: 2}, {Reason: "expired_token", Count: 2}},
	}, s)
}
