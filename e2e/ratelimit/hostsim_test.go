package ratelimit_test

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/hostsimtest"
)

// sim is the filter in hostsim, on a clock that only the test moves.
type sim struct {
	*hostsim.Host

	clock *hostsim.ManualClock
	data  *hostsim.SharedData
}

const vmID = "gatehouse"

func simulate(t *testing.T, config object, fault func(hostsim.HostCall) hostsim.Fault) sim {
	t.Helper()
	s := sim{clock: hostsim.NewManualClock(time.Unix(1_800_000_000, 0)), data: hostsim.NewSharedData()}
	var err error
	s.Host, err = hostsim.New(t.Context(), hostsimtest.Module(t, "../..", "./filter"), hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: "gate", VMID: vmID, Config: []byte(toJSON(t, config))}},
		Workers: 2, Clock: s.clock, SharedData: s.data, Faults: hostsim.Faults{HostCall: fault},
	})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// get has a worker handle a request, which upstream answers with 200.
func (s sim) get(worker int, path, key string) *hostsim.Headers {
	stream := s.RoundTrip(worker, hostsim.Request{Path: path, Authority: "key-" + key, Headers: []hostsim.Header{{Name: "x-key", Value: key}}},
		func(hostsim.Message) *hostsim.Message { return &hostsim.Message{Headers: hostsim.H(":status", "200")} })
	return stream.Downstream().Headers
}

// counter is a counter of the filter's after the next ticks.
func (s sim) counter(name string) uint64 {
	s.clock.Advance(time.Second)
	return s.Metrics().Counter(name)
}

// status is a response's.
func status(t *testing.T, response *hostsim.Headers) int {
	t.Helper()
	n, err := strconv.Atoi(response.Get(":status"))
	require.NoError(t, err)
	return n
}

// limited is a configuration of limits by the header x-key on /**.
func limited(limits ...object) object {
	var names, all []any
	for _, l := range limits {
		l["identifier"] = []any{"header:x-key"}
		names, all = append(names, l["name"]), append(all, l)
	}
	return object{
		"routes":      []any{object{"path": "/**", "auth": "none", "rate_limits": names}},
		"rate_limits": all, "audit": object{"log": "none"},
	}
}

// isBucket tells the keys of limits' buckets, gatehouse/limits/FORMAT/RULE/NUMBER, from others.
func isBucket(key string) bool {
	return strings.HasPrefix(key, "gatehouse/limits/") && strings.Count(key, "/") == 4
}

// TestSixteenLostWritesAreContention makes another worker write between each read of a request and
// the write that depends on it.
func TestSixteenLostWritesAreContention(t *testing.T) {
	for _, c := range []struct {
		name    string
		limit   object
		lost    int
		status  int
		counted string
	}{
		{"15 lost, denying", object{}, 15, http.StatusOK, "admitted"},
		{"16 lost, denying", object{}, 16, http.StatusServiceUnavailable, "contention"},
		{"15 lost, allowing", object{"on_contention": "allow"}, 15, http.StatusOK, "admitted"},
		{"16 lost, allowing", object{"on_contention": "allow"}, 16, http.StatusOK, "contention"},
		{"16 lost, in shadow", object{"shadow": true}, 16, http.StatusOK, "contention"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.limit["name"], c.limit["max_requests"], c.limit["window_seconds"] = "r", 5, 60
			left := 0
			var s sim
			s = simulate(t, limited(c.limit), func(call hostsim.HostCall) (f hostsim.Fault) {
				if call.Name == "proxy_set_shared_data" && isBucket(call.Subject) && left > 0 {
					left--
					value, _, _ := s.data.Get(vmID, call.Subject)
					s.data.Set(vmID, call.Subject, value, 0)
				}
				return f
			})
			require.Equal(t, http.StatusOK, status(t, s.get(0, "/", "k")))

			left = c.lost
			response := s.get(1, "/", "k")
			assert.Zero(t, left, "so many writes were tried")
			require.Equal(t, c.status, status(t, response))
			decided := "gatehouse_rate_limit_decisions_total.rule.r.decision."
			if c.counted == "contention" {
				assert.Empty(t, response.Get("ratelimit"), "nobody knows where the caller stands")
				assert.EqualValues(t, 1, s.counter(decided+"contention"))
				assert.EqualValues(t, 1, s.counter(decided+"admitted"))
			} else {
				assert.EqualValues(t, 0, s.counter(decided+"contention"))
				assert.EqualValues(t, 2, s.counter(decided+"admitted"))
			}
			if c.status == http.StatusServiceUnavailable {
				assert.Equal(t, "1", response.Get("retry-after"))
				assert.Equal(t, "application/json", response.Get("content-type"))
			}
			if c.limit["shadow"] == nil {
				next := s.get(0, "/", "k")
				remaining := map[string]string{"contention": "3", "admitted": "2"}[c.counted]
				assert.Equal(t, remaining, next.Get("x-ratelimit-remaining"), "contention charges nothing")
			}
		})
	}
}

