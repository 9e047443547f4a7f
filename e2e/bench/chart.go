package main

import (
	"fmt"
	"html"
	"strings"
)

// Sizes of the chart, in pixels.
const (
	chartLabel = 430 // room for the names
	chartBars  = 420
	chartRow   = 24
)

// chart draws the overhead of each row as a bar with its interval, as SVG that reads in light and
// dark.
func (r *report) chart() string {
	most := 1.0
	for _, row := range r.Rows {
		most = max(most, row.Overhead.High)
	}
	scale := chartBars / most
	var b strings.Builder
	width, height := chartLabel+chartBars+90, chartRow*(len(r.Rows)+2)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" `+
		`font-family="sans-serif" font-size="13">`+"\n", width, height, width, height)
	b.WriteString("<title>CPU time per request over bare Envoy</title>\n" +
		"<style>text{fill:#24292f}.bar{fill:#8c959f}.ours{fill:#1f6feb}.interval{stroke:#24292f}" +
		"@media(prefers-color-scheme:dark){text{fill:#e6edf3}.interval{stroke:#e6edf3}}</style>\n")
	fmt.Fprintf(&b, `<text x="8" y="17">CPU time per request over bare Envoy, µs (%s)</text>`+"\n", html.EscapeString(r.Envoy))
	for i, row := range r.Rows {
		y, class := chartRow*(i+1), "bar"
		if strings.HasPrefix(row.Name, "Gatehouse") {
			class = "bar ours"
		}
		value := max(row.Overhead.Median, 0)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, chartLabel-8, y+16, html.EscapeString(row.Name))
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="14"/>`, class, chartLabel, y+5, value*scale)
		fmt.Fprintf(&b, `<line class="interval" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`,
			chartLabel+max(row.Overhead.Low, 0)*scale, chartLabel+max(row.Overhead.High, 0)*scale, y+12, y+12)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%.1f</text>`+"\n", chartLabel+max(row.Overhead.High, 0)*scale+6, y+16, row.Overhead.Median)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
