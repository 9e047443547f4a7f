package embedded

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/core/metrics"
	"gatehouse/hostsim/proxy"
)

// allMetrics is a table with names that an operator may choose though they are those of labels.
func allMetrics(naming metrics.Naming, observe bool) *metrics.Table {
	names := []string{"account", "/account/**", "reason", "route", "decision", "rule", "result", "provider", "caller", "event_type", "x.decision.y"}
	return metrics.NewTable(naming, metrics.Labels{Routes: names, PerRoute: true, Rules: names, Providers: names, Observe: observe})
}

// labelsOf applies rules as Envoy applies stats_tags: the first group of an expression is cut out,
// the second is the label's value.
func labelsOf(t *testing.T, rules []proxy.TagRule, full string) (string, map[string]string) {
	t.Helper()
	labels := map[string]string{}
	name := "wasmcustom." + full
	rest := name
	for _, rule := range rules {
		groups := regexp.MustCompile(rule.Regex).FindStringSubmatch(name)
		if groups == nil {
			continue
		}
		require.NotContains(t, labels, rule.TagName, "two rules for one label of %s", full)
		labels[rule.TagName] = groups[2]
		require.Contains(t, rest, groups[1], "overlapping groups in %s", full)
		rest = strings.Replace(rest, groups[1], "", 1)
	}
	return strings.TrimPrefix(rest, "wasmcustom."), labels
}

// shippedStats reads stats_config of envoy.yaml.
func shippedStats(t *testing.T) (rules []proxy.TagRule, bounds map[string][]float64) {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	bootstrap, err := envoy.Load(filepath.Join(root, "envoy.yaml"))
	require.NoError(t, err)
	text, err := json.Marshal(bootstrap["stats_config"])
	require.NoError(t, err)
	var stats struct {
		Tags []struct {
			Name  string `json:"tag_name"`
			Regex string `json:"regex"`
		} `json:"stats_tags"`
		Histograms []struct {
			Match   struct{ Exact string }
			Buckets []float64
		} `json:"histogram_bucket_settings"`
	}
	require.NoError(t, json.Unmarshal(text, &stats))
	for _, tag := range stats.Tags {
		rules = append(rules, proxy.TagRule{TagName: tag.Name, Regex: tag.Regex})
	}
	bounds = map[string][]float64{}
	for _, h := range stats.Histograms {
		bounds[strings.TrimPrefix(h.Match.Exact, "wasmcustom.")] = h.Buckets
	}
	return rules, bounds
}

func TestLabelsAndBucketsAreThoseOfEnvoyYAML(t *testing.T) {
	shipped, bounds := shippedStats(t)
	assert.Equal(t, bounds, buckets())
	rules := tagRules()
	for _, observe := range []bool{false, true} {
		table := allMetrics(metrics.Envoy, observe)
		for i := range table.Len() {
			def := table.Def(i)
			name, labels := labelsOf(t, rules, def.Full)
			shippedName, shippedLabels := labelsOf(t, shipped, def.Full)
			require.Equal(t, shippedName, name, def.Full)
			require.Equal(t, shippedLabels, labels, def.Full)
			require.Equal(t, def.Name, name, def.Full)
			require.Equal(t, labelMap(def), labels, def.Full)
		}
	}
}

func TestIstioNamesGetTheSameLabels(t *testing.T) {
	table := allMetrics(metrics.Istio, false)
	for i := range table.Len() {
		def := table.Def(i)
		name, labels := labelsOf(t, tagRules(), def.Full)
		require.Equal(t, def.Name, name, def.Full)
		require.Equal(t, labelMap(def), labels, def.Full)
	}
}

func labelMap(def metrics.Def) map[string]string {
	m := map[string]string{}
	for _, l := range def.Labels {
		m[l.Name] = l.Value
	}
	return m
}
