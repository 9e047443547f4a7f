package core_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/core/clock"
)

// events are the audit lines of a decision's end.
func (g *gate) finish(o core.Outcome) (lines []map[string]any) {
	o.Mono = g.mono() + clock.Mono(3*time.Millisecond)
	g.Finish(&g.decision, o, func(line []byte) {
		assert.NotContains(g.t, string(line), "\n")
		var event map[string]any
		require.NoError(g.t, json.Unmarshal(line, &event))
		lines = append(lines, event)
	})
	return lines
}

func TestAnEventSaysWhoDidWhatAndHowItEnded(t *testing.T) {
	g := open(t, `"routes":[{"path":"/orders/**","name":"orders"}],"audit":{"claims":["tenant","gone","roles"],"headers":["x-team","tenant"]}`)
	token := main(t).mint(t, claims{"client_id": "web", "tenant": "t1", "roles": []string{"a"}})
	g.decide("GET /orders/7?token=secret", token, "user-agent: ua/1", "x-request-id: r-1", "x-team: blue", "tenant: forged")
	lines := g.finish(core.Outcome{Status: 201, Details: "via_upstream", Custom: []string{
		`{"event_type":"refund","amount":7,"user_id":"eve"}`, "", `{"event_type":"mail"}`,
	}})
	require.Len(t, lines, 3)
	ids := map[any]bool{}
	for _, line := range lines {
		id := line["metadata"].(map[string]any)["event_id"]
		assert.Regexp(t, "^[0-9a-f]{32}$", id)
		ids[id] = true
		delete(line["metadata"].(map[string]any), "event_id")
	}
	assert.Len(t, ids, 3, "each event has an id of its own")
	metadata := map[string]any{
		"reason": nil, "rule": nil, "route": "orders", "caller": "human", "issuer": "https://idp.example", "m2m_evidence": "email",
		"duration_ms": 3.0, "request_id": "r-1", "tenant": "t1", "roles": []any{"a"}, "x-team": "blue", "header:tenant": "forged",
	}
	event := map[string]any{
		"timestamp": "2026-03-01T12:00:00.000000Z", "event_type": "auth_success", "user_id": "alice", "client_id": "web",
		"is_m2m": false, "path": "/orders/7", "method": "GET", "status_code": 201.0, "ip_address": "192.0.2.1",
		"user_agent": "ua/1", "metadata": metadata,
	}
	assert.Equal(t, event, lines[0])
	event["event_type"] = "refund"
	metadata["amount"], metadata["user_id"] = 7.0, "eve"
	assert.Equal(t, event, lines[1])
	event["event_type"] = "mail"
	delete(metadata, "amount")
	delete(metadata, "user_id")
	assert.Equal(t, event, lines[2], "nothing of the one before")
}

func TestWhichEventsAreRecorded(t *testing.T) {
	g := open(t, `"routes":[{"path":"/health","auth":"none"},{"path":"/quiet","auth":"none","audit":false},{"path":"/**"}],
		"audit":{"exclude_paths":["/health","/metrics/**"]}`)
	ok := core.Outcome{Status: 200, Details: "via_upstream"}
	token := main(t).mint(t, nil)
	for _, c := range []struct {
		line, token string
		out         core.Outcome
		types       []any
	}{
		{"GET /health", "", ok, nil},
		{"GET /health", "", core.Outcome{Status: 200, Details: "via_upstream", Custom: []string{`{"event_type":"probe"}`}}, []any{"probe"}},
		{"GET /quiet", "", ok, nil},
		{"GET /metrics/x", token, ok, nil},
		{"GET /metrics/x", "", core.Outcome{Status: 401}, []any{"auth_failure"}},
		{"GET /x", token, ok, []any{"auth_success"}},
		{"GET /x", token, core.Outcome{Status: 500, Details: "via_upstream"}, []any{"auth_success"}},
		{"GET /x", token, core.Outcome{}, []any{"request_error"}},
		{"GET /x", token, core.Outcome{Status: 503, Details: "upstream_reset_before_response_started{connection_failure}"}, []any{"request_error"}},
		{"GET /x", token, core.Outcome{Status: 429, Details: "request_rate_limited"}, []any{"rate_limited"}},
		{"GET /x", "", core.Outcome{Status: 401}, []any{"auth_failure"}},
		{"GET /x//y", "", core.Outcome{Status: 400}, []any{"access_denied"}},
		{"GET /x", token, core.Outcome{Status: 200, Details: "via_upstream", Custom: []string{`{"event_type":"auth_success"}`}}, []any{"auth_success"}},
	} {
		g.decide(c.line, c.token)
		var types []any
		for _, e := range g.finish(c.out) {
			types = append(types, e["event_type"])
		}
		assert.Equal(t, c.types, types, "%s %+v", c.line, c.out)
	}
}

func TestARequestThatAnotherFilterRefusedIsRecorded(t *testing.T) {
	g := open(t, anyone)
	g.Unseen(g.request("GET /x", "bad"), &g.decision)
	lines := g.finish(core.Outcome{Status: 401, Details: "jwt_authn_access_denied{Jwt_is_expired}"})
	require.Len(t, lines, 1)
	assert.Equal(t, "auth_failure", lines[0]["event_type"])
	assert.Equal(t, "jwt_authn", lines[0]["metadata"].(map[string]any)["origin"])
}

// TestAnEventHasTheSameRouteWhoeverDecided has the requests for which finding it takes more than
// the path as sent.
func TestAnEventHasTheSameRouteWhoeverDecided(t *testing.T) {
	g := open(t, `"unsafe_paths":"allow","routes":[{"path":"/a/**","name":"a","auth":"optional","methods":["PUT"],"cors_preflight":"pass"},
		{"path":"/a/**","name":"quiet","auth":"none","methods":["GET"],"audit":false},{"path":"/**","name":"rest","auth":"none"}]`)
	for _, c := range []struct {
		line    string
		headers []string
		route   any // nil for no event
	}{
		{"OPTIONS /a/1", []string{"origin: https://b", "access-control-request-method: PUT"}, "a"},
		{"PUT /a//1", nil, "a"},
		{"GET /a//1", nil, nil},
		{"GET /health/", nil, nil},       // one of audit.exclude_paths
		{"GET /health;v=1", nil, "rest"}, // not in every reading
		{"GET /b//c", nil, "rest"},
	} {
		for how, see := range map[string]func(*core.Request, *core.Decision){"by the gate": g.Decide, "by another filter": g.Unseen} {
			see(g.request(c.line, "", c.headers...), &g.decision)
			var route any
			for _, line := range g.finish(core.Outcome{Status: 200, Details: "via_upstream"}) {
				route = line["metadata"].(map[string]any)["route"]
			}
			assert.Equal(t, c.route, route, "%s, decided %s", c.line, how)
		}
	}
}
