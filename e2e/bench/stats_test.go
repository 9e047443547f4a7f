package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummarizeGivesTheMedianAndTheSecondValuesFromEachEnd(t *testing.T) {
	require.Equal(t, summary{5, 2, 8}, summarize([]float64{9, 1, 5, 3, 7, 2, 8, 4, 6}))
}

func TestSummarizeOfFewValuesGivesTheirRange(t *testing.T) {
	require.Equal(t, summary{2, 1, 3}, summarize([]float64{3, 1, 2}))
	require.Equal(t, summary{1.5, 1, 2}, summarize([]float64{2, 1}))
	require.Equal(t, summary{}, summarize(nil))
}

func TestARatioIsTakenRoundByRound(t *testing.T) {
	r := &report{Envoy: "envoy", Rounds: 3}
	r.addTable([]*subject{
		{Name: bare, costs: []float64{10, 20, 30}},
		{Name: allOn, costs: []float64{16, 32, 48}},
		{Name: nativeLog, costs: []float64{20, 40, 60}},
	})
	require.Len(t, r.Ratios, 1)
	require.InDelta(t, 0.6, r.Ratios[0].Ratio.Median, 1e-9)
	require.InDelta(t, 0.6, r.Ratios[0].Ratio.High, 1e-9)
	require.Contains(t, r.text(), "at most 0.6: holds")
}

func TestAMissedBoundIsSaid(t *testing.T) {
	r := &report{}
	r.addTable([]*subject{
		{Name: bare, costs: []float64{10}}, {Name: allOn, costs: []float64{20}}, {Name: nativeLog, costs: []float64{20}},
	})
	require.Contains(t, r.text(), "at most 0.6: MISSED")
}

func TestTheChartIsWellFormed(t *testing.T) {
	r := &report{Envoy: "<envoy> & more"}
	r.addTable([]*subject{{Name: bare, costs: []float64{10}}, {Name: allOn, costs: []float64{30}}})
	decoder := xml.NewDecoder(strings.NewReader(r.chart()))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
}
