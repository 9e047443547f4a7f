package plugin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/proxy/proxytest"
)

// scene is a request whose calls of the proxy fail, one after the other.
type scene struct {
	name     string
	config   string
	before   int // how many requests came before, without faults
	request  func(t *testing.T, px *proxytest.Proxy) request
	admitted bool // without a fault
}

var scenes = []scene{
	{"admitted", inline, 0, func(t *testing.T, px *proxytest.Proxy) request {
		return request{path: "/orders", token: token(t, px, "orders"), trailers: true, response: upstreamEvent}
	}, true},
	{"admitted from the cache", inline, 1, func(t *testing.T, px *proxytest.Proxy) request {
		return request{path: "/orders", token: token(t, px, "orders")}
	}, true},
	{"anonymous", inline, 0, func(*testing.T, *proxytest.Proxy) request { return request{path: "/public/x"} }, true},
	{"bad token", inline, 0, func(t *testing.T, px *proxytest.Proxy) request {
		return request{path: "/orders", token: token(t, px, "others")}
	}, false},
	{"bad token on an optional route", inline, 0, func(t *testing.T, px *proxytest.Proxy) request {
		return request{path: "/public/x", token: token(t, px, "others")}
	}, false},
	{"no token", inline, 0, func(*testing.T, *proxytest.Proxy) request { return request{path: "/orders"} }, false},
	{"above the limit", inline, 3, func(t *testing.T, px *proxytest.Proxy) request {
		return request{path: "/orders", token: token(t, px, "orders")}
	}, false},
	{"unsafe path", inline, 0, func(*testing.T, *proxytest.Proxy) request { return request{path: "/public/..%2forders"} }, false},
	{"admitted behind jwt_authn", behind, 0, func(t *testing.T, px *proxytest.Proxy) request {
		return request{path: "/orders", trailers: true, metadata: claims(t, map[string]any{"payload": aliceClaims(px)})}
	}, true},
	{"refused by jwt_authn on an optional route", behind, 0, func(t *testing.T, _ *proxytest.Proxy) request {
		return request{path: "/public/x", metadata: claims(t, map[string]any{"fail": map[string]any{"code": 26}})}
	}, false},
	{"above the limit behind jwt_authn", behind, 3, func(t *testing.T, px *proxytest.Proxy) request {
		return request{path: "/orders", metadata: claims(t, map[string]any{"payload": aliceClaims(px)})}
	}, false},
	{"waits for keys that come", remote, 0, func(t *testing.T, px *proxytest.Proxy) request {
		i := newIssuer(t, 0, "a")
		return request{path: "/orders", token: i.token(t, px), keys: jwks(t, i)}
	}, true},
	{"waits for keys that don't come", remote, 0, func(t *testing.T, px *proxytest.Proxy) request {
		return request{path: "/orders", token: newIssuer(t, 0, "a").token(t, px)}
	}, false},
}

var upstreamEvent = []proxytest.Header{{Name: ":status", Value: "200"}, {Name: "x-audit-event", Value: `{"event_type":"sensitive_operation"}`}}

func aliceClaims(px *proxytest.Proxy) map[string]any {
	return map[string]any{"iss": "https://idp.example", "aud": "orders", "sub": "alice", "exp": float64(px.Wall/1e9 + 3600)}
}

// play starts afresh and plays the scene. fault is asked for the last request alone.
func (s *scene) play(t *testing.T, fault func(c proxytest.Invocation) proxy.Status) (*proxytest.Proxy, exchange) {
	t.Helper()
	px, p := start(t, s.config)
	r := s.request(t, px)
	for range s.before {
		play(px, p, r)
	}
	px.Calls, px.Fault = nil, fault
	x := play(px, p, r)
	px.Fault = nil
	p.Tick() // the counters
	return px, x
}

// absent is an answer of these calls, not a failure of theirs: that there is no such property,
// header, key or function.
func absent(call string, s proxy.Status) bool {
	return s == proxy.NotFound && slices.Contains([]string{"Property", "Header", "SharedGet", "CallForeign"}, call)
}

