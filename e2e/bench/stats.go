package main

import "slices"

// summary is the median of some values, with an interval.
type summary struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// summarize returns the median of values with the distribution-free interval between the second
// smallest and the second largest of them: it covers the true median with 96 % confidence for nine
// values, the number of rounds in a full run. With fewer than six values the interval is their
// range.
func summarize(values []float64) summary {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return summary{}
	}
	cut := 0
	if n >= 6 {
		cut = 1
	}
	median := sorted[n/2]
	if n%2 == 0 {
		median = (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return summary{Median: median, Low: sorted[cut], High: sorted[n-1-cut]}
}

// each combines two series round by round.
func each(a, b []float64, f func(a, b float64) float64) []float64 {
	out := make([]float64, min(len(a), len(b)))
	for i := range out {
		out[i] = f(a[i], b[i])
	}
	return out
}

func minus(a, b float64) float64 { return a - b }
func over(a, b float64) float64  { return a / b }
