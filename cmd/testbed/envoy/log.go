package envoy

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Log collects what a process writes, line by line. It is safe for concurrent use.
type Log struct {
	onLine func(string) // called for each whole line, in order; nil for none

	mu      sync.Mutex
	lines   []string
	partial []byte
	grown   chan struct{} // closed and replaced at each new line
	ended   bool
}

// NewLog returns an empty log, for the output of other processes.
func NewLog() *Log { return newLog(nil) }

func newLog(onLine func(string)) *Log {
	return &Log{onLine: onLine, grown: make(chan struct{})}
}

// Write implements [io.Writer]. It never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.partial = append(l.partial, p...)
	var lines []string
	for {
		end := bytes.IndexByte(l.partial, '\n')
		if end < 0 {
			break
		}
		lines = append(lines, string(l.partial[:end]))
		l.partial = l.partial[end+1:]
	}
	l.add(lines)
	l.mu.Unlock()
	if l.onLine != nil {
		for _, line := range lines {
			l.onLine(line)
		}
	}
	return len(p), nil
}

// add appends lines and wakes the goroutines that wait for one; the caller holds mu.
func (l *Log) add(lines []string) {
	if len(lines) == 0 {
		return
	}
	l.lines = append(l.lines, lines...)
	close(l.grown)
	l.grown = make(chan struct{})
}

// end marks the end of the output; a last line without its newline counts as a line.
func (l *Log) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) > 0 {
		l.lines = append(l.lines, string(l.partial))
		l.partial = nil
	}
	l.ended = true
	close(l.grown)
	l.grown = make(chan struct{})
}

// Lines returns a copy of the lines so far.
func (l *Log) Lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// String returns the lines so far as one text.
func (l *Log) String() string { return strings.Join(l.Lines(), "\n") }

// Wait returns the first line at index from or later that match accepts, and the index after it,
// from which the next search can go on. The error says how many lines there were when ctx or the
// process ended.
func (l *Log) Wait(ctx context.Context, from int, match func(line string) bool) (line string, next int, err error) {
	for {
		l.mu.Lock()
		lines, grown, ended := l.lines, l.grown, l.ended
		l.mu.Unlock()
		for ; from < len(lines); from++ {
			if match(lines[from]) {
				return lines[from], from + 1, nil
			}
		}
		if ended {
			return "", from, fmt.Errorf("the process ended after %d lines, none of which matched", len(lines))
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return "", from, fmt.Errorf("no line matched among %d: %w", len(lines), ctx.Err())
		}
	}
}

// StartError says that Envoy did not start serving.
type StartError struct {
	// Line is the line of the log that tells why: what a plugin said, else the last error.
	Line string
	// Log is everything that Envoy logged.
	Log string
}

// Error returns one line.
func (e *StartError) Error() string { return "envoy did not start: " + e.Line }

// startError picks the line that tells why from a log that goes like: the plugin's own error, then
// Envoy's that the plugin failed.
func startError(log *Log, otherwise string) *StartError {
	line := otherwise
	for _, l := range log.Lines() {
		if plugin := strings.Contains(l, "] wasm log "); plugin && (strings.Contains(l, "[error]") || strings.Contains(l, "[critical]")) {
			line = l
			break
		}
		if strings.Contains(l, "[critical]") {
			line = l
		}
	}
	return &StartError{Line: line, Log: log.String()}
}
