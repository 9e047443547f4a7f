package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/cmd/testbed/child"
	"gatehouse/cmd/testbed/envoy"
	"gatehouse/e2e/envoytest"
)

// needs finds a program; a test without it is skipped, but for CI.
func needs(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: install Debian's package prometheus", program)
		}
		t.Skipf("%s is missing: install Debian's package prometheus", program)
	}
	return path
}

func TestThePrometheusRulesHold(t *testing.T) {
	t.Parallel()
	promtool := needs(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		command := exec.CommandContext(t.Context(), promtool, args...)
		command.Dir = "../deploy/prometheus"
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// expressions are all PromQL expressions of the rules and of the dashboard, with the labels that
// the latter's legends show.
func expressions(t *testing.T) (out []string) {
	t.Helper()
	text, err := os.ReadFile("../deploy/prometheus/rules.yaml")
	require.NoError(t, err)
	var rules struct {
		Groups []struct{ Rules []struct{ Expr string } }
	}
	require.NoError(t, yaml.Unmarshal(text, &rules))
	for _, r := range rules.Groups[0].Rules {
		out = append(out, r.Expr)
	}
	text, err = os.ReadFile("../deploy/grafana/gatehouse.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			out = append(out, target.Expr+" "+target.LegendFormat)
		}
	}
	require.Greater(t, len(out), 30)
	return out
}

var (
	selector  = regexp.MustCompile(`\b((?:gatehouse|envoy)_[a-z0-9_]+)\b(?:\{([^}]*)\})?`)
	pattern   = regexp.MustCompile(`__name__=~"([^"]+)"`)
	matcher   = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"([^"]*)"`)
	grouping  = regexp.MustCompile(`\bby \(([^)]*)\)`)
	legend    = regexp.MustCompile(`\{\{([a-z_]+)\}\}`)
	scraped   = regexp.MustCompile(`(?m)^([a-z_][a-z0-9_]*)\{(.*)\} `)
	labelPair = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
)

// scrape is which labels, with which values, each metric has in an exposition.
type scrape map[string]map[string][]string

func readScrape(text string) scrape {
	s := scrape{}
	for _, m := range scraped.FindAllStringSubmatch(text, -1) {
		labels := s[m[1]]
		if labels == nil {
			labels = map[string][]string{"job": nil, "instance": nil} // Prometheus's own
			s[m[1]] = labels
		}
		for _, pair := range labelPair.FindAllStringSubmatch(m[2], -1) {
			labels[pair[1]] = append(labels[pair[1]], pair[2])
		}
	}
	return s
}

// check finds metrics, labels and values of an expression that a scrape doesn't have. Words are the
// closed lists of values that nobody can bring about at will.
func (s scrape) check(t assert.TestingT, expr string) {
	known := map[string]bool{}
	selectors := grouping.ReplaceAllString(legend.ReplaceAllString(pattern.ReplaceAllString(expr, ""), ""), "")
	for _, m := range selector.FindAllStringSubmatch(selectors, -1) {
		labels, ok := s[m[1]]
		if !assert.True(t, ok, "no metric %s: %s", m[1], expr) {
			continue
		}
		for label := range labels {
			known[label] = true
		}
		for _, match := range matcher.FindAllStringSubmatch(m[2], -1) {
			if _, ok := labels[match[1]]; !assert.True(t, ok, "%s has no label %s: %s", m[1], match[1], expr) || strings.HasPrefix(match[3], "$") {
				continue
			}
			if match[2] == "=" {
				assert.Contains(t, append(labels[match[1]], "failure", "contention"), match[3], "no %s=%q: %s", match[1], match[3], expr)
			}
		}
	}
	if name := pattern.FindStringSubmatch(expr); name != nil {
		known["instance"] = true
		assert.True(t, slices.ContainsFunc(keys(s), regexp.MustCompile("^(?:"+name[1]+")$").MatchString), expr)
	}
	for _, list := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(list[1], ", ") {
			assert.True(t, known[label], "no label %s: %s", label, expr)
		}
	}
	for _, label := range legend.FindAllStringSubmatch(expr, -1) {
		assert.True(t, known[label[1]] || strings.Contains(expr, `"`+label[1]+`"`), "no label %s: %s", label[1], expr)
	}
}

func keys(s scrape) (out []string) {
	for name := range s {
		out = append(out, name)
	}
	return out
}

// traffic sends requests of every kind and says how many of which decision each route got.
func (a *adminAPI) traffic(rounds int) map[string]uint64 {
	a.t.Helper()
	alice := sign(a.t, a.issuer, a.issuer.Human("alice", "orders", time.Hour))
	robot := sign(a.t, a.issuer, a.issuer.Machine("robot", "orders", time.Hour, "jobs/write"))
	expired := sign(a.t, a.issuer, a.issuer.Human("alice", "orders", -time.Hour))
	sent := map[string]uint64{}
	for range rounds {
		for _, r := range []struct {
			path, token, route, decision string
			status                       int
		}{
			{"/", alice, "rest", "admitted", 200}, {"/x", robot, "rest", "admitted", 200}, {"/health", "", "health", "admitted", 200},
			{"/public/x", "", "public", "admitted", 200}, {"/account/x", alice, "account", "admitted", 200},
			{"/account/x", robot, "account", "human_required", 403}, {"/", expired, "rest", "expired_token", 401}, {"/", "x.y.z", "rest", "malformed_token", 401},
			{"/", "", "rest", "missing_token", 401}, {"/a/../b", alice, "none", "unsafe_path", 400},
		} {
			c := client()
			got := get(c, a.p.Address("gate"), r.path, r.token)
			c.CloseIdleConnections()
			require.NoError(a.t, got.err)
			require.Equal(a.t, r.status, got.status, "%s: %s", r.path, got.body)
			sent[seriesName("gatehouse_requests_total", map[string]string{"route": r.route, "decision": r.decision})]++
		}
	}
	return sent
}

