package e2e_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

const adminToken = "e2e-0123456789abcdefghijklmnopqrstuvwxyz"

// withAdmin adds a listener with the admin API of the listener gate. patch is applied to the
// configuration of both.
func withAdmin(patch string) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		for _, edit := range []envoy.Edit{
			envoy.MergePluginConfig("gate", patch), envoy.CopyListener("gate", "admin"),
			envoy.MergePluginConfig("admin", `{"admin": {"token": "`+adminToken+`"}}`), envoy.RemoveListener("gate_envoy_jwt"),
		} {
			if err := edit(b); err != nil {
				return err
			}
		}
		return nil
	}
}

// adminAPI is Envoy with a gate and its admin API.
type adminAPI struct {
	t      *testing.T
	p      *envoy.Process
	issuer *toy.Issuer
	client *http.Client
}

func startAdmin(t *testing.T, patch string) *adminAPI {
	t.Helper()
	issuer, upstream := startIssuer(t, shippedIssuer), startUpstream(t)
	o := options(t, envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address()), withAdmin(patch))
	return &adminAPI{t, envoy.StartForTest(t, o), issuer, client()}
}

// ask sends a request with the token to the API.
func (a *adminAPI) ask(method, path string) answer {
	return exchange(a.client, method, a.p.Address("admin"), path, "Authorization", "Bearer "+adminToken)
}

// read asks for JSON.
func (a *adminAPI) read(path string, into any) {
	a.t.Helper()
	got := a.ask(http.MethodGet, path)
	require.NoError(a.t, got.err)
	require.Equal(a.t, http.StatusOK, got.status, got.body)
	require.Equal(a.t, "application/json", got.header.Get("Content-Type"))
	require.NoError(a.t, json.Unmarshal([]byte(got.body), into), got.body)
}

func (a *adminAPI) write(method, path string) {
	a.t.Helper()
	got := a.ask(method, path)
	require.NoError(a.t, got.err)
	require.Equal(a.t, http.StatusNoContent, got.status, got.body)
}

// window is a limit's state as the API tells it.
type window struct {
	Limit        int `json:"limit"`
	Remaining    int `json:"remaining"`
	ResetSeconds int `json:"reset_seconds"`
}

// refused is a refusal's audit event.
type refused struct {
	EventType string         `json:"event_type"`
	ClientID  string         `json:"client_id"`
	Path      string         `json:"path"`
	Metadata  map[string]any `json:"metadata"`
	Chain     struct {
		Stream string `json:"stream"`
	} `json:"chain"`
}

func (a *adminAPI) refusals() (events []refused) {
	a.t.Helper()
	a.read("/refusals", &events)
	return events
}

// onEveryWorker sends a request over many connections, which Envoy spreads over its workers.
func (a *adminAPI) onEveryWorker(path, token string, connections int) map[int]int {
	a.t.Helper()
	statuses := map[int]int{}
	for range connections {
		c := client()
		got := get(c, a.p.Address("gate"), path, token)
		require.NoError(a.t, got.err)
		statuses[got.status]++
		c.CloseIdleConnections()
	}
	return statuses
}

