package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// report is what a run found. Its JSON is bench.json.
type report struct {
	Envoy  string  `json:"envoy"`
	Rounds int     `json:"rounds"`
	Rows   []row   `json:"rows"`
	Ratios []ratio `json:"ratios"`
	Curves []point `json:"curves"`
	Starts []start `json:"starts"`
}

// row is a subject's CPU time per request, in microseconds: all of it, and what it is over bare
// Envoy.
type row struct {
	Name     string  `json:"name"`
	CPU      summary `json:"cpu_us"`
	Overhead summary `json:"overhead_us"`

	overheads []float64
}

// ratio is one overhead over another, and the bound that product and docs promise; 0 for none.
type ratio struct {
	What    string  `json:"what"`
	Against string  `json:"against"`
	Ratio   summary `json:"ratio"`
	AtMost  float64 `json:"at_most,omitempty"`
}

// point is a subject of a curve: its CPU time per request, and the ratio of that to the first
// one's.
type point struct {
	Name  string  `json:"name"`
	CPU   summary `json:"cpu_us"`
	Ratio summary `json:"ratio"`
}

// start is what a start costs, in CPU seconds until the first answer could come, and the memory
// after it, in MB.
type start struct {
	Name string  `json:"name"`
	CPU  summary `json:"cpu_seconds"`
	RSS  summary `json:"rss_mb"`
}

// addTable adds the subjects of the main table, and the ratios that say whether promises hold.
func (r *report) addTable(subjects []*subject) {
	r.addRows(subjects[0], subjects)
	r.compare(allOn, nativeLog, 0.6)
	r.compare(allOn, nativeCachedLog, 4)
	r.compare(manyAllOn, manyNative, 0.6)
	r.compare(manyAllOn, manyCached, 4)
	r.compare(nothing, noop, 1.5)
	r.compareAdded(allOnChain, allOn, nativeLog, 0.25)
	r.compare(noop, nativeCached, 0)
}

// addRows adds subjects, each with its overhead over a bare Envoy that took turns with it.
func (r *report) addRows(bare *subject, subjects []*subject) {
	for _, s := range subjects {
		over := each(s.costs, bare.costs, minus)
		r.Rows = append(r.Rows, row{Name: s.Name, CPU: summarize(s.costs), Overhead: summarize(over), overheads: over})
	}
}

// addMoments adds first-seen tokens and refusals.
func (r *report) addMoments(subjects []*subject) {
	r.addRows(subjects[0], subjects[1:])
	r.compare(firstSeen, firstSeenNative, 1.5)
}

// addCurve adds the subjects of a curve.
func (r *report) addCurve(subjects []*subject) {
	for _, s := range subjects {
		r.Curves = append(r.Curves, point{s.Name, summarize(s.costs), summarize(each(s.costs, subjects[0].costs, over))})
	}
}

// addStarts adds what starts cost, and the ratios of the last subject, the gate, to the module that
// does nothing.
func (r *report) addStarts(subjects []*subject) {
	for _, s := range subjects {
		r.Starts = append(r.Starts, start{s.Name, summarize(s.costs), summarize(s.sizes)})
	}
	nothing, gate := subjects[1], subjects[2]
	r.Ratios = append(r.Ratios,
		ratio{"start-up: " + gate.Name, nothing.Name, summarize(each(gate.costs, nothing.costs, over)), 2.2},
		ratio{"resident with 10,000 tokens: " + gate.Name, nothing.Name, summarize(each(gate.sizes, nothing.sizes, over)), 1.5},
	)
}

// compare adds the ratio of two rows' overheads, taken round by round.
func (r *report) compare(what, against string, atMost float64) {
	a, b := r.row(what), r.row(against)
	if a == nil || b == nil {
		return
	}
	r.Ratios = append(r.Ratios, ratio{what, against, summarize(each(a.overheads, b.overheads, over)), atMost})
}

// compareAdded adds the ratio of what one row costs more than another to the overhead of a third.
func (r *report) compareAdded(what, than, against string, atMost float64) {
	a, b, c := r.row(what), r.row(than), r.row(against)
	if a == nil || b == nil || c == nil {
		return
	}
	added := each(a.overheads, b.overheads, minus)
	r.Ratios = append(r.Ratios, ratio{"the audit chain alone", against, summarize(each(added, c.overheads, over)), atMost})
}

func (r *report) row(name string) *row {
	for i := range r.Rows {
		if r.Rows[i].Name == name {
			return &r.Rows[i]
		}
	}
	return nil
}

// text is the report for people.
func (r *report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s, %d rounds: median [interval]\n\n", r.Envoy, r.Rounds)
	fmt.Fprintf(&b, "%-66s %22s %22s\n", "", "CPU µs per request", "over bare Envoy")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "%-66s %22s %22s\n", row.Name, row.CPU.text("%.1f"), row.Overhead.text("%.1f"))
	}
	b.WriteString("\nRatios: of overheads, and of starts\n\n")
	for _, ratio := range r.Ratios {
		fmt.Fprintf(&b, "%-34s / %-66s %s", ratio.What, ratio.Against, ratio.Ratio.text("%.2f"))
		switch {
		case ratio.AtMost == 0:
		case ratio.Ratio.Median <= ratio.AtMost:
			fmt.Fprintf(&b, "   at most %g: holds", ratio.AtMost)
		default:
			fmt.Fprintf(&b, "   at most %g: MISSED", ratio.AtMost)
		}
		b.WriteByte('\n')
	}
	if len(r.Curves) == 0 {
		return b.String()
	}
	b.WriteString("\nCurves: CPU per request, and its ratio to the first of the family\n\n")
	for _, p := range r.Curves {
		fmt.Fprintf(&b, "%-66s %22s %22s\n", p.Name, p.CPU.text("%.1f"), p.Ratio.text("%.2f"))
	}
	b.WriteString("\nStarts: CPU seconds until it serves, MB resident\n\n")
	for _, s := range r.Starts {
		fmt.Fprintf(&b, "%-66s %22s %22s\n", s.Name, s.CPU.text("%.2f"), s.RSS.text("%.0f"))
	}
	return b.String()
}

// text is the median and its interval, each in the given format.
func (s summary) text(format string) string {
	return fmt.Sprintf(format+" ["+format+", "+format+"]", s.Median, s.Low, s.High)
}

// write leaves bench.json and bench.svg in a folder.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "bench.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "bench.svg"), []byte(r.chart()), 0o644); err != nil {
		return err
	}
	fmt.Println("\nwritten:", filepath.Join(dir, "bench.json"), filepath.Join(dir, "bench.svg"))
	return nil
}
