package conformance

import (
	"context"
	"strings"
	"sync"
)

// Lines collects lines that others wait for. It is safe for concurrent use.
type Lines struct {
	mu    sync.Mutex
	lines []string
	added chan struct{}
}

// Add appends a line.
func (l *Lines) Add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	if l.added != nil {
		close(l.added)
		l.added = nil
	}
}

// Take returns the lines and forgets them.
func (l *Lines) Take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

// WaitFor waits until n lines are want.
func (l *Lines) WaitFor(ctx context.Context, want string, n int) error {
	for {
		l.mu.Lock()
		found := 0
		for _, line := range l.lines {
			if line == want {
				found++
			}
		}
		if found >= n {
			l.mu.Unlock()
			return nil
		}
		if l.added == nil {
			l.added = make(chan struct{})
		}
		added := l.added
		l.mu.Unlock()
		select {
		case <-added:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ProbeLine returns what the probe said in a line of a host's log, and false for
// any other line. A failure of the probe's VM counts as said by it.
func ProbeLine(line string) (string, bool) {
	if _, said, ok := strings.Cut(line, "probe: "); ok {
		return said, true
	}
	if _, what, ok := strings.Cut(line, "Function: "); ok {
		name, _, _ := strings.Cut(what, " ")
		return "VM failed in " + name, true
	}
	return "", false
}