// TestAFailedCallLetsNothingThrough fails each call of each scene, in every way that isn't an
// answer, once and from then on. What goes on to the upstream is what the scene without faults
// sends, or nothing.
func TestAFailedCallLetsNothingThrough(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			sound, want := s.play(t, nil)
			require.Equal(t, s.admitted, want.admitted, sound.Logs)
			kinds := map[string]int{}
			for n, call := range sound.Calls {
				kinds[call.Name]++
				for _, status := range []proxy.Status{proxy.InternalFailure, proxy.BadArgument, proxy.NotSerializable, proxy.NotFound} {
					if absent(call.Name, status) {
						continue
					}
					for _, forever := range []bool{false, true} {
						px, got := s.play(t, func(c proxytest.Invocation) proxy.Status {
							if c.Index == n || forever && c.Index > n && c.Name == call.Name {
								return status
							}
							return proxy.OK
						})
						what := fmt.Sprintf("call %d, %s %s: %s, forever %t", n, call.Name, call.Subject, status, forever)
						checkSafe(t, what, px, got, want)
					}
				}
			}
			assert.GreaterOrEqual(t, kinds["Headers"], 1)
			assert.GreaterOrEqual(t, len(sound.Calls), 8, "the scene calls the proxy")
		})
	}
}

// TestAPanicLetsNothingThrough has the code around each call panic.
func TestAPanicLetsNothingThrough(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			sound, want := s.play(t, nil)
			for n, call := range sound.Calls {
				px, got := s.play(t, func(c proxytest.Invocation) proxy.Status {
					if c.Index == n {
						panic("a test's panic")
					}
					return proxy.OK
				})
				checkSafe(t, fmt.Sprintf("call %d, %s %s, panic", n, call.Name, call.Subject), px, got, want)
			}
		})
	}
}

// checkSafe compares an exchange with faults to the one without.
func checkSafe(t *testing.T, what string, px *proxytest.Proxy, got, want exchange) {
	t.Helper()
	if got.admitted {
		require.True(t, want.admitted, "%s: a request was let through that should not be", what)
		require.ElementsMatch(t, want.Headers[proxy.RequestHeaders], got.Headers[proxy.RequestHeaders], what)
		require.ElementsMatch(t, want.Headers[proxy.RequestTrailers], got.Headers[proxy.RequestTrailers], what)
	}
	if got.passed {
		require.Empty(t, values(got.Headers[proxy.ResponseHeaders], "x-audit-event"), what)
	}
	for _, r := range got.Replies {
		if want.admitted || !slices.ContainsFunc(want.Replies, func(w proxy.Reply) bool { return w.Status == r.Status }) {
			require.Equal(t, 503, r.Status, what)
			require.Contains(t, []string{"gatehouse_internal", "gatehouse_jwks_unavailable", "gatehouse_contention"}, r.Details, what)
		}
	}
	if !got.admitted && len(got.Replies) == 0 { // held for good: only if the proxy refuses to answer or to resume
		require.True(t, slices.ContainsFunc(px.Logs, func(l proxytest.Line) bool {
			return strings.Contains(l.Text, "gets no answer") || strings.Contains(l.Text, "panic in") || strings.Contains(l.Text, "has to wait for another tick") ||
				strings.Contains(l.Text, "without a clock") || strings.Contains(l.Text, "requests end without")
		}) || strings.Contains(what, ", Log "), "%s: a request without an answer or a line of the log: %v", what, px.Logs)
	}
}

// TestEveryKindOfCallIsFailedSomewhere keeps the scenes complete.
func TestEveryKindOfCallIsFailedSomewhere(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range scenes {
		px, _ := s.play(t, nil)
		for _, c := range px.Calls {
			seen[c.Name] = true
		}
	}
	for _, kind := range []string{
		"Log", "Now", "Monotonic", "Headers", "Header", "SetHeader", "RemoveHeader", "Reply", "Property", "SetProperty",
		"SharedGet", "SharedSet", "SetTick", "SetContext", "Call", "CallBody", "Resume", "DefineMetric", "AddMetric", "RecordMetric",
	} {
		assert.True(t, seen[kind], kind)
	}
}

func TestAStartThatFailsRefusesTheConfiguration(t *testing.T) {
	for _, config := range []string{inline, behind, remote} {
		sound, _ := start(t, config)
		for n, call := range sound.Calls {
			px := proxytest.New()
			px.Fault = func(c proxytest.Invocation) proxy.Status {
				if c.Index == n {
					return proxy.InternalFailure
				}
				return proxy.OK
			}
			ok := startWith(px, config)
			switch call.Name {
			case "Random", "SetTick", "Monotonic":
				assert.False(t, ok, "%d %v", n, call)
			case "SharedGet", "SharedSet":
				switch {
				case strings.Contains(call.Subject, "keys/"):
					assert.True(t, ok, "the keys can still be fetched")
				case strings.Contains(call.Subject, "build/"):
					assert.True(t, ok, "gatehouse_build_info of the version before stays 1")
				default:
					assert.False(t, ok, "%d %v", n, call)
				}
			default: // metrics, the log, the proxy's crypto, whether there is a vm_id
				assert.True(t, ok, "%d %v", n, call)
			}
		}
	}
}
