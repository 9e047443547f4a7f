package embedded

import (
	"slices"
	"sync"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

// startLog passes on what the filter logs. While the filter starts, each of its VMs logs the same
// lines, so equal lines are passed on once. Errors are kept back: if the start fails, they are the
// reason.
type startLog struct {
	out func(format string, args ...any)

	mu      sync.Mutex
	running bool
	lines   []string // of the start
	errors  []string // those of lines that are errors
}

func (l *startLog) take(e hostsim.LogEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.running:
	case slices.Contains(l.lines, e.Message):
		return
	default:
		l.lines = append(l.lines, e.Message)
		if e.Level >= abi.LogError {
			l.errors = append(l.errors, e.Message)
			return
		}
	}
	l.out("%s", e.Message)
}

// started ends the start. It returns the errors that waited, if they are the reason why it failed;
// else they are passed on.
func (l *startLog) started(ok bool) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = true
	if !ok {
		return l.errors
	}
	for _, message := range l.errors {
		l.out("%s", message)
	}
	return nil
}
