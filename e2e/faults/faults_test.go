// Package faults_test fails the host calls of the finished module, one after the other, in hostsim.
package faults_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/hostsimtest"
)

const configuration = `{
	"tokens": {"providers": [{"name": "main", "issuer": "https://idp.example", "audiences": ["orders"],
		"claims_from": {"envoy_metadata": {"filter": "jwt", "key": "payload"}, "failed_status_key": "fail"}}]},
	"routes": [{"path": "/public/**", "auth": "optional"}, {"path": "/**"}],
	"rate_limits": [{"name": "each", "max_requests": 5, "window_seconds": 60}]}`

var now = time.Unix(1_800_000_000, 0)

// scene is a request; admitted says what becomes of it without faults.
type scene struct {
	name, path string
	before     int // requests that came before
	metadata   map[string]any
	admitted   bool
}

var claims = map[string]any{"payload": map[string]any{
	"iss": "https://idp.example", "aud": "orders", "sub": "alice", "exp": float64(now.Unix() + 3600)}}

var scenes = []scene{
	{"admitted", "/orders", 0, claims, true},
	{"anonymous", "/public/x", 0, nil, true},
	{"no token", "/orders", 0, nil, false},
	{"refused by jwt_authn on an optional route", "/public/x", 0, map[string]any{"fail": map[string]any{"code": float64(26)}}, false},
	{"above the limit", "/orders", 5, claims, false},
}

// call is a host call of the request whose calls are failed.
type call struct{ name, subject string }

// run plays a scene on a host of its own. fault decides about each call of its last request.
func (s *scene) run(t *testing.T, module *hostsim.Module, fault func(n int, c call) hostsim.Fault) (calls []call, upstream *hostsim.Message, status string) {
	t.Helper()
	var armed atomic.Bool
	host, err := hostsim.New(t.Context(), module, hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: "gate", VMID: "gatehouse", Config: []byte(configuration)}},
		Clock:   hostsim.NewManualClock(now),
		Faults: hostsim.Faults{HostCall: func(c hostsim.HostCall) hostsim.Fault {
			if !armed.Load() {
				return hostsim.Fault{}
			}
			calls = append(calls, call{c.Name, c.Subject})
			return fault(len(calls)-1, calls[len(calls)-1])
		}},
	})
	require.NoError(t, err)
	defer host.Close()
	request := hostsim.Request{
		Path: s.path, Authority: "api.example", SourceAddress: "192.0.2.1:4711", Metadata: map[string]map[string]any{"jwt": s.metadata},
		Headers: []hostsim.Header{{Name: "x-gatehouse-user-id", Value: "mallory"}, {Name: "x_gatehouse_caller", Value: "human"}, {Name: "x-other", Value: "kept"}},
	}
	for range s.before {
		host.RoundTrip(0, request, answer)
	}
	armed.Store(true)
	stream := host.RoundTrip(0, request, func(m hostsim.Message) *hostsim.Message {
		upstream = &m
		return answer(m)
	})
	armed.Store(false)
	return calls, upstream, stream.Downstream().Status()
}

func answer(hostsim.Message) *hostsim.Message {
	return &hostsim.Message{Headers: hostsim.H(":status", "200", "x-audit-event", `{"event_type":"x"}`)}
}

// TestAFailedHostCallLetsNothingThrough fails each call of each scene in the module as it is built:
// once, and by a trap.
func TestAFailedHostCallLetsNothingThrough(t *testing.T) {
	module := hostsimtest.Module(t, "../..", "./filter")
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			sound, want, status := s.run(t, module, func(int, call) hostsim.Fault { return hostsim.Fault{} })
			require.Equal(t, s.admitted, want != nil, status)
			for n, c := range sound {
				for _, fault := range []hostsim.Fault{{Status: abi.InternalFailure}, {Status: abi.BadArgument}, {Trap: true}} {
					_, got, _ := s.run(t, module, func(i int, _ call) hostsim.Fault {
						if i == n {
							return fault
						}
						return hostsim.Fault{}
					})
					what := fmt.Sprintf("call %d, %s %q: %+v", n, c.name, c.subject, fault)
					if got == nil {
						continue
					}
					require.True(t, s.admitted, "%s: a request was let through that should not be", what)
					assert.ElementsMatch(t, stable(want), stable(got), what)
				}
			}
			assert.GreaterOrEqual(t, len(sound), 8)
		})
	}
}

// stable are the request's headers without those that differ from run to run.
func stable(m *hostsim.Message) (out []hostsim.Header) {
	for _, h := range m.Headers.All() {
		if h.Name != "x-request-id" {
			out = append(out, h)
		}
	}
	return out
}
