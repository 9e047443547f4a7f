package toy

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Echo is what the upstream answers: the request as it arrived behind the gate.
type Echo struct {
	Method string `json:"method"`
	// Path is the request target as sent, with its query.
	Path string `json:"path"`
	Host string `json:"host"`
	// Header has canonical names (net/http), values in order.
	Header http.Header `json:"headers"`
	Body   string      `json:"body,omitempty"`
}

// Upstream is the application behind the gate. It answers 200 and an [Echo]; the query of a request
// changes that:
//
//	status=503       answers this status
//	delay=150ms      waits before it answers
//	audit_event={…}  adds an x-audit-event header, once for each
//	reset=1          resets the connection instead of answering
//
// A request that asks for the impossible gets 400.
type Upstream struct {
	server

	requests atomic.Int64
}

// StartUpstream starts an upstream at an address; empty for a free port of 127.0.0.1.
func StartUpstream(address string) (*Upstream, error) {
	u := &Upstream{}
	u.handler = http.HandlerFunc(u.serve)
	return u, u.start(address)
}

// Requests returns how many requests have arrived, answered or not.
func (u *Upstream) Requests() int { return int(u.requests.Load()) }

// maxBody bounds what the upstream echoes, in bytes.
const maxBody = 1 << 20

func (u *Upstream) serve(w http.ResponseWriter, r *http.Request) {
	u.requests.Add(1)
	query := r.URL.Query()
	status := http.StatusOK
	if s := query.Get("status"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 200 || n > 599 {
			http.Error(w, "status: want 200..599", http.StatusBadRequest)
			return
		}
		status = n
	}
	if d := query.Get("delay"); d != "" {
		delay, err := time.ParseDuration(d)
		if err != nil {
			http.Error(w, "delay: want a duration such as 150ms", http.StatusBadRequest)
			return
		}
		if !pause(r, delay) {
			return
		}
	}
	if query.Has("reset") {
		reset(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, event := range query["audit_event"] {
		w.Header().Add("X-Audit-Event", event)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status == http.StatusNoContent || status == http.StatusNotModified {
		return
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(Echo{Method: r.Method, Path: r.RequestURI, Host: r.Host, Header: r.Header, Body: string(body)})
}
