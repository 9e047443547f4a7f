package auditreport

import (
	"slices"
	"time"
)

// Span is a part of the time that the logs cover.
type Span struct {
	From string `json:"from"`
	Counts
}

// widths are the lengths that spans may have, in seconds. When there are too many spans, they get
// longer.
var widths = []int64{60, 300, 900, 3600, 6 * 3600, 86400, 7 * 86400, 28 * 86400, 364 * 86400, 20 * 364 * 86400}

// timeline counts over time, in at most maxSpans spans.
type timeline struct {
	width int // index of widths
	spans map[int64]*Counts
	// The last timestamp's minute, because most lines have the same one as the line before.
	minute string
	unix   int64
}

const minuteBytes = len("2006-01-02T15:04")

func (t *timeline) add(timestamp string, refused, wouldBe bool) {
	if len(timestamp) < minuteBytes {
		return
	}
	if minute := timestamp[:minuteBytes]; minute != t.minute {
		at, err := time.Parse("2006-01-02T15:04", minute)
		if err != nil {
			return
		}
		t.minute, t.unix = minute, at.Unix()
	}
	if t.spans == nil {
		t.spans = map[int64]*Counts{}
	}
	start := t.unix - mod(t.unix, widths[t.width])
	c := t.spans[start]
	if c == nil {
		c = &Counts{}
		t.spans[start] = c
	}
	c.add(refused, wouldBe)
	for len(t.spans) > maxSpans && t.width+1 < len(widths) {
		t.widen()
	}
}

func (t *timeline) widen() {
	t.width++
	wider := map[int64]*Counts{}
	for start, c := range t.spans {
		start -= mod(start, widths[t.width])
		if w := wider[start]; w != nil {
			w.Requests += c.Requests
			w.Refused += c.Refused
			w.WouldBe += c.WouldBe
		} else {
			wider[start] = c
		}
	}
	t.spans = wider
}

func mod(a, b int64) int64 { return (a%b + b) % b }

func (t *timeline) list() (spans []Span, seconds int64) {
	var starts []int64
	for start := range t.spans {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	spans = []Span{}
	for _, start := range starts {
		spans = append(spans, Span{time.Unix(start, 0).UTC().Format(time.RFC3339), *t.spans[start]})
	}
	return spans, widths[t.width]
}
