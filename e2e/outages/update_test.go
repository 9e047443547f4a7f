package outages_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// version is one of the configurations that follow each other.
type version struct {
	number   int
	machines bool   // /flip is for machines, not for humans
	keys     string // the JWK Set of the inline provider
	bad      bool   // refused
	listener bool   // the listener changes too, as far as updates reach it
}

// generous is the limit that tells which configuration judged: each has another max_requests.
const generous = 100_000

func (v *version) edit(s *scene) envoy.Edit {
	caller, window := "human", 3600
	if v.machines {
		caller = "machine"
	}
	if v.bad {
		window = 0
	}
	return func(b envoy.Bootstrap) error {
		err := envoy.MergePluginConfig("gate", fmt.Sprintf(`{
			"tokens": {"providers": [
				{"name": "main", "issuer": %q, "audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"cluster": "idp", "uri": "http://idp.example/jwks.json", "min_refetch_seconds": 1}},
				{"name": "inline", "issuer": %q, "audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"inline": %s}}]},
			"routes": [{"name": "open", "path": "/open/**", "auth": "none"}, {"name": "flip", "path": "/flip", "caller": %q},
				{"name": "few", "path": "/few", "rate_limits": ["few"]}, {"name": "rest", "path": "/**"}],
			"rate_limits": [{"name": "generous", "max_requests": %d, "window_seconds": %d},
				{"name": "few", "max_requests": 30, "window_seconds": 3600, "apply": "by_name"}]}`,
			issuerName, inlineIssuer, v.keys, caller, generous+v.number, window))(b)
		if err == nil && v.listener {
			var l map[string]any
			if l, err = b.Listener("gate"); err == nil {
				l["per_connection_buffer_limit_bytes"] = 1<<20 + v.number
			}
		}
		return err
	}
}

const inlineIssuer = "https://inline.example"

// TestUpdatesUnderTraffic changes the configuration again and again while requests of every outcome
// come in: by replacing the listener, and by replacing the plugin alone.
func TestUpdatesUnderTraffic(t *testing.T) {
	t.Parallel()
	for name, watch := range map[string]func(dir, listener string) *envoy.Watched{"listener": envoy.WatchListener, "plugin": envoy.WatchPlugin} {
		t.Run(name, func(t *testing.T) { updates(t, watch(t.TempDir(), "gate"), name == "plugin") })
	}
}

