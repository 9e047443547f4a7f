package auditlog

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Progress says on a terminal how many lines have been read, if it takes more than a few seconds.
// A nil Progress says nothing.
type Progress struct {
	to    io.Writer
	now   func() time.Time
	lines int
	next  time.Time
	shown bool
}

// Progress is first shown after some seconds, and then again after each second.
const (
	patience = 3 * time.Second
	interval = time.Second
	// clockLines is how many lines are read between two looks at the clock.
	clockLines = 1 << 14
)

// NewProgress returns a Progress, nil if to isn't a terminal.
func NewProgress(to io.Writer) *Progress {
	file, ok := to.(*os.File)
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return newProgress(to, time.Now)
}

func newProgress(to io.Writer, now func() time.Time) *Progress {
	return &Progress{to: to, now: now, next: now().Add(patience)}
}

func (p *Progress) line() {
	if p == nil {
		return
	}
	if p.lines++; p.lines%clockLines != 0 {
		return
	}
	if now := p.now(); !now.Before(p.next) {
		_, _ = fmt.Fprintf(p.to, "\r%d lines", p.lines)
		p.next, p.shown = now.Add(interval), true
	}
}

// End erases what was shown.
func (p *Progress) End() {
	if p != nil && p.shown {
		_, _ = fmt.Fprint(p.to, "\r\x1b[K")
	}
}
