package embedded

import (
	"strings"

	"gatehouse/core/metrics"
	"gatehouse/hostsim/proxy"
)

// buckets are the bounds of the histogram, in microseconds; envoy.yaml has the same.
func buckets() map[string][]float64 {
	return map[string][]float64{
		"gatehouse_validation_duration_us": {1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 50000},
	}
}

// tagRules turn the parts of the metrics' names into labels, whichever naming the configuration
// chooses. For Envoy's they do what envoy.yaml's stats_tags do: one rule for each label of each
// metric, bound to that metric, so that a route may have any name. For Istio's they are what Istio
// makes of extraStatTags.
func tagRules() (rules []proxy.TagRule) {
	const value = `[a-z0-9_]+`
	table := metrics.NewTable(metrics.Envoy, metrics.Labels{Routes: []string{"r"}, PerRoute: true, Rules: []string{"l"}, Providers: []string{"p"}})
	seen := map[string]bool{}
	for i := range table.Len() {
		def := table.Def(i)
		if seen[def.Name] {
			continue
		}
		seen[def.Name] = true
		for j, label := range def.Labels {
			var expr strings.Builder
			expr.WriteString(`^wasmcustom\.` + def.Name)
			for k, l := range def.Labels {
				if k == j {
					expr.WriteString(`(\.` + l.Name + `\.(` + value + `))`)
				} else {
					expr.WriteString(`\.` + l.Name + `\.` + value)
				}
			}
			rules = append(rules, proxy.TagRule{TagName: label.Name, Regex: expr.String() + "$"})
			if !seen[label.Name] {
				seen[label.Name] = true
				rules = append(rules, proxy.TagRule{TagName: label.Name, Regex: `(` + label.Name + `=\.=(.*?);\.;)`})
			}
		}
	}
	return rules
}