func updates(t *testing.T, watched *envoy.Watched, pluginAlone bool) {
	inline, err := toy.StartIssuer("", inlineIssuer)
	require.NoError(t, err)
	t.Cleanup(inline.Stop)
	v := &version{keys: string(inline.JWKS())}
	s := start(t, func(s *scene, o *envoy.Options) {
		s.issuer.Misbehave(toy.Fault{CacheControl: "max-age=1"})
		o.Drain = 5 * time.Second
		o.Edits = append(o.Edits, s.gate("gate", `{}`), v.edit(s), watched.Edit)
	})
	tr := startTraffic(t, s, v, inline)

	next := func(change func(v *version)) {
		t.Helper()
		tr.run(t, 20) // a while with this one
		later := *v
		later.number++
		later.bad = false
		change(&later)
		if later.bad {
			s.refuses(t, watched, &later, pluginAlone)
			return
		}
		v = &later
		tr.begin(v)
		require.NoError(t, watched.Apply(v.edit(s)))
		tr.finish(t, s, v)
	}
	held := make(chan answer, 1)
	go func() { // it stays for all updates, however long they take
		held <- askWithin(t.Context(), connection(t), s.URL("gate", "/stream"), s.token("carol"))
	}()
	require.Eventually(t, func() bool { return s.upstream.waiting.Load() == 1 }, patience, 10*time.Millisecond)

	next(func(v *version) { v.machines = true })
	next(func(v *version) { v.bad = true })
	next(func(v *version) {}) // generous alone
	if !pluginAlone {
		next(func(v *version) { v.listener = true })
	}
	next(func(v *version) {
		require.NoError(t, inline.Rotate(false))
		v.keys, v.machines = string(inline.JWKS()), false
		tr.rotated(t)
	})
	// What the first configuration let through goes on to its end under it, as long as its listener
	// drains.
	if pluginAlone {
		s.upstream.release()
		a := <-held
		assert.NoError(t, a.err)
		assert.Equal(t, "begin end", a.body)
	}
	tr.run(t, 20)
	tr.stop()

	tr.check(t)
	assert.Equal(t, 30, tr.admitted("few"), "a caller's window goes on over all updates")
	answered := tr.answered()
	awaitAudited(t, func() string { return s.auditLog("gate") }, answered)
	seen := map[string]int{}
	for _, e := range events(t, s.auditLog("gate")) {
		seen[e.Metadata.No]++
	}
	for no, n := range seen {
		require.Equal(t, 1, n, "request %s is audited once", no)
	}
	for no := range answered {
		require.Equal(t, 1, seen[no], "request %s is audited", no)
	}
	assert.True(t, verify(t, s.auditLog("gate")).OK)
	t.Logf("%d requests over %d configurations", len(answered), v.number+1)

	// The configurations before fetch no more, while they drain and after it.
	other, err := toy.StartIssuer("", issuerName)
	require.NoError(t, err)
	t.Cleanup(other.Stop)
	last := *v
	last.number++
	updated := "listener_manager.lds.update_success"
	if pluginAlone {
		updated = "extension_config_discovery.http_filter.watched.config_reload"
	}
	before := s.counter(updated)
	require.NoError(t, watched.Apply(last.edit(s), envoy.MergePluginConfig("gate", `{"tokens": {"providers": [{"name": "main", "issuer": "`+issuerName+`",
		"audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"inline": `+string(other.JWKS())+`}}]}}`)))
	s.stat(updated, before+1)
	fetches := s.fetchesEnd()
	moved, err := other.Sign(other.Human("dave", "orders", time.Hour))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, ask(connection(t), s.URL("gate", "/x"), moved).status)
	s.stat("listener_manager.total_filter_chains_draining", 0)
	time.Sleep(1500 * time.Millisecond)
	assert.Equal(t, fetches, s.issuer.Fetches(), "nor does one that is gone")
	if !pluginAlone {
		s.upstream.release()
		assert.Error(t, (<-held).err, "its connection was closed when the first listener had drained")
	}
}

// fetchesEnd waits until no keys have been fetched for more than two lifetimes, and returns
// how often they were until then. A configuration that drains fetches no more, but a fetch may be
// under way.
func (s *scene) fetchesEnd() int {
	s.t.Helper()
	fetches, since := s.issuer.Fetches(), time.Now()
	require.Eventually(s.t, func() bool {
		if now := s.issuer.Fetches(); now != fetches {
			fetches, since = now, time.Now()
		}
		return time.Since(since) >= 2500*time.Millisecond
	}, patience, 50*time.Millisecond, "a configuration that drains fetches no more")
	return fetches
}

// refuses delivers a version with an error in it.
func (s *scene) refuses(t *testing.T, watched *envoy.Watched, v *version, pluginAlone bool) {
	t.Helper()
	from := len(s.Log.Lines())
	counter := "listener_manager.lds.update_rejected"
	if pluginAlone {
		counter = "extension_config_discovery.http_filter.watched.update_rejected"
	}
	require.NoError(t, watched.Apply(v.edit(s)))
	s.logged(from, "gatehouse: configuration: rate_limits[0].window_seconds: want 1..86400, got 0")
	s.stat(counter, 1)
	if pluginAlone {
		return
	}
	dump, err := s.ConfigDump(t.Context())
	require.NoError(t, err)
	var state struct {
		Configs []struct {
			Listeners []struct {
				Error struct{ Details string } `json:"error_state"`
			} `json:"dynamic_listeners"`
		}
	}
	require.NoError(t, json.Unmarshal(dump, &state))
	var details []string
	for _, c := range state.Configs {
		for _, l := range c.Listeners {
			details = append(details, l.Error.Details)
		}
	}
	assert.Contains(t, strings.Join(details, ""), "Unable to create Wasm", "the admin API shows that the update failed")
}

// judgedBy is the number of the version that judged an admitted request; -1 if it doesn't tell.
func judgedBy(a answer) int {
	for _, name := range []string{"X-Ratelimit-Limit"} {
		if n, err := strconv.Atoi(a.header.Get(name)); err == nil && n >= generous {
			return n - generous
		}
	}
	return -1
}
