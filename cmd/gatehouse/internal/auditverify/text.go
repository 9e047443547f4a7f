package auditverify

import (
	"fmt"
	"strings"
)

// Text says the result for people: one line for each stream, break and count.
func (r *Result) Text() string {
	var b strings.Builder
	for i := range r.Streams {
		s := &r.Streams[i]
		fmt.Fprintf(&b, "%-14s stream %s, key %s: %s\n", s.Status, printable(s.Stream), printable(s.KeyID), s.text())
	}
	for i := range r.Breaks {
		fmt.Fprintf(&b, "%-14s %s\n", Broken, r.Breaks[i].text())
	}
	for _, name := range r.Incomplete {
		fmt.Fprintf(&b, "note: the last line of %s is incomplete\n", name)
	}
	fmt.Fprintf(&b, "%d lines, %d chained events, %d of them repeats", r.Lines, r.Events, r.Repeats)
	if r.Unchained > 0 {
		fmt.Fprintf(&b, "; %d events without a chain", r.Unchained)
	}
	b.WriteByte('\n')
	return b.String()
}

func (s *Stream) text() string {
	var b strings.Builder
	switch {
	case s.Break != nil:
		b.WriteString(s.Break.text())
	case s.Status == NoKey:
		fmt.Fprintf(&b, "%d lines, not verified: no --key-file %s=FILE", s.Lines, printable(s.KeyID))
	default:
		fmt.Fprintf(&b, "seq %d to %d unchanged", s.FirstSeq, s.LastSeq)
		switch {
		case s.ProvenTo == nil:
			b.WriteString("; no head proves that nothing was cut off at the end")
		case *s.ProvenTo < s.LastSeq:
			fmt.Fprintf(&b, "; a head proves the log up to seq %d, none what follows", *s.ProvenTo)
		}
	}
	for _, g := range s.Gaps {
		fmt.Fprintf(&b, "; seq %d to %d were lost, as an audit_gap says", g.From, g.To)
	}
	return b.String()
}

func (b *Break) text() string {
	var out strings.Builder
	if b.File != "" {
		fmt.Fprintf(&out, "%s:%d: ", b.File, b.Line)
	}
	out.WriteString(string(b.Kind))
	switch {
	case b.Missing != nil && b.Missing.From == b.Missing.To:
		fmt.Fprintf(&out, ": seq %d is missing", b.Missing.From)
	case b.Missing != nil:
		fmt.Fprintf(&out, ": seq %d to %d are missing", b.Missing.From, b.Missing.To)
	}
	if b.Detail != "" {
		out.WriteString(": " + b.Detail)
	}
	return out.String()
}

// printable is a name out of a log, fit for a terminal. Names that Gatehouse has written stay as
// they are.
func printable(s string) string {
	for _, c := range s {
		if c <= ' ' || c > '~' {
			return fmt.Sprintf("%q", s)
		}
	}
	return s
}