func TestTheAdminAPIInEnvoy(t *testing.T) {
	t.Parallel()
	a := startAdmin(t, `{"audit": {"log": "info", "chain": {"key_id": "k1", "hmac_key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}}}`)
	alice := sign(t, a.issuer, a.issuer.Human("alice", "orders", time.Hour))
	expired := sign(t, a.issuer, a.issuer.Human("alice", "orders", -time.Hour))
	eventually := func(check func(c *assert.CollectT)) {
		t.Helper()
		require.EventuallyWithT(t, check, patience, 100*time.Millisecond)
	}

	t.Run("ready as soon as the keys are there", func(t *testing.T) {
		eventually(func(c *assert.CollectT) {
			got := a.ask(http.MethodGet, "/ready")
			assert.Equal(c, http.StatusOK, got.status)
			assert.JSONEq(c, `{"ready":true,"providers":[{"name":"main","ready":true}]}`, got.body)
		})
	})

	// Gates notice the API within a tick, and share nothing before. Each has when refusals of both
	// have been seen.
	sent := 0
	eventually(func(c *assert.CollectT) {
		sent += a.onEveryWorker("/warm-up", "x.y.z", 4)[http.StatusUnauthorized]
		workers := map[string]bool{}
		for _, e := range a.refusals() {
			workers[e.Chain.Stream] = true // each worker chains its own
		}
		assert.Len(c, workers, 2)
	})
	eventually(func(c *assert.CollectT) {
		var got map[string]any
		a.read("/metrics", &got)
		assert.InDelta(c, sent, got["tokens_failed"], 0, "before the first reset everything counts")
	})
	a.write(http.MethodPost, "/metrics/reset")

	t.Run("the configuration and its hash are the gate's", func(t *testing.T) {
		var shown struct {
			Version string          `json:"version"`
			Hash    uint64          `json:"config_hash"`
			Config  json.RawMessage `json:"config"`
		}
		a.read("/config", &shown)
		assert.NotEmpty(t, shown.Version)
		assert.NotContains(t, a.ask(http.MethodGet, "/config").body, adminToken)
		stats, err := a.p.Stats(t.Context(), "gatehouse_(config_hash|build_info)")
		require.NoError(t, err)
		assert.Equal(t, shown.Hash, stats["wasmcustom.gatehouse_config_hash"])
		version := regexp.MustCompile(`[^a-z0-9_]`).ReplaceAllString(strings.ToLower(shown.Version), "_")
		assert.EqualValues(t, 1, stats["wasmcustom.gatehouse_build_info.version."+version])
		hash := strconv.FormatUint(shown.Hash, 10)
		logged(t, a.p, 0, "gatehouse: started as the gate; version "+shown.Version+", configuration hash "+hash)
		logged(t, a.p, 0, "gatehouse: started as the admin API; version "+shown.Version+", configuration hash "+hash)
	})

	t.Run("the snapshot is of all workers, since the reset", func(t *testing.T) {
		assert.Equal(t, map[int]int{200: 30}, a.onEveryWorker("/", alice, 30))
		assert.Equal(t, map[int]int{401: 12}, a.onEveryWorker("/", expired, 12))
		assert.Equal(t, map[int]int{401: 5}, a.onEveryWorker("/", "x.y.z", 5))
		want := map[string]any{"tokens_validated": 30.0, "tokens_failed": 17.0, "total_tokens": 47.0,
			"errors_by_type": map[string]any{"expired_token": 12.0, "malformed_token": 5.0}}
		var got map[string]any
		eventually(func(c *assert.CollectT) {
			got = map[string]any{}
			a.read("/metrics", &got)
			for name, value := range want {
				assert.Equal(c, value, got[name], name)
			}
		})
		assert.InDelta(t, 30/0.47, got["success_rate"], 1e-9)
		for _, name := range []string{"uptime_seconds", "validation_time_avg_ms", "validation_time_p95_ms", "validation_time_p99_ms"} {
			assert.Positive(t, got[name], name)
		}
		assert.Contains(t, a.ask(http.MethodGet, "/metrics/prometheus").body, "\nauth_tokens_validated_total 30\n")

		a.write(http.MethodPost, "/metrics/reset")
		a.read("/metrics", &got)
		assert.Zero(t, got["total_tokens"])
		assert.Zero(t, got["validation_time_p99_ms"])
		assert.Equal(t, map[int]int{200: 4}, a.onEveryWorker("/", alice, 4))
		eventually(func(c *assert.CollectT) {
			a.read("/metrics", &got)
			assert.InDelta(c, 4, got["tokens_validated"], 0)
		})
	})

	t.Run("the last refusals, newest first", func(t *testing.T) {
		robot := sign(t, a.issuer, a.issuer.Machine("robot", "orders", time.Hour))
		assert.Equal(t, map[int]int{403: 1}, a.onEveryWorker("/account/x", robot, 1))
		eventually(func(c *assert.CollectT) {
			events := slices.DeleteFunc(a.refusals(), func(e refused) bool { return e.Path == "/warm-up" })
			if assert.Len(c, events, 18) {
				assert.Equal(c, "access_denied", events[0].EventType)
				assert.Equal(c, "robot", events[0].ClientID)
				assert.Equal(c, "human_required", events[0].Metadata["reason"])
				assert.Equal(c, "malformed_token", events[1].Metadata["reason"])
				assert.Equal(c, "expired_token", events[17].Metadata["reason"])
			}
		})
	})

	t.Run("the stats are Envoy's", func(t *testing.T) {
		eventually(func(c *assert.CollectT) {
			text, err := a.p.PrometheusText(t.Context())
			require.NoError(c, err)
			assert.Equal(c, seriesOf(text), a.series())
		})
	})

	t.Run("a caller who was refused is admitted right after the reset, on both workers", func(t *testing.T) {
		const path = "/rate-limits/three/user_id=main/bob"
		bob := sign(t, a.issuer, a.issuer.Human("bob", "orders", time.Hour))
		var windows []window
		a.read(path, &windows)
		assert.Equal(t, []window{{3, 3, 0}}, windows)
		for range 3 {
			assert.Equal(t, map[int]int{200: 3, 429: 5}, a.onEveryWorker("/limited/x", bob, 8))
			a.read(path, &windows)
			require.Len(t, windows, 1)
			assert.Zero(t, windows[0].Remaining)
			assert.Positive(t, windows[0].ResetSeconds)
			a.write(http.MethodDelete, path)
			a.read(path, &windows)
			assert.Equal(t, []window{{3, 3, 0}}, windows)
		}
		assert.Equal(t, map[int]int{200: 3, 429: 5}, a.onEveryWorker("/limited/x", bob, 8))
		a.write(http.MethodDelete, "/rate-limits")
		assert.Equal(t, map[int]int{200: 3, 429: 1}, a.onEveryWorker("/limited/x", bob, 4))
	})

	t.Run("the heads are those of the log", func(t *testing.T) {
		type head struct {
			KeyID  string `json:"key_id"`
			Stream string `json:"stream"`
			Seq    int    `json:"seq"`
			MAC    string `json:"mac"`
		}
		eventually(func(c *assert.CollectT) {
			want := map[string]head{}
			for _, line := range a.p.Log.Lines() {
				_, text, found := strings.Cut(line, "gatehouse: {")
				var event struct {
					Chain head `json:"chain"`
				}
				if found && json.Unmarshal([]byte("{"+text), &event) == nil {
					want[event.Chain.Stream] = event.Chain
				}
			}
			var heads []head
			a.read("/audit/heads", &heads)
			got := map[string]head{}
			for _, h := range heads {
				got[h.Stream] = h
			}
			assert.Equal(c, want, got)
			assert.GreaterOrEqual(c, len(got), 3, "two workers' gates, and the API")
		})
	})

	t.Run("changes are audited, and looking isn't", func(t *testing.T) {
		logged(t, a.p, 0, `"event_type":"admin_action","user_id":null,"client_id":null,"is_m2m":false,"path":"/metrics/reset","method":"POST","status_code":204`)
		logged(t, a.p, 0, `"path":"/rate-limits","method":"DELETE","status_code":204`)
		for _, line := range a.p.Log.Lines() {
			assert.NotContains(t, line, adminToken)
			if strings.Contains(line, `"admin_action"`) {
				assert.NotContains(t, line, `"method":"GET"`)
			}
		}
	})

	t.Run("whoever isn't an operator is refused", func(t *testing.T) {
		address := a.p.Address("admin")
		for name, test := range map[string]struct {
			status       int
			method, path string
			header       []string
		}{
			"no token":         {401, "GET", "/stats", nil},
			"a wrong token":    {401, "GET", "/stats", []string{"Authorization", "Bearer " + strings.ToUpper(adminToken)}},
			"a caller's token": {401, "GET", "/stats", []string{"Authorization", "Bearer " + alice}},
			"two tokens":       {401, "GET", "/stats", []string{"Authorization", "Bearer " + adminToken, "Authorization", "Bearer " + adminToken}},
			"a page":           {403, "GET", "/stats", []string{"Authorization", "Bearer " + adminToken, "Origin", "http://" + address}},
			"a wrong method":   {405, "POST", "/stats", []string{"Authorization", "Bearer " + adminToken}},
			"a head":           {405, "HEAD", "/stats", []string{"Authorization", "Bearer " + adminToken}},
			"a query":          {404, "GET", "/stats?x", []string{"Authorization", "Bearer " + adminToken}},
			"dot segments":     {404, "GET", "/x/../stats", []string{"Authorization", "Bearer " + adminToken}},
			"an encoded path":  {404, "GET", "/%73tats", []string{"Authorization", "Bearer " + adminToken}},
			"a double slash":   {404, "GET", "//stats", []string{"Authorization", "Bearer " + adminToken}},
			"a long path":      {414, "GET", "/rate-limits/three/user_id=main/" + strings.Repeat("x", 10_000), []string{"Authorization", "Bearer " + adminToken}},
			"a gate's path":    {404, "GET", "/", []string{"Authorization", "Bearer " + adminToken}},
		} {
			got := exchange(client(), test.method, address, test.path, test.header...)
			require.NoError(t, got.err, name)
			assert.Equal(t, test.status, got.status, "%s: %s", name, got.body)
			assert.NotContains(t, got.body, adminToken, name)
		}
		oversized := exchangeBody(client(), address, strings.Repeat("x", 1<<20), adminToken)
		if oversized.err == nil { // or the connection is closed while the body is being sent
			assert.Equal(t, http.StatusRequestEntityTooLarge, oversized.status)
		}
	})

	t.Run("nothing of it is reachable through the gate", func(t *testing.T) {
		for _, path := range []string{"/stats", "/config", "/refusals", "/rate-limits", "/metrics", "/ready"} {
			got := get(a.client, a.p.Address("gate"), path, adminToken)
			require.NoError(t, got.err)
			assert.Equal(t, http.StatusUnauthorized, got.status, path)
			assert.JSONEq(t, `{"detail": "Invalid token"}`, got.body)
		}
	})
}