// TestALostRefundStaysCharged makes a second limit refuse while another worker prevents
// the refund of the first limit's charge. A charge that can't be refunded keeps counting, which may
// cause a refusal but never an admission.
func TestALostRefundStaysCharged(t *testing.T) {
	for lost, remaining := range map[int]string{0: "8", 15: "8", 16: "7"} {
		t.Run(strconv.Itoa(lost)+" lost", func(t *testing.T) {
			writes := 0
			var s sim
			s = simulate(t, object{
				"routes": []any{open("/both", 1, "first", "second"), open("/look", 1, "first")},
				"rate_limits": []any{
					object{"name": "first", "max_requests": 10, "window_seconds": 60, "identifier": []any{"header:x-key"}},
					object{"name": "second", "max_requests": 1, "window_seconds": 60, "identifier": []any{"header:x-key"}},
				},
				"audit": object{"log": "none"},
			}, func(call hostsim.HostCall) (f hostsim.Fault) {
				// The first two are the first request's charges, the third is the second one's,
				// then comes the refund.
				if call.Name == "proxy_set_shared_data" && isBucket(call.Subject) {
					if writes++; writes > 3 && writes <= 3+lost {
						value, _, _ := s.data.Get(vmID, call.Subject)
						s.data.Set(vmID, call.Subject, value, 0)
					}
				}
				return f
			})
			require.Equal(t, http.StatusOK, status(t, s.get(0, "/both", "k")))
			require.Equal(t, http.StatusTooManyRequests, status(t, s.get(1, "/both", "k")))
			assert.Equal(t, remaining, s.get(0, "/look", "k").Get("x-ratelimit-remaining"))
		})
	}
}

// TestSharedDataThatFailsRefuses has the host refuse to read or to write. That is no contention:
// on_contention doesn't admit the request.
func TestSharedDataThatFailsRefuses(t *testing.T) {
	for _, call := range []string{"proxy_get_shared_data", "proxy_set_shared_data"} {
		for _, choice := range []string{"deny", "allow"} {
			t.Run(call+", "+choice, func(t *testing.T) {
				failing := false
				s := simulate(t, limited(object{
					"name": "r", "max_requests": 5, "window_seconds": 60, "on_contention": choice,
				}), func(h hostsim.HostCall) (f hostsim.Fault) {
					if failing && h.Name == call && isBucket(h.Subject) {
						f.Status = abi.InternalFailure
					}
					return f
				})
				failing = true
				assert.Equal(t, http.StatusServiceUnavailable, status(t, s.get(0, "/", "k")))
				failing = false
				assert.Equal(t, "4", s.get(0, "/", "k").Get("x-ratelimit-remaining"), "nothing was charged")
				assert.EqualValues(t, 1, s.counter("gatehouse_rate_limit_decisions_total.rule.r.decision.error"))
			})
		}
	}
}

