package auditreport

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Text is the report for people. top is how many rows a table has at most.
func (r *Report) Text(top int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests, %d refused", r.Requests, r.Refused)
	if r.WouldBe > 0 {
		fmt.Fprintf(&b, ", %d more would have been (observe mode)", r.WouldBe)
	}
	if r.From != "" {
		fmt.Fprintf(&b, "; %s to %s", printable(&r.From), printable(&r.To))
	}
	b.WriteString("\n")
	for _, note := range []struct {
		n    uint64
		text string
	}{
		{r.Lost, "events were lost, as audit_gap says"},
		{r.Repeats, "events came again and were counted once"},
		{r.Unreadable, "lines could not be read"},
	} {
		if note.n > 0 {
			fmt.Fprintf(&b, "%d %s\n", note.n, note.text)
		}
	}
	if r.total() == 0 {
		return b.String()
	}
	r.groupTable(&b, top)
	r.nameTable(&b, "route", r.Routes, top)
	r.callerTable(&b, top)
	r.timeTable(&b)
	return b.String()
}

// table writes rows in columns.
func table(b *strings.Builder, title string, header []string, rows [][]string, left int) {
	fmt.Fprintf(b, "\n%s\n", title)
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "  "+strings.Join(header, "\t"))
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, "  "+strings.Join(row, "\t"))
	}
	_ = w.Flush()
	if left > 0 {
		fmt.Fprintf(b, "  and %d more; --top N shows more, --json all\n", left)
	}
}

func (r *Report) groupTable(b *strings.Builder, top int) {
	var rows [][]string
	for i := range r.Groups[:min(top, len(r.Groups))] {
		g := &r.Groups[i]
		reason := printable(g.Reason)
		if g.Origin != nil {
			reason = "by " + printable(g.Origin)
		}
		rows = append(rows, []string{reason, printable(g.Route), printable(g.Caller), printable(g.Issuer), number(g.Refused), number(g.WouldBe), printable(&g.Last)})
	}
	table(b, "by reason", []string{"reason", "route", "caller", "issuer", "refused", "would be", "last"}, rows, len(r.Groups)-len(rows))
}

func (r *Report) nameTable(b *strings.Builder, what string, names []Named, top int) {
	var rows [][]string
	for i := range names {
		if n := &names[i]; n.total() > 0 {
			rows = append(rows, []string{printable(n.Name), number(n.Requests), number(n.Refused), number(n.WouldBe), percent(n.total(), n.Requests)})
		}
	}
	shown := rows[:min(top, len(rows))]
	table(b, "by "+what, []string{what, "requests", "refused", "would be", "of its requests"}, shown, len(rows)-len(shown))
}

func (r *Report) callerTable(b *strings.Builder, top int) {
	var rows [][]string
	for i := range r.Callers[:min(top, len(r.Callers))] {
		c := &r.Callers[i]
		rows = append(rows, []string{printable(c.UserID), printable(c.ClientID), printable(c.Issuer), printable(c.IP), number(c.Refused), number(c.WouldBe)})
	}
	title := "by caller"
	if !r.CallersExact {
		title += " (too many to count each: the figures are upper bounds)"
	}
	table(b, title, []string{"user_id", "client_id", "issuer", "ip_address", "refused", "would be"}, rows, 0)
}

func (r *Report) timeTable(b *strings.Builder) {
	most := uint64(1)
	for i := range r.Timeline {
		most = max(most, r.Timeline[i].total())
	}
	const width = 40
	var rows [][]string
	for i := range r.Timeline {
		s := &r.Timeline[i]
		bar := strings.Repeat("#", int((s.total()*width+most-1)/most))
		rows = append(rows, []string{s.From, number(s.Requests), number(s.Refused), number(s.WouldBe), bar})
	}
	span := (time.Duration(r.SpanSeconds) * time.Second).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(span, zero) {
			span = span[:len(span)-2]
		}
	}
	table(b, "over time, each "+span, []string{"from", "requests", "refused", "would be", ""}, rows, 0)
}

func number(n uint64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatUint(n, 10)
}

func percent(part, of uint64) string {
	return strconv.FormatFloat(100*float64(part)/float64(max(of, 1)), 'f', 1, 64) + " %"
}

// printable is text out of a log, fit for a terminal and for one column.
func printable(s *string) string {
	if s == nil {
		return "-"
	}
	for _, c := range *s {
		if c <= ' ' || !strconv.IsPrint(c) {
			return strconv.Quote(*s)
		}
	}
	return *s
}
