package soak_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// receiver takes batches of audit events, and stores each before it answers.
type receiver struct {
	rec    *record
	server *httptest.Server

	mu    sync.Mutex
	fault string // one of receiverFaults; "" for none
}

// receiverFaults are what becomes of a batch: stored, but with a late answer or none; refused;
// neither stored nor answered.
var receiverFaults = []string{"slow", "closes", "500", "hang"}

func startReceiver(t *testing.T, rec *record) *receiver {
	t.Helper()
	r := &receiver{rec: rec}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

func (r *receiver) address() string { return strings.TrimPrefix(r.server.URL, "http://") }

func (r *receiver) misbehave(fault string) {
	r.mu.Lock()
	r.fault = fault
	r.mu.Unlock()
	r.rec.event("receiver", object{"fault": fault})
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the batch isn't whole
	}
	r.mu.Lock()
	fault := r.fault
	r.mu.Unlock()
	switch fault {
	case "500":
		w.WriteHeader(http.StatusInternalServerError)
		return
	case "hang":
		sleep(request, 5*time.Second)
		panic(http.ErrAbortHandler)
	}
	r.rec.receive(body)
	switch fault {
	case "slow":
		sleep(request, 800*time.Millisecond)
	case "closes":
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}
