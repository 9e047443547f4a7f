package plugin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/version"
	"gatehouse/filter/internal/plugin"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/proxy/proxytest"
)

const adminToken = "0123456789abcdefghijklmnopqrstuv"

// withAdmin makes a gate's configuration its admin API's.
func withAdmin(config string) string {
	return strings.TrimSuffix(config, "}") + `,"admin":{"token":"` + adminToken + `"}}`
}

// ask plays a request to the admin API. Nothing of it may ever go on to an upstream.
func ask(t *testing.T, px *proxytest.Proxy, p proxy.Plugin, method, path string) *proxytest.Stream {
	t.Helper()
	x := px.Open(streamID, proxytest.Header{Name: ":method", Value: method}, proxytest.Header{Name: ":path", Value: path},
		proxytest.Header{Name: ":authority", Value: "127.0.0.1:9902"}, proxytest.Header{Name: "authorization", Value: "Bearer " + adminToken})
	x.Properties["source\x00address"] = []byte("127.0.0.1:4711")
	x.Properties["destination\x00address"] = []byte("127.0.0.1:9902")
	s := p.NewStream(streamID)
	assert.Equal(t, proxy.Pause, s.RequestHeaders())
	assert.Equal(t, proxy.Pause, s.RequestBody())
	assert.Equal(t, proxy.Pause, s.RequestTrailers())
	assert.Zero(t, x.Resumed)
	s.ResponseHeaders(false)
	s.Done()
	px.Context = pluginID
	return x
}

func TestAGateAndItsAdminAPIShareAVM(t *testing.T) {
	px := proxytest.New()
	vm := plugin.NewVM()
	gate, api := px.Reusing(vm.New(px, pluginID)), px.Reusing(vm.New(px, pluginID))
	require.True(t, gate.Start([]byte(inline)))
	require.True(t, api.Start([]byte(withAdmin(inline))))
	api.Tick()
	gate.Tick()
	assert.Equal(t, 401, play(px, gate, request{path: "/", token: "x.y.z"}).Replies[0].Status)
	gate.Tick()
	reply := func(method, path string) proxy.Reply {
		x := ask(t, px, api, method, path)
		require.Len(t, x.Replies, 1)
		return x.Replies[0]
	}
	assert.Contains(t, reply("GET", "/metrics").Body, `"errors_by_type":{"malformed_token":1}`)
	assert.Contains(t, reply("GET", "/refusals").Body, `"reason":"malformed_token"`)
	assert.Contains(t, reply("GET", "/stats").Body, `{"name":"gatehouse_requests_total","labels":{"route":"___","decision":"malformed_token"},"value":1}`)
	assert.Equal(t, 200, reply("GET", "/ready").Status)
	assert.Equal(t, 204, reply("POST", "/metrics/reset").Status)
	assert.Contains(t, reply("GET", "/metrics").Body, `"total_tokens":0`)
	assert.Equal(t, 404, reply("GET", "/public/x").Status)
}

// TestAnAdminAPIKnowsTheTime has a configuration in which nothing but the admin API needs a clock.
func TestAnAdminAPIKnowsTheTime(t *testing.T) {
	px, api := start(t, withAdmin(`{"routes": [{"path": "/**", "auth": "none"}], "audit": {"enabled": false}}`))
	px.Mono = px.Mono.Add(100e9)
	assert.Contains(t, ask(t, px, api, "GET", "/metrics").Replies[0].Body, `"uptime_seconds":100`)
	assert.Equal(t, 204, ask(t, px, api, "POST", "/metrics/reset").Replies[0].Status)
	px.Mono = px.Mono.Add(5e9)
	assert.Contains(t, ask(t, px, api, "GET", "/metrics").Replies[0].Body, `"uptime_seconds":5`)
}

// TestAnAdminRequestSurvivesAnyFailureOfTheProxy has each call of a request fail in turn: it is
// answered or not, but never admitted, and never answered with more than it would be otherwise.
func TestAnAdminRequestSurvivesAnyFailureOfTheProxy(t *testing.T) {
	for _, target := range []string{"GET /metrics", "GET /stats", "GET /refusals", "GET /config", "GET /rate-limits/before/ip=192.0.2.1", "DELETE /rate-limits", "POST /metrics/reset"} {
		method, path, _ := strings.Cut(target, " ")
		px, p := start(t, withAdmin(inline))
		from := len(px.Calls)
		sound := ask(t, px, p, method, path).Replies[0]
		for n := range len(px.Calls) - from {
			px, p := start(t, withAdmin(inline))
			first := len(px.Calls)
			px.Fault = func(c proxytest.Invocation) proxy.Status {
				if c.Index == first+n {
					return proxy.InternalFailure
				}
				return proxy.OK
			}
			x := ask(t, px, p, method, path)
			require.LessOrEqual(t, len(x.Replies), 1)
			for _, r := range x.Replies {
				assert.Contains(t, []int{sound.Status, 403, 503}, r.Status, "%s: %v", target, px.Calls[first+n])
			}
		}
	}
}

// TestAGateWithoutAdminPaysNothing looks at the calls of requests and ticks.
func TestAGateWithoutAdminPaysNothing(t *testing.T) {
	px, gate := start(t, inline)
	from := len(px.Calls)
	play(px, gate, request{path: "/", token: "x.y.z"})
	for _, c := range px.Calls[from:] {
		assert.NotContains(t, c.Subject, "admin/", "%v", c)
	}
	from = len(px.Calls)
	gate.Tick()
	var shared []string
	for _, c := range px.Calls[from:] {
		if strings.HasPrefix(c.Name, "Shared") {
			shared = append(shared, c.Name+" "+c.Subject)
		}
	}
	assert.Equal(t, []string{"SharedGet gatehouse/admin/1/mark"}, shared)
}

func TestTheFilterHasTheVersionOfGatehouse(t *testing.T) {
	px := proxytest.New()
	require.True(t, plugin.NewVM().New(px, pluginID).Start([]byte(inline)))
	assert.EqualValues(t, 1, px.Metrics["gatehouse_build_info.version."+strings.ReplaceAll(version.Version, ".", "_")])
}

func TestTheVersionThatRanBeforeIsNoLongerSaidToRun(t *testing.T) {
	px := proxytest.New()
	defer func(v string) { plugin.Version = v }(plugin.Version)
	for _, version := range []string{"v1.0.0", "v1.0.0", "v1.1.0"} {
		plugin.Version = version
		require.True(t, px.Reusing(plugin.NewVM().New(px, pluginID)).Start([]byte(inline)))
		assert.EqualValues(t, 1, px.Metrics["gatehouse_build_info.version."+strings.ReplaceAll(version, ".", "_")])
	}
	assert.EqualValues(t, 0, px.Metrics["gatehouse_build_info.version.v1_0_0"])
	assert.NotZero(t, px.Metrics["gatehouse_config_hash"])
}
