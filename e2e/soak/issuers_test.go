package soak_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/toy"
)

// issuer publishes the keys of a toy issuer, and notes what it answers.
type issuer struct {
	*toy.Issuer
	provider string
	rec      *record
	server   *httptest.Server

	mu      sync.Mutex
	fault   string // one of keyFaults; "" for none
	fetches int
}

// keyFaults are what becomes of requests for a JWK Set.
var keyFaults = []string{"500", "garbage", "empty", "slow", "hang", "reset"}

func startIssuer(t *testing.T, rec *record, provider string) *issuer {
	t.Helper()
	signer, err := toy.StartIssuer("", issuerURL(provider))
	require.NoError(t, err)
	t.Cleanup(signer.Stop)
	i := &issuer{Issuer: signer, provider: provider, rec: rec}
	i.server = httptest.NewServer(i)
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuer) address() string { return strings.TrimPrefix(i.server.URL, "http://") }

// misbehave sets the fault; "" for none.
func (i *issuer) misbehave(fault string) {
	i.mu.Lock()
	i.fault = fault
	i.mu.Unlock()
	i.rec.event("keys", object{"provider": i.provider, "fault": fault})
}

// ServeHTTP implements http.Handler. The note of an answer comes before the answer, so that nobody
// can know the set earlier than the note says. An outcome "maybe" is one that can come too late; on
// a busy machine a good one can, too: then the gate has closed the connection, which has a note of
// its own.
func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.fetches++
	fault, n := i.fault, i.fetches
	i.mu.Unlock()
	outcome, body := "good", string(i.JWKS())
	switch fault {
	case "500", "garbage", "empty", "reset":
		outcome = "bad"
	case "slow":
		outcome = "maybe"
		sleep(r, 1200*time.Millisecond)
	case "hang":
		outcome = "bad"
		sleep(r, 5*time.Second)
	}
	note := object{"provider": i.provider, "n": n, "outcome": outcome}
	if outcome != "bad" {
		note["set"] = body
	}
	i.rec.event("fetch", note)
	switch fault {
	case "500", "hang":
		w.WriteHeader(http.StatusInternalServerError)
	case "garbage":
		_, _ = w.Write([]byte("<html>a portal</html>"))
	case "empty":
		_, _ = w.Write([]byte(`{"keys":[]}`))
	case "reset":
		panic(http.ErrAbortHandler)
	default:
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write([]byte(body))
		_ = http.NewResponseController(w).Flush()
		sleep(r, time.Second)
		if r.Context().Err() != nil {
			i.rec.event("fetch given up", object{"provider": i.provider, "n": n})
		}
	}
}

// sleep waits, at most until the client has gone.
func sleep(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}
