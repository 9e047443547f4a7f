package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/hostsimtest"
	"gatehouse/hostsim/proxy"
)

func scrape(t *testing.T, m *hostsim.Metrics, rules ...proxy.TagRule) string {
	t.Helper()
	h, err := proxy.MetricsHandler(m, rules)
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/stats/prometheus", nil))
	assert.Equal(t, "text/plain; version=0.0.4; charset=utf-8", rec.Header().Get("Content-Type"))
	return rec.Body.String()
}

func TestMetricsAreWrittenAsEnvoyWritesThem(t *testing.T) {
	metrics := hostsim.NewMetrics(map[string][]float64{"probe_histogram": {5, 7.5}})
	host, err := hostsim.New(t.Context(), hostsimtest.Module(t, "../..", "./hostsim/internal/probe"), hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: "probe"}}, Metrics: metrics,
	})
	require.NoError(t, err)
	defer host.Close()
	host.RoundTrip(0, hostsim.Request{Path: "/metrics"}, func(hostsim.Message) *hostsim.Message { return nil })
	host.RoundTrip(0, hostsim.Request{Path: "/labels"}, func(hostsim.Message) *hostsim.Message { return nil })
	assert.Equal(t, `# TYPE probe_counter counter
probe_counter{} 15
# TYPE probe_gauge gauge
probe_gauge{} 3
# TYPE probe_histogram histogram
probe_histogram_bucket{le="5"} 0
probe_histogram_bucket{le="7.5"} 1
probe_histogram_bucket{le="+Inf"} 1
probe_histogram_sum{} 7
probe_histogram_count{} 1
# TYPE probe_total counter
probe_total{reason="expired",rule="a"} 1
probe_total{reason="missing"} 2
`, scrape(t, metrics,
		proxy.TagRule{TagName: "reason", Regex: `^wasmcustom\.probe_total(\.reason\.([a-z0-9_]+))`},
		proxy.TagRule{TagName: "rule", Regex: `(\.rule\.([a-z0-9_]+))$`},
		proxy.TagRule{TagName: "unused", Regex: `(x(never))`}))
	assert.Contains(t, scrape(t, metrics, proxy.TagRule{TagName: "first group", Regex: `(reason)\.`}),
		`probe_total__expired_rule_a{first_group="reason"} 1`)
}

func TestATagRuleMustHaveAGroup(t *testing.T) {
	for _, regex := range []string{"(", "none"} {
		_, err := proxy.MetricsHandler(hostsim.NewMetrics(nil), []proxy.TagRule{{TagName: "bad", Regex: regex}})
		assert.ErrorContains(t, err, "tag bad")
	}
}
