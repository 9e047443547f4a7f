package envoytest

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Event is an audit event, as far as these tests look at it.
type Event struct {
	Type     string  `json:"event_type"`
	User     *string `json:"user_id"`
	Path     string  `json:"path"`
	Method   string  `json:"method"`
	Status   int     `json:"status_code"` // 0 for null
	Metadata struct {
		EventID     string `json:"event_id"`
		Reason      string `json:"reason"`
		Route       string `json:"route"`
		Phase       string `json:"phase"`
		OpenEventID string `json:"open_event_id"`
		DurationMS  int64  `json:"duration_ms"`
		GRPCStatus  *int   `json:"grpc_status"`
		Dropped     uint64 `json:"dropped"`
	} `json:"metadata"`
}

// Events collects the audit events that Envoy's access log writes to its standard output.
type Events struct {
	mu    sync.Mutex
	all   []Event
	grown chan struct{}
}

// NewEvents returns an empty collection.
func NewEvents() *Events { return &Events{grown: make(chan struct{})} }

// Add takes a line of the access log. One that is no event is left out.
func (e *Events) Add(line string) {
	var event Event
	if json.Unmarshal([]byte(line), &event) != nil || event.Type == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
	close(e.grown)
	e.grown = make(chan struct{})
}

// Len returns how many events there are.
func (e *Events) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all)
}

// OfUser returns the events of a user's requests, in the order in which the requests ended.
func (e *Events) OfUser(user string) (events []Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.User != nil && *event.User == user {
			events = append(events, event)
		}
	}
	return events
}

// Count returns how many events there are of a kind.
func (e *Events) Count(kind func(*Event) bool) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.all {
		if kind(&e.all[i]) {
			n++
		}
	}
	return n
}

// Of returns the events of the requests for a path, in the order in which the requests ended.
func (e *Events) Of(path string) []Event {
	events, _ := e.of(path)
	return events
}

func (e *Events) of(path string) (events []Event, grown <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.Path == path {
			events = append(events, event)
		}
	}
	return events, e.grown
}

// Await waits until a path has n events, and returns them. That there are no more is for the end of
// a test to say, by [Events.Len].
func (e *Events) Await(t *testing.T, path string, n int) []Event {
	t.Helper()
	late := time.After(Patience)
	for {
		events, grown := e.of(path)
		if len(events) >= n {
			require.Len(t, events, n, path)
			return events
		}
		select {
		case <-grown:
		case <-late:
			require.Len(t, events, n, "events of %s", path)
		}
	}
}

// One waits for the one event of a path.
func (e *Events) One(t *testing.T, path string) Event {
	t.Helper()
	return e.Await(t, path, 1)[0]
}
