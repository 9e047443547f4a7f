package plugin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/filter/internal/plugin"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/proxy/proxytest"
)

const (
	details proxy.Path = "response\x00code_details"
	source  proxy.Path = "source\x00address"
	state   proxy.Path = "gatehouse_audit"
)

// event is an audit event.
type event struct {
	Type     string         `json:"event_type"`
	Status   *int           `json:"status_code"`
	IP       *string        `json:"ip_address"`
	Metadata map[string]any `json:"metadata"`
}

// events are the audit events in the log.
func events(t *testing.T, px *proxytest.Proxy) (out []event) {
	t.Helper()
	for _, l := range px.Logs {
		if strings.HasPrefix(l.Text, "{") {
			var e event
			require.NoError(t, json.Unmarshal([]byte(l.Text), &e))
			out = append(out, e)
		}
	}
	return out
}

// TestAGateThatNeverJudgedRecordsOnlyWhatJWTAuthnRefused has a filter in front answer.
func TestAGateThatNeverJudgedRecordsOnlyWhatJWTAuthnRefused(t *testing.T) {
	for answer, want := range map[string]string{
		"jwt_authn_access_denied{Jwt_is_expired}": "auth_failure",
		"cors":            "",
		"health_check_ok": "",
		"lua_response":    "",
		"direct_response": "",
		"rbac_access_denied_matched_policy[none]":  "",
		"gatehouse_expired_token":                  "", // another gate in front
		"request_rate_limited":                     "",
		"x_jwt_authn_access_denied{Jwt_is_expired": "",
		"": "",
	} {
		t.Run(answer, func(t *testing.T) {
			px, p := start(t, inline)
			s := px.Open(streamID, proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: "/orders"})
			s.Properties[details] = []byte(answer)
			s.FilterState[state] = "what the gate in front wrote"
			p.NewStream(streamID).Done()
			got := events(t, px)
			if want == "" {
				assert.Empty(t, got)
				assert.Equal(t, "what the gate in front wrote", s.FilterState[state])
				return
			}
			require.Len(t, got, 1)
			assert.Equal(t, want, got[0].Type)
			assert.Contains(t, s.FilterState[state], want)
		})
	}
}

func TestTwoGatesInOneChainWriteTwoStates(t *testing.T) {
	px, vm := proxytest.New(), plugin.NewVM()
	first, second := px.Reusing(vm.New(px, 1)), px.Reusing(vm.New(px, 2))
	require.True(t, first.Start([]byte(`{"routes": [{"path": "/**", "auth": "none"}], "audit": {"access_log": "first"}}`)))
	require.True(t, second.Start([]byte(`{"routes": [{"path": "/none"}], "tokens": `+tokens+`, "audit": {"access_log": "second_2"}}`)))
	s := px.Open(streamID, proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: "/orders"},
		proxytest.Header{Name: ":authority", Value: "api.example"})
	a, b := first.NewStream(streamID), second.NewStream(streamID)
	require.Equal(t, proxy.Continue, a.RequestHeaders())
	require.Equal(t, proxy.Pause, b.RequestHeaders())
	a.Done()
	b.Done()
	assert.Contains(t, s.FilterState["first"], `"route":"/**"`)
	assert.Contains(t, s.FilterState["second_2"], `"event_type":"access_denied"`)
	assert.Len(t, s.FilterState, 2)
}

const tokens = `{"providers": [{"name": "main", "issuer": "https://idp.example", "audiences": ["orders"], "algorithms": ["HS256"],
	"jwks": {"inline": {"keys": [{"kty": "oct", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}}}]}`

func TestOnlyAnAddressIsAnAddress(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:4711": "192.0.2.1", "[2001:db8::1]:4711": "2001:db8::1",
		"@/tmp/pipe": "", "/tmp/pipe": "", "/tmp/1.2.3.4:80": "", "envoy://internal_client_address/": "", "": "",
	} {
		px, p := start(t, inline)
		s := px.Open(streamID, proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: "/public/x"},
			proxytest.Header{Name: ":authority", Value: "api.example"})
		s.Properties[source] = []byte(address)
		x := p.NewStream(streamID)
		require.Equal(t, proxy.Continue, x.RequestHeaders())
		x.Done()
		got := events(t, px)
		require.Len(t, got, 1)
		if want == "" {
			assert.Nil(t, got[0].IP, address)
		} else if assert.NotNil(t, got[0].IP, address) {
			assert.Equal(t, want, *got[0].IP)
		}
	}
}

// TestTheUpstreamsOwnEventsAreTakenOutOfHeadersAndTrailers has gRPC servers in mind: they know how
// a call ended at its end.
func TestTheUpstreamsOwnEventsAreTakenOutOfHeadersAndTrailers(t *testing.T) {
	custom := func(word string) proxytest.Header {
		return proxytest.Header{Name: "x-audit-event", Value: `{"event_type":"` + word + `"}`}
	}
	px, p := start(t, inline)
	s := px.Open(streamID, proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: "/public/x"},
		proxytest.Header{Name: ":authority", Value: "api.example"})
	x := p.NewStream(streamID)
	require.Equal(t, proxy.Continue, x.RequestHeaders())
	s.Headers[proxy.ResponseHeaders] = []proxytest.Header{{Name: ":status", Value: "200"}, custom("one"), custom("two")}
	require.Equal(t, proxy.Continue, x.ResponseHeaders(false))
	s.Headers[proxy.ResponseTrailers] = []proxytest.Header{{Name: "grpc-status", Value: "0"}, custom("three"), custom("four")}
	require.Equal(t, proxy.Continue, x.ResponseTrailers())
	s.Properties["response\x00code"] = []byte{200, 0, 0, 0, 0, 0, 0, 0}
	x.Done()
	assert.Empty(t, values(s.Headers[proxy.ResponseHeaders], "x-audit-event"))
	assert.Equal(t, []proxytest.Header{{Name: "grpc-status", Value: "0"}}, s.Headers[proxy.ResponseTrailers])
	var words []string
	for _, e := range events(t, px) {
		words = append(words, e.Type)
	}
	assert.Equal(t, []string{"request", "one", "two", "three", "four"}, words)

	// What can't be stripped doesn't pass.
	x = p.NewStream(streamID)
	s = px.Open(streamID, proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: "/public/x"},
		proxytest.Header{Name: ":authority", Value: "api.example"})
	require.Equal(t, proxy.Continue, x.RequestHeaders())
	s.Headers[proxy.ResponseTrailers] = []proxytest.Header{custom("three")}
	px.Fault = func(c proxytest.Invocation) proxy.Status {
		if c.Name == "RemoveHeader" {
			return proxy.InternalFailure
		}
		return proxy.OK
	}
	assert.Equal(t, proxy.Pause, x.ResponseTrailers())
	assert.Len(t, s.Replies, 1)
}