// TestResetsUnderTraffic exhausts a limit over and over while the admin API resets it: each reset
// admits exactly the limit once more, however the requests fall on the workers.
func TestResetsUnderTraffic(t *testing.T) {
	t.Parallel()
	const limit, resets, clients = 200, 6, 8
	a := startAdmin(t, `{"audit": {"enabled": false}, "rate_limits": [{"name": "l", "max_requests": `+strconv.Itoa(limit)+`, "window_seconds": 3600}],
		"routes": [{"name": "rest", "path": "/**"}]}`)
	bob := sign(t, a.issuer, a.issuer.Human("bob", "orders", time.Hour))
	carol := sign(t, a.issuer, a.issuer.Human("carol", "orders", time.Hour))
	var admitted, refused atomic.Int64
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			c := client()
			for {
				select {
				case <-stop:
					return
				default:
				}
				switch got := get(c, a.p.Address("gate"), "/", bob); got.status {
				case http.StatusOK:
					admitted.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
				default:
					t.Errorf("status %d, error %v", got.status, got.err)
					return
				}
			}
		})
	}
	exhausted := func(periods int64) {
		t.Helper()
		require.Eventually(t, func() bool { return admitted.Load() >= periods*limit }, patience, 5*time.Millisecond)
		before := refused.Load() // each client is refused at least once more: nothing is under way that was admitted
		require.Eventually(t, func() bool { return refused.Load() >= before+2*clients }, patience, 5*time.Millisecond)
		require.Equal(t, periods*limit, admitted.Load())
	}
	for i := range int64(resets) {
		exhausted(i + 1)
		var windows []window
		a.read("/rate-limits/l/user_id=main/bob", &windows)
		assert.Zero(t, windows[0].Remaining)
		if i%2 == 0 {
			a.write(http.MethodDelete, "/rate-limits/l/user_id=main/bob")
		} else {
			a.write(http.MethodDelete, "/rate-limits")
		}
	}
	exhausted(resets + 1)
	assert.Equal(t, map[int]int{200: 2}, a.onEveryWorker("/", carol, 2), "another caller has a limit of its own")
	close(stop)
	group.Wait()

	// The metrics saw each request once.
	all := admitted.Load() + refused.Load() + 2
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		series := a.series()
		assert.EqualValues(c, admitted.Load()+2, series[`gatehouse_requests_total{decision="admitted",route="rest"}`])
		assert.EqualValues(c, refused.Load(), series[`gatehouse_requests_total{decision="rate_limited",route="rest"}`])
		assert.EqualValues(c, all, series[`gatehouse_tokens_validated_total{}`])
		var snapshot map[string]any
		a.read("/metrics", &snapshot)
		assert.InDelta(c, float64(all), snapshot["tokens_validated"], 0)
	}, patience, 100*time.Millisecond)
}