// TestADecisionCostsTwoReadsAndOneWrite counts calls of the host's shared data.
func TestADecisionCostsTwoReadsAndOneWrite(t *testing.T) {
	for rules := 1; rules <= 4; rules++ {
		t.Run(strconv.Itoa(rules)+" rules", func(t *testing.T) {
			var limits []object
			for i := range rules {
				limits = append(limits, object{"name": "r" + strconv.Itoa(i), "windows": []any{
					object{"max_requests": 3, "window_seconds": 60}, object{"max_requests": 100, "window_seconds": 3600},
				}})
			}
			var reads, writes int
			s := simulate(t, limited(limits...), func(call hostsim.HostCall) (f hostsim.Fault) {
				switch call.Name {
				case "proxy_get_shared_data":
					reads++
				case "proxy_set_shared_data":
					writes++
				}
				return f
			})
			for i := range 3 {
				reads, writes = 0, 0
				require.Equal(t, http.StatusOK, status(t, s.get(i%2, "/", "k")))
				assert.LessOrEqual(t, reads, 2*rules, "request %d", i)
				assert.Equal(t, rules, writes, "request %d", i)
			}
			if rules == 1 {
				reads, writes = 0, 0
				require.Equal(t, http.StatusTooManyRequests, status(t, s.get(0, "/", "k")))
				assert.LessOrEqual(t, reads, 2)
				assert.Zero(t, writes, "a refusal writes nothing")
			}
		})
	}
}

// TestAClientThatObeysRetryAfterIsAdmitted lets callers send requests until they are refused and
// then wait for Retry-After. After it they are admitted; a second earlier they aren't.
func TestAClientThatObeysRetryAfterIsAdmitted(t *testing.T) {
	limit := func(name string, more object) object {
		more["name"] = name
		if more["identifier"] == nil {
			more["identifier"] = []any{"header:x-key"}
		}
		return more
	}
	windows := func(maxAndSeconds ...int) (out []any) {
		for pair := range slices.Chunk(maxAndSeconds, 2) {
			out = append(out, object{"max_requests": pair[0], "window_seconds": pair[1]})
		}
		return out
	}
	route := func(path string, cost int, limits ...any) object {
		return object{"path": path, "auth": "none", "cost": cost, "rate_limits": limits}
	}
	s := simulate(t, object{
		"routes": []any{
			route("/one", 1, "one"), route("/windows", 1, "windows"), route("/compacted", 1, "compacted"),
			route("/rules", 2, "one", "windows", "costly"), route("/costly/1", 1, "costly"), route("/costly/4", 4, "costly"),
			route("/before", 1, "before", "one"),
		},
		"rate_limits": []any{
			limit("one", object{"windows": windows(3, 2)}),
			limit("windows", object{"windows": windows(2, 1, 5, 7, 11, 60, 12, 100)}),
			limit("compacted", object{"windows": windows(600, 10)}),
			limit("costly", object{"windows": windows(10, 3)}),
			limit("before", object{"windows": windows(6, 20), "when": "before_auth", "identifier": []any{"host"}}),
		},
		"audit": object{"log": "none"},
	}, nil)

	paths := []string{"/one", "/windows", "/compacted", "/rules", "/costly/1", "/costly/4", "/before"}
	random := rand.New(rand.NewPCG(1, 2))
	admitted := 0
	for try := range 1000 {
		path := paths[try%len(paths)]
		key := strconv.Itoa(try % 30)
		pause := 700 * time.Millisecond
		if path == "/compacted" {
			key, pause = "busy", 5*time.Millisecond
		}
		var refused *hostsim.Headers
		for refused == nil {
			s.clock.Advance(time.Duration(random.Int64N(int64(pause))))
			if response := s.get(random.IntN(2), path, key); status(t, response) == http.StatusTooManyRequests {
				refused = response
			}
		}
		seconds, err := strconv.Atoi(refused.Get("retry-after"))
		require.NoError(t, err)
		require.Positive(t, seconds)
		if path != "/before" { // there, what comes too early is charged all the same
			s.clock.Advance(time.Duration(seconds-1) * time.Second)
			if seconds > 1 {
				require.Equal(t, http.StatusTooManyRequests, status(t, s.get(0, path, key)), "try %d: a second early on %s", try, path)
			}
			seconds = 1
		}
		s.clock.Advance(time.Duration(seconds) * time.Second)
		if status(t, s.get(random.IntN(2), path, key)) == http.StatusOK {
			admitted++
		} else {
			t.Errorf("try %d on %s: refused after waiting for %s s", try, path, refused.Get("retry-after"))
		}
	}
	assert.Equal(t, 1000, admitted)
}
