package scenario

import (
	"fmt"
	"slices"
	"strings"
)

// Row is a scenario's line in the table of a run.
type Row struct {
	Scenario *Scenario
	// Seen is what each runner observed; a runner that is missing didn't run.
	Seen map[string]*Observation
	// Failed are the runners that didn't meet the expectations, or differ from others.
	Failed map[string]bool
}

// cell is what the table says of a runner.
func (r *Row) cell(runner string) string {
	o := r.Seen[runner]
	if o == nil {
		return "-"
	}
	word := "ok"
	if r.Failed[runner] {
		word = "FAILED"
	}
	ran := 0
	for _, e := range o.Exchanges {
		if e != nil {
			ran++
		}
	}
	if ran < len(o.Exchanges) {
		word += fmt.Sprintf(" (%d of %d steps)", ran, len(o.Exchanges))
	}
	return word
}

// Table is the table of a run, and under it why some runners left some of it out.
func Table(rows []*Row) string {
	lines := [][]string{append([]string{"scenario"}, Runners...)}
	for _, r := range rows {
		line := []string{r.Scenario.File + ": " + r.Scenario.Name}
		for _, runner := range Runners {
			line = append(line, r.cell(runner))
		}
		lines = append(lines, line)
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		for i, cell := range line {
			if i > 0 {
				b.WriteString(" | ")
			}
			fmt.Fprintf(&b, "%-*s", widths[i], cell)
		}
		b.WriteString("\n")
	}
	for _, reason := range restrictions(rows) {
		b.WriteString(reason + "\n")
	}
	return b.String()
}

// restrictions list what runners leave out.
func restrictions(rows []*Row) (out []string) {
	for _, r := range rows {
		s := r.Scenario
		for _, runner := range Runners {
			if ok, why := s.RunsIn(runner); !ok {
				out = append(out, fmt.Sprintf("not in %s: %s: %s", runner, s.Name, why))
			}
		}
		for i := range s.Steps {
			for _, runner := range s.Steps[i].Without {
				out = append(out, fmt.Sprintf("not in %s: %s, step %d: %s", runner, s.Name, i+1, s.Steps[i].Because))
			}
		}
	}
	return slices.Compact(out)
}