// TestWhatRulesAndDashboardAskForIsInARealScrape holds deploy/prometheus and deploy/grafana to what
// Envoy exposes after traffic of every kind.
func TestWhatRulesAndDashboardAskForIsInARealScrape(t *testing.T) {
	t.Parallel()
	a := startAdmin(t, `{"rate_limits": [{"name": "tight", "max_requests": 2, "window_seconds": 600, "identifier": ["user_id"], "apply": "by_name", "max_identifiers": 1},
			{"name": "shadow", "max_requests": 1, "window_seconds": 600, "identifier": ["global"], "shadow": true, "apply": "by_name"}, {"name": "per-caller", "max_requests": 100000, "window_seconds": 60}],
		"routes": [{"name": "health", "path": "/health", "auth": "none"}, {"name": "account", "path": "/account/**", "caller": "human"}, {"name": "public", "path": "/public/**", "auth": "optional"},
			{"name": "limited", "path": "/limited", "rate_limits": ["tight", "shadow"]}, {"name": "rest", "path": "/**"}]}`)
	a.traffic(2)
	for i := range 60 { // more callers than the limit's one bucket has room for
		user := sign(t, a.issuer, a.issuer.Human("user"+strconv.Itoa(i), "orders", time.Hour))
		get(a.client, a.p.Address("gate"), "/limited", user)
	}
	alice := sign(t, a.issuer, a.issuer.Human("alice", "orders", time.Hour))
	for range 5 {
		get(a.client, a.p.Address("gate"), "/limited", alice)
	}
	wanted := expressions(t)
	require.EventuallyWithT(t, func(c *assert.CollectT) { // counters lag, and not all alike
		text, err := a.p.PrometheusText(t.Context())
		require.NoError(c, err)
		assert.Contains(c, text, `gatehouse_rate_limit_evictions_total{rule="tight"}`)
		assert.Contains(c, text, "gatehouse_validation_duration_us_count{}")
		s := readScrape(text)
		for _, expr := range wanted {
			s.check(c, expr)
		}
	}, patience, 100*time.Millisecond)
}

// TestPrometheusCountsWhatTheClientSawThroughAnUpdate has a real Prometheus scrape Envoy, whose
// gate is replaced by an update while traffic goes on.
func TestPrometheusCountsWhatTheClientSawThroughAnUpdate(t *testing.T) {
	t.Parallel()
	program := needs(t, "prometheus")
	limits := func(maxRequests string) string {
		return `{"rate_limits": [{"name": "per-caller", "max_requests": ` + maxRequests + `, "window_seconds": 60}, {"name": "three", "max_requests": 3, "window_seconds": 10, "apply": "by_name"}]}`
	}
	issuer, upstream := startIssuer(t, shippedIssuer), startUpstream(t)
	watched := envoy.WatchListener(t.TempDir(), "gate")
	o := options(t, envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address()), withAdmin(limits("50000")), watched.Edit)
	p := envoy.StartForTest(t, o)
	a := &adminAPI{t, p, issuer, client()}

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(`
global: {scrape_interval: 1s}
scrape_configs:
- job_name: envoy
  metrics_path: /stats/prometheus
  static_configs: [{targets: ["`+p.AdminAddress()+`"]}]
`), 0o600))
	address := "127.0.0.1:" + strconv.Itoa(envoytest.FreePort(t))
	command := exec.Command(program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	var log bytes.Buffer
	command.Stdout, command.Stderr = &log, &log
	ended := make(chan struct{})
	require.NoError(t, child.Start(command, syscall.SIGKILL, func() { close(ended) }))
	t.Cleanup(func() { _ = command.Process.Kill(); <-ended })

	want := a.traffic(3)
	before := hashes(p)
	require.Len(t, before, 1)
	require.NoError(t, watched.Apply(envoy.MergePluginConfig("gate", limits("60000"))))
	require.Eventually(t, func() bool {
		for name, n := range a.traffic(1) { // the update happens in between
			want[name] += n
		}
		return len(hashes(p)) == 2
	}, patience, 10*time.Millisecond)
	for name, n := range a.traffic(2) {
		want[name] += n
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		got := map[string]uint64{}
		for _, series := range instant(t.Context(), c, address, "gatehouse_requests_total") {
			n, err := strconv.ParseUint(series.value, 10, 64)
			assert.NoError(c, err)
			got[seriesName("gatehouse_requests_total", series.labels)] = n
		}
		assert.Equal(c, want, got)
	}, patience, 200*time.Millisecond, "%s", &log)
	seen := instant(t.Context(), t, address, "gatehouse_config_hash")
	require.Len(t, seen, 1)
	require.Equal(t, hashes(p)[1], seen[0].value, "of the newest configuration")
	for _, series := range instant(t.Context(), t, address, "gatehouse_build_info") {
		require.Equal(t, "1", series.value)
	}
}

// instantVector is a series as Prometheus answers it.
type instantVector struct {
	labels map[string]string
	value  string
}

// instant asks Prometheus for the newest values of a metric.
func instant(ctx context.Context, t require.TestingT, address, query string) (out []instantVector) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/v1/query?query="+url.QueryEscape(query), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  [2]any            `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	for _, r := range answer.Data.Result {
		out = append(out, instantVector{r.Metric, r.Value[1].(string)})
	}
	return out
}
