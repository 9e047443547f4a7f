package hostsim_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/hostsimtest"
)

// journal is what a host logged.
type journal struct {
	mu      sync.Mutex
	entries []hostsim.LogEntry
}

func (j *journal) add(e hostsim.LogEntry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Message = strings.TrimPrefix(e.Message, "probe: ")
	j.entries = append(j.entries, e)
}

// take returns the messages and forgets them.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var msgs []string
	for _, e := range j.entries {
		msgs = append(msgs, e.Message)
	}
	j.entries = nil
	return msgs
}

// of returns the messages of one thread that start with a word.
func (j *journal) of(worker int, word string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var msgs []string
	for _, e := range j.entries {
		if e.Worker == worker && strings.HasPrefix(e.Message, word) {
			msgs = append(msgs, e.Message)
		}
	}
	return msgs
}

func probeModule(t testing.TB) *hostsim.Module {
	t.Helper()
	return hostsimtest.Module(t, "..", "./hostsim/internal/probe")
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// probeHost starts a host with the probe, a clock that stands, and what change
// makes of the options.
func probeHost(t testing.TB, change func(*hostsim.Options)) (*hostsim.Host, *hostsim.ManualClock, *journal) {
	t.Helper()
	clock, logs := hostsim.NewManualClock(epoch), &journal{}
	opts := hostsim.Options{
		Plugins:  []hostsim.Plugin{{Name: "probe", VMID: "vm", Config: []byte("config")}},
		Clock:    clock,
		Log:      logs.add,
		LogLevel: abi.LogInfo,
	}
	if change != nil {
		change(&opts)
	}
	h, err := hostsim.New(t.Context(), probeModule(t), opts)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	logs.take()
	return h, clock, logs
}

// answer is an upstream that says "answer".
func answer(hostsim.Message) *hostsim.Message {
	return &hostsim.Message{Headers: hostsim.H(":status", "200", "x-up", "1"), Body: []byte("answer")}
}

// visit sends a request without a body through worker 0.
func visit(h *hostsim.Host, path string) *hostsim.Stream {
	return h.RoundTrip(0, hostsim.Request{Path: path}, answer)
}

// callbacks keeps of messages what says that a callback ran.
func callbacks(msgs []string) []string {
	return slices.DeleteFunc(slices.Clone(msgs), func(m string) bool {
		for _, word := range []string{"context_create", "request_headers", "response_headers", "log", "done", "delete", "queue_ready", "tick root"} {
			if strings.Contains(m, word) {
				return false
			}
		}
		return true
	})
}
