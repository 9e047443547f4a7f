package conformance

import (
	"context"
	"fmt"
	"strings"
)

// Report is what a host did, by scenario.
type Report []Observed

// Observed is what was seen of one scenario.
type Observed struct {
	// Name is the scenario's, with a number where a name comes again.
	Name  string
	Lines []string
}

// start is the name of what a host does before the first request.
const start = "(start)"

// lastStartLine is what the probe says at the end of its start.
const lastStartLine = "configure set_property 1"

// RunAll plays all scenarios, one after the other, to a host that was just
// started and has one worker.
func RunAll(ctx context.Context, addr string, up *Upstream, logs *Lines) (Report, error) {
	// The canary, the main thread and the worker each start the probe.
	started, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := logs.WaitFor(started, lastStartLine, 3); err != nil {
		return nil, fmt.Errorf("the probe did not start: %w", err)
	}
	report := Report{{Name: start, Lines: logs.Take()}}
	seen := map[string]int{}
	for _, sc := range Scenarios() {
		lines, err := Run(ctx, sc, addr, up, logs)
		if err != nil {
			return nil, err
		}
		seen[sc.Name]++
		name := sc.Name
		if n := seen[sc.Name]; n > 1 {
			name = fmt.Sprintf("%s (%d)", name, n)
		}
		report = append(report, Observed{Name: name, Lines: lines})
	}
	return report, nil
}

// String writes the report as testdata keeps it.
func (r Report) String() string {
	var b strings.Builder
	for _, o := range r {
		fmt.Fprintf(&b, "== %s\n", o.Name)
		for _, line := range o.Lines {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// ParseReport reads what String wrote.
func ParseReport(text string) Report {
	var r Report
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			r = append(r, Observed{Name: name})
		} else if len(r) > 0 {
			o := &r[len(r)-1]
			o.Lines = append(o.Lines, line)
		}
	}
	return r
}
