package scenario

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Compare lists the differences between the observations of two runners, whether a file mentions
// them or not. It leaves out steps and counters that one of them doesn't have.
func Compare(a, b *Observation) (differ []string) {
	for i := range a.Exchanges {
		if a.Exchanges[i] == nil || b.Exchanges[i] == nil {
			continue
		}
		for j := range a.Exchanges[i] {
			for _, d := range compareExchanges(&a.Exchanges[i][j], &b.Exchanges[i][j]) {
				differ = append(differ, fmt.Sprintf("step %d.%d: %s", i+1, j+1, d))
			}
		}
	}
	if a.Metrics != nil && b.Metrics != nil {
		differ = append(differ, differences("metric ", a.Metrics, b.Metrics)...)
	}
	if a.Log != nil && b.Log != nil {
		differ = append(differ, differences("audit lines in the log at level ", a.Log, b.Log)...)
	}
	return differ
}

func compareExchanges(a, b *Exchange) (differ []string) {
	diff := func(what string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			differ = append(differ, fmt.Sprintf("%s: %#v, %#v", what, a, b))
		}
	}
	diff("status", a.Status, b.Status)
	diff("body", a.Body, b.Body)
	diff("response code details", a.Details, b.Details)
	differ = append(differ, compareHeaders("header ", a.Header, b.Header, max(a.Late, b.Late))...)
	diff("reached the upstream", a.Upstream != nil, b.Upstream != nil)
	if a.Upstream != nil && b.Upstream != nil {
		diff("upstream's method", a.Upstream.Method, b.Upstream.Method)
		diff("upstream's path", a.Upstream.Path, b.Upstream.Path)
		diff("upstream's host", a.Upstream.Host, b.Upstream.Host)
		differ = append(differ, compareHeaders("upstream's header ", a.Upstream.Header, b.Upstream.Header, 0)...)
	}
	diff("audit events", len(a.Audit), len(b.Audit))
	for i := range min(len(a.Audit), len(b.Audit)) {
		lineA, lineB := withoutChain(a.Audit[i]), withoutChain(b.Audit[i])
		ea, errA := event(lineA)
		eb, errB := event(lineB)
		diff("audit event's form", errA, errB)
		diff("audit event's members", keysOf(lineA), keysOf(lineB))
		differ = append(differ, unlike("audit: ", ea, eb)...)
	}
	return differ
}

func compareHeaders(what string, a, b Header, late time.Duration) (differ []string) {
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !slices.EqualFunc(a[name], b[name], func(x, y string) bool { return same(name, x, y, late) }) {
			differ = append(differ, fmt.Sprintf("%s%s: %q, %q", what, name, a[name], b[name]))
		}
	}
	return differ
}

// OnTime is how late a request may be while its countdowns must still be equal. Countdowns are
// rounded up to whole seconds. Scenarios keep them a quarter of a second away from whole seconds,
// so that a shorter delay doesn't change them.
const OnTime = 200 * time.Millisecond

// seconds finds countdowns: all of retry-after and x-ratelimit-reset, and t in ratelimit.
var seconds = map[string]*regexp.Regexp{
	"retry-after":       regexp.MustCompile(`^()(\d+)()$`),
	"x-ratelimit-reset": regexp.MustCompile(`^()(\d+)()$`),
	"ratelimit":         regexp.MustCompile(`(;t=)(\d+)(,|$)`),
}

// unixTime is a Unix time of our days, as limit_headers: [x-ratelimit-epoch] asks for.
var unixTime = regexp.MustCompile(`^[0-9]{10}$`)

// same compares a header's value with what was planned. If a request of the scenario was late,
// countdowns may be lower (this request was late) or higher (an earlier one was), by at most the
// delay.
func same(name, want, got string, late time.Duration) bool {
	if name == eventIDHeader { // checkRefusal compares it with the event
		return want != "" && got != ""
	}
	if name == "x-ratelimit-reset" && unixTime.MatchString(want) {
		return unixTime.MatchString(got) // runners don't run at the same time
	}
	re := seconds[name]
	if want == got || re == nil || late < OnTime {
		return want == got
	}
	if re.ReplaceAllString(want, "$1$3") != re.ReplaceAllString(got, "$1$3") {
		return false
	}
	w, g := re.FindAllStringSubmatch(want, -1), re.FindAllStringSubmatch(got, -1)
	for i := range w {
		planned, _ := strconv.Atoi(w[i][2])
		saw, _ := strconv.Atoi(g[i][2])
		if math.Abs(float64(planned-saw)) > math.Ceil(late.Seconds()) {
			return false
		}
	}
	return true
}
