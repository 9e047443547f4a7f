package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// silence is how long nothing is printed before a line says what is running.
const silence = 30 * time.Second

// event is an event of `go test -json` (go doc test2json; for the build's, go help buildjson).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// report turns events into lines for a person, and into a log.
type report struct {
	out     io.Writer
	log     io.Writer
	now     func() time.Time
	total   int // packages with tests
	started time.Time
	printed time.Time // when the last line was printed
	logged  string    // the package whose output the log is in

	running []*testedPackage // in the order in which they began
	done    int
	tests   int
	failed  []string // packages
	faults  []string // failed tests, each with its package
	skipped []string // skipped tests, each with the reason
	skips   int
}

// testedPackage is a package whose tests run.
type testedPackage struct {
	name    string
	output  []chunk
	running []string        // tests, in the order in which they began
	good    map[string]bool // tests that passed or were skipped
}

// chunk is a piece of output, in most cases a line.
type chunk struct{ test, text string }

func newReport(out, log io.Writer, now func() time.Time) *report {
	return &report{out: out, log: log, now: now, started: now(), printed: now()}
}

func (r *report) print(format string, args ...any) {
	r.printed = r.now()
	_, _ = fmt.Fprintf(r.out, format, args...)
}

// elapsed is the time since the run began, in whole seconds.
func (r *report) elapsed() time.Duration { return r.now().Sub(r.started).Round(time.Second) }

// begin says what is ahead.
func (r *report) begin(before, path string) {
	r.print("testing %d packages; all output goes to %s\n", r.total, path)
	if strings.HasPrefix(before, "PASS: ") || strings.HasPrefix(before, "FAIL: ") {
		r.print("the run before: %s\n", before)
	}
}

// event takes one event.
func (r *report) event(e event) {
	if e.Action == "build-output" {
		r.logOutput("", e.Output)
		r.print("%s", e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p := r.find(e.Package)
	switch e.Action {
	case "output":
		p.output = append(p.output, chunk{e.Test, e.Output})
		r.logOutput(e.Package, e.Output)
	case "run":
		p.running = append(p.running, e.Test)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.finish(p, e.Action)
		} else {
			r.finishTest(p, e)
		}
	}
}

// find returns the package of a name, which begins with its first event.
func (r *report) find(name string) *testedPackage {
	for _, p := range r.running {
		if p.name == name {
			return p
		}
	}
	p := &testedPackage{name: name, good: map[string]bool{}}
	r.running = append(r.running, p)
	return p
}

// logOutput writes output as it comes. A line says where another package's begins.
func (r *report) logOutput(pkg, text string) {
	if pkg != r.logged {
		r.logged = pkg
		_, _ = fmt.Fprintf(r.log, "# %s\n", pkg)
	}
	_, _ = io.WriteString(r.log, text)
}

// finishTest takes a test's end.
func (r *report) finishTest(p *testedPackage, e event) {
	p.running = slices.DeleteFunc(p.running, func(name string) bool { return name == e.Test })
	if e.Action != "fail" {
		p.good[e.Test] = true
	}
	if strings.Contains(e.Test, "/") {
		return // counted with its parent
	}
	r.tests++
	switch e.Action {
	case "fail":
		r.faults = append(r.faults, p.name+" "+e.Test)
	case "skip":
		r.skips++
		r.skipped = append(r.skipped, p.name+" "+e.Test+p.reason(e.Test))
	}
}

// reason is what a skipped test printed.
func (p *testedPackage) reason(test string) string {
	for i := len(p.output) - 1; i >= 0; i-- {
		text := strings.TrimSpace(p.output[i].text)
		if p.output[i].test == test && !isMarker(text) && !strings.HasPrefix(text, "--- SKIP") {
			return ": " + text
		}
	}
	return ""
}

// isMarker says that a line is of `go test -v` alone.
func isMarker(line string) bool { return strings.HasPrefix(line, "=== ") || line == "PASS" }

// finish takes a package's end.
func (r *report) finish(p *testedPackage, action string) {
	r.running = slices.DeleteFunc(r.running, func(other *testedPackage) bool { return other == p })
	result := ""
	for _, c := range p.output {
		if c.test == "" && isResult(c.text) {
			result = strings.TrimRight(c.text, "\n")
		}
	}
	if strings.HasSuffix(result, "[no test files]") {
		return
	}
	if action == "fail" {
		r.failed = append(r.failed, p.name)
		r.printFailure(p)
	}
	r.done++
	r.print("%s\t[%d/%d, %s]\n", result, r.done, r.total, r.elapsed())
}

// isResult says that a line is Go's own about a package.
func isResult(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t") || strings.HasPrefix(line, "?   \t")
}

// printFailure prints what `go test` prints without -v: the output of whatever did not pass.
func (r *report) printFailure(p *testedPackage) {
	for _, c := range p.output {
		if p.good[c.test] || isMarker(strings.TrimRight(c.text, "\n")) || c.test == "" && isResult(c.text) {
			continue
		}
		r.print("%s", c.text)
	}
	for _, test := range p.running {
		r.print("%s did not end\n", test)
	}
}

// heartbeat says what is running if nothing was printed for some time.
func (r *report) heartbeat() {
	if r.now().Sub(r.printed) < silence || len(r.running) == 0 {
		return
	}
	p := r.running[0]
	test := ""
	if len(p.running) > 0 {
		test = " " + p.running[len(p.running)-1]
	}
	r.print("... %s: %d of %d packages done, running %s%s\n", r.elapsed(), r.done, r.total, p.name, test)
}

// end reports the whole. It says whether all tests ran and none failed. err is that of the last
// `go test`.
func (r *report) end(interrupted bool, err error, path string) bool {
	for _, p := range r.running {
		r.print("%s did not end:\n", p.name)
		r.printFailure(p)
	}
	for _, s := range r.skipped {
		r.print("skipped: %s\n", s)
	}
	for _, f := range r.faults {
		r.print("failed: %s\n", f)
	}
	ok := err == nil && !interrupted && len(r.failed) == 0 && len(r.running) == 0 && r.done == r.total
	last := r.summary(ok, interrupted, err)
	_, _ = fmt.Fprintf(r.log, "\n%s\n", last)
	r.print("%s; all output is in %s\n", last, path)
	return ok
}

// summary is the last line.
func (r *report) summary(ok, interrupted bool, err error) string {
	tests := fmt.Sprintf("%d tests, %d skipped, in %s", r.tests, r.skips, r.elapsed())
	switch {
	case ok:
		return fmt.Sprintf("PASS: %d packages, %s", r.done, tests)
	case interrupted:
		return fmt.Sprintf("INTERRUPTED: %d of %d packages had run, %d failed; %s", r.done, r.total, len(r.failed), tests)
	}
	what := fmt.Sprintf("FAIL: %d of %d packages (%s)", len(r.failed), r.total, strings.Join(r.failed, ", "))
	if len(r.failed) == 0 {
		what = fmt.Sprintf("FAIL: go test: %v", err)
	}
	if left := r.total - r.done; left > 0 {
		what += fmt.Sprintf(", %d did not run", left)
	}
	return what + "; " + tests
}
