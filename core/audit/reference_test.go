package audit_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/audit"
	"gatehouse/core/clock"
)

// row is one pair of inputs and outputs recorded from the Python library.
type row struct {
	Case  string
	Input struct {
		Kwargs  map[string]json.RawMessage // of AuditEvent, or of the method
		Method  string
		Path    string
		Enabled *bool
		Exc     string // what the application raised
		Hdr     map[string]string
		User    *struct {
			ID       string
			IsM2M    bool    `json:"is_m2m"`
			ClientID *string `json:"client_id"`
		}
	}
	Expected struct {
		KeyOrder   []string `json:"key_order"`
		HTTPStatus int      `json:"http_status"`
		Event      map[string]any
		Events     []map[string]any
	}
}

func rows(t *testing.T, service string) (found []row) {
	t.Helper()
	doc, err := os.ReadFile("../testdata/vectors.json")
	require.NoError(t, err)
	var all []json.RawMessage
	require.NoError(t, json.Unmarshal(doc, &all))
	for _, entry := range all {
		var of struct{ Service string }
		require.NoError(t, json.Unmarshal(entry, &of))
		if of.Service == service { // the rows of other services have other shapes
			var r row
			require.NoError(t, json.Unmarshal(entry, &r))
			found = append(found, r)
		}
	}
	return found
}

func TestEventsAreWrittenAsThePythonLibraryDoes(t *testing.T) {
	seen := rows(t, "audit")
	require.Len(t, seen, 9)
	for _, r := range seen {
		t.Run(r.Case, func(t *testing.T) {
			e := fromKwargs(t, r)
			line := e.AppendJSON(nil, 0)
			sameAsLibrary(t, r.Expected.Event, line)
			if len(r.Expected.KeyOrder) > 0 {
				assert.Equal(t, r.Expected.KeyOrder[:10], memberNames(t, line)[:10])
			}
		})
	}
}

func TestThePythonLibrarysMiddlewareWritesTheSameEvents(t *testing.T) {
	seen := rows(t, "audit_middleware")
	require.Len(t, seen, 6)
	for _, r := range seen {
		t.Run(r.Case, func(t *testing.T) {
			o := audit.Outcome{Status: r.Expected.HTTPStatus, Details: "via_upstream", Authenticated: r.Input.User != nil}
			e := audit.Event{
				Timestamp: clock.Wall(time.Now().UnixNano()), Type: audit.TypeOf(o), Path: r.Input.Path, Method: "GET", Status: o.Status,
				IP: "testclient", UserAgent: "ua", Meta: audit.Metadata{HasDuration: true},
			}
			if ua, ok := r.Input.Hdr["user-agent"]; ok {
				e.UserAgent = ua
			}
			if u := r.Input.User; u != nil {
				e.UserID, e.IsM2M = u.ID, u.IsM2M
				if u.ClientID != nil {
					e.ClientID = *u.ClientID
				}
			}
			enabled := r.Input.Enabled == nil || *r.Input.Enabled
			excluded := r.Input.Path == "/health" || r.Input.Path == "/metrics" // the default, matched by core/policy
			if !audit.Recorded(enabled, excluded, &e) {
				require.Empty(t, r.Expected.Events)
				return
			}
			require.Len(t, r.Expected.Events, 1)
			sameAsLibrary(t, r.Expected.Events[0], e.AppendJSON(nil, 0))
		})
	}
}

// fromKwargs makes the event that the Python library makes of its arguments.
func fromKwargs(t *testing.T, r row) audit.Event {
	t.Helper()
	e := audit.Event{Timestamp: clock.Wall(time.Now().UnixNano())}
	into := map[string]any{
		"user_id": &e.UserID, "client_id": &e.ClientID, "is_m2m": &e.IsM2M, "path": &e.Path, "method": &e.Method,
		"status_code": &e.Status, "ip_address": &e.IP, "user_agent": &e.UserAgent, "reason": &e.Meta.Reason,
	}
	word := map[string]string{
		"log_auth_success": "auth_success", "log_auth_failure": "auth_failure", "log_access_denied": "access_denied",
	}[r.Input.Method]
	into["event_type"] = &word
	for name, value := range r.Input.Kwargs {
		if field, ok := into[name]; ok {
			require.NoError(t, json.Unmarshal(value, field))
		} else {
			e.Meta.Extra = append(e.Meta.Extra, audit.Field{Source: audit.FromUpstream, Name: name, JSON: value})
		}
	}
	e.Type = map[string]audit.Type{
		"auth_success": audit.TypeAuthSuccess, "auth_failure": audit.TypeAuthFailure, "access_denied": audit.TypeAccessDenied,
		"request_success": audit.TypeOf(audit.Outcome{Status: 200, Authenticated: e.UserID != ""}),
	}[word]
	return e
}

// sameAsLibrary compares a line with what the Python library wrote. The cases are the departures.
func sameAsLibrary(t *testing.T, want map[string]any, line []byte) {
	t.Helper()
	got := decode(t, line)
	meta := got["metadata"].(map[string]any)
	for name, value := range want {
		switch {
		case name == "timestamp": // Z for +00:00
			assert.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`, got[name])
			_, err := time.Parse(time.RFC3339Nano, got[name].(string))
			assert.NoError(t, err)
		case name == "event_type" && value == "request_success": // the event types of the library's own document
			if got["user_id"] == nil {
				assert.Equal(t, "request", got[name])
			} else {
				assert.Equal(t, "auth_success", got[name])
			}
		case value == "request_exception": // a proxy sees no exceptions: the upstream answered, with 500
			assert.Equal(t, "request", got[name])
		case name == "exception" || name == "exception_type": // likewise
			assert.NotContains(t, meta, name)
		case name == "status_code" && want["event_type"] == "request_exception": // likewise
			assert.Equal(t, 500.0, got[name])
		case value == "<int>=0>":
			assert.GreaterOrEqual(t, meta[name], 0.0)
		case slices.Contains(keys, name):
			assert.Equal(t, value, got[name], name)
		default: // nested: an extra can't overwrite what Gatehouse says
			assert.Equal(t, value, meta[name], name)
			assert.NotContains(t, got, name)
		}
	}
	assert.Len(t, got, len(keys))
}