// series are the API's counters and gauges, written as Prometheus does, labels in alphabetical
// order.
func (a *adminAPI) series() map[string]uint64 {
	a.t.Helper()
	var stats map[string][]struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
		Value  uint64            `json:"value"`
	}
	a.read("/stats", &stats)
	out := map[string]uint64{}
	for _, kind := range []string{"counters", "gauges"} {
		for _, s := range stats[kind] {
			out[seriesName(s.Name, s.Labels)] = s.Value
		}
	}
	maps.DeleteFunc(out, func(name string, _ uint64) bool { return moves(name) })
	return out
}

// moves reports whether a series changes while nobody sends requests.
func moves(name string) bool { return strings.HasPrefix(name, "gatehouse_jwks_age_seconds") }

func seriesName(name string, labels map[string]string) string {
	var pairs []string
	for _, label := range []string{"caller", "decision", "event_type", "provider", "reason", "result", "route", "rule", "version"} {
		if value, ok := labels[label]; ok {
			pairs = append(pairs, label+`="`+value+`"`)
		}
	}
	return name + "{" + strings.Join(pairs, ",") + "}"
}

var prometheusLine = regexp.MustCompile(`(?m)^(gatehouse_[a-z_]+)\{(.*)\} (\d+)$`)

// seriesOf reads the counters and gauges of Gatehouse from Envoy's text.
func seriesOf(text string) map[string]uint64 {
	out := map[string]uint64{}
	for _, m := range prometheusLine.FindAllStringSubmatch(text, -1) {
		labels := map[string]string{}
		for pair := range strings.SplitSeq(m[2], ",") {
			label, value, _ := strings.Cut(pair, "=")
			labels[label] = strings.Trim(value, `"`)
		}
		name := seriesName(m[1], labels)
		if n, err := strconv.ParseUint(m[3], 10, 64); err == nil && !moves(name) && !strings.Contains(m[1], "duration_us") {
			out[name] = n
		}
	}
	return out
}
