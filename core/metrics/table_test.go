package metrics_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"gatehouse/core/audit"
	"gatehouse/core/caller"
	"gatehouse/core/metrics"
	"gatehouse/core/reason"
)

// Names that look like parts of Envoy's and Istio's own patterns.
var labels = metrics.Labels{
	Routes:    []string{"/account/**", "cache", "tag", "component.x", "Reason", "route", "decision", "wasm_filter", "rbac", "GET_rq_200", "cache"},
	PerRoute:  true,
	Rules:     []string{"per-caller", "rule", "decision", "shadow_allowed"},
	Providers: []string{"main", "provider", "result"},
	Version:   "v1.2.3-rc.1+dirty",
}

// accessors are all the metrics that the table's accessors know, with the labels they must have.
func accessors(t *metrics.Table, l metrics.Labels) map[string]int {
	all := map[string]int{
		"gatehouse_tokens_validated_total":                              t.TokensValidated(),
		"gatehouse_token_cache_total result=hit":                        t.CacheHit(),
		"gatehouse_token_cache_total result=miss":                       t.CacheMiss(),
		"gatehouse_audit_dropped_total":                                 t.AuditDropped(),
		"gatehouse_audit_queue_events":                                  t.AuditQueue(),
		"gatehouse_config_hash":                                         t.ConfigHash(),
		"gatehouse_build_info version=" + metrics.LabelValue(l.Version): t.BuildInfo(),
		"gatehouse_validation_duration_us":                              t.ValidationDuration(),
	}
	for r := reason.None; r < reason.Count; r++ {
		if r.OfToken() {
			for i, provider := range append([]string{metrics.ProviderNone}, l.Providers...) {
				all["gatehouse_tokens_failed_total reason="+r.String()+" provider="+metrics.LabelValue(provider)] = t.TokensFailed(r, i-1)
			}
		}
		word := r.String()
		switch {
		case r == reason.None:
			word = "admitted"
		case l.Observe:
			word = "would_be_" + word
		}
		routes := append([]string{metrics.RouteNone}, l.Routes...)
		for i, route := range routes {
			value := metrics.LabelValue(route)
			if !l.PerRoute {
				value = metrics.RouteAll
			}
			all["gatehouse_requests_total route="+value+" decision="+word] = t.Requests(i-1, r)
		}
	}
	for _, k := range []caller.Kind{caller.Unknown, caller.Human, caller.Machine, caller.Anonymous} {
		all["gatehouse_callers_total caller="+k.String()] = t.Callers(k)
	}
	for e := audit.Type(0); e.String() != ""; e++ {
		all["gatehouse_audit_events_total event_type="+e.String()] = t.AuditEvents(e)
	}
	for i, rule := range l.Rules {
		value := metrics.LabelValue(rule)
		all["gatehouse_rate_limit_decisions_total rule="+value+" decision=admitted"] = t.LimitAdmitted(i)
		all["gatehouse_rate_limit_decisions_total rule="+value+" decision=limited"] = t.LimitRefused(i)
		all["gatehouse_rate_limit_decisions_total rule="+value+" decision=shadow_limited"] = t.LimitShadow(i)
		all["gatehouse_rate_limit_decisions_total rule="+value+" decision=contention"] = t.LimitContention(i)
		all["gatehouse_rate_limit_decisions_total rule="+value+" decision=error"] = t.LimitError(i)
		all["gatehouse_rate_limit_evictions_total rule="+value] = t.Evictions(i)
	}
	for i, provider := range l.Providers {
		value := metrics.LabelValue(provider)
		all["gatehouse_jwks_fetches_total provider="+value+" result=success"] = t.FetchSuccess(i)
		all["gatehouse_jwks_fetches_total provider="+value+" result=partial"] = t.FetchPartial(i)
		all["gatehouse_jwks_fetches_total provider="+value+" result=failure"] = t.FetchFailure(i)
		all["gatehouse_jwks_age_seconds provider="+value] = t.KeysAge(i)
	}
	return all
}

func written(d metrics.Def) string {
	s := d.Name
	for _, l := range d.Labels {
		s += " " + l.Name + "=" + l.Value
	}
	return s
}

func TestEveryAccessorFindsItsMetricAndEveryMetricHasAnAccessor(t *testing.T) {
	observe, together := labels, labels
	observe.Observe, together.PerRoute = true, false
	for _, l := range []metrics.Labels{labels, observe, together, {PerRoute: true}, {}, {Rules: []string{"r"}}, {Providers: []string{"p"}}} {
		table := metrics.NewTable(metrics.Envoy, l)
		all := accessors(table, l)
		assert.Len(t, all, table.Len())
		for name, i := range all {
			assert.Equal(t, name, written(table.Def(i)))
		}
	}
}

func TestTheHostsNamesAreUnique(t *testing.T) {
	for _, naming := range []metrics.Naming{metrics.Envoy, metrics.Istio} {
		table := metrics.NewTable(naming, labels)
		seen := map[string]bool{}
		for i := range table.Len() {
			full := table.Def(i).Full
			assert.False(t, seen[full], full)
			seen[full] = true
		}
	}
}

func TestKindsFollowTheNames(t *testing.T) {
	table := metrics.NewTable(metrics.Envoy, labels)
	for i := range table.Len() {
		d := table.Def(i)
		want := metrics.Gauge
		switch {
		case strings.HasSuffix(d.Name, "_total"):
			want = metrics.Counter
		case strings.HasSuffix(d.Name, "_us"):
			want = metrics.Histogram
		}
		assert.Equal(t, want, d.Kind, d.Name)
	}
}

func TestTheNamesOfBothNamings(t *testing.T) {
	envoy, istio := metrics.NewTable(metrics.Envoy, labels), metrics.NewTable(metrics.Istio, labels)
	i := envoy.Requests(0, reason.HumanRequired)
	assert.Equal(t, "gatehouse_requests_total.route._account___.decision.human_required", envoy.Def(i).Full)
	assert.Equal(t, "route=.=_account___;.;decision=.=human_required;.;gatehouse_requests_total", istio.Def(i).Full)
	assert.Equal(t, "gatehouse_tokens_validated_total", envoy.Def(0).Full)
	assert.Equal(t, "gatehouse_tokens_validated_total", istio.Def(0).Full)
}

// tag is one of Envoy's stats_tags.
type tag struct {
	Name  string `yaml:"tag_name"`
	Regex string `yaml:"regex"`
}

// extract does what Envoy does with a metric's name (source/common/stats/tag_producer_impl.cc):
// each pattern is tried on the whole name, group 2 is the tag's value, and all groups 1 are cut out
// in the end.
func extract(t *testing.T, tags []tag, name string) (base string, values map[string]string) {
	t.Helper()
	cut := make([]bool, len(name))
	values = map[string]string{}
	for _, tag := range tags {
		if m := regexp.MustCompile(tag.Regex).FindStringSubmatchIndex(name); m != nil {
			require.NotContains(t, values, tag.Name)
			values[tag.Name] = name[m[4]:m[5]]
			for i := m[2]; i < m[3]; i++ {
				cut[i] = true
			}
		}
	}
	for i := range name {
		if !cut[i] {
			base += name[i : i+1]
		}
	}
	return base, values
}

// extractAll checks that a naming's metrics come out of the tag extraction with the labels that
// they are meant to have.
func extractAll(t *testing.T, naming metrics.Naming, tags []tag) {
	t.Helper()
	table := metrics.NewTable(naming, labels)
	for i := range table.Len() {
		d := table.Def(i)
		base, values := extract(t, tags, "wasmcustom."+d.Full)
		assert.Equal(t, "wasmcustom."+d.Name, base, d.Full)
		want := map[string]string{}
		for _, l := range d.Labels {
			want[l.Name] = l.Value
		}
		assert.Equal(t, want, values, d.Full)
	}
}

func TestTheStatsTagsOfEnvoyYAMLFindTheLabels(t *testing.T) {
	doc, err := os.ReadFile("../../envoy.yaml")
	require.NoError(t, err)
	var bootstrap struct {
		StatsConfig struct {
			StatsTags []tag `yaml:"stats_tags"`
		} `yaml:"stats_config"`
	}
	require.NoError(t, yaml.Unmarshal(doc, &bootstrap))
	require.NotEmpty(t, bootstrap.StatsConfig.StatsTags)
	extractAll(t, metrics.Envoy, bootstrap.StatsConfig.StatsTags)
}

func TestIstiosTagExtractionFindsTheLabels(t *testing.T) {
	// From Istio's tools/packaging/common/envoy_bootstrap.json: the template for each of
	// extraStatTags, and those of the default patterns that aren't bound to the beginning of
	// another component's names.
	var tags []tag
	for _, name := range []string{"reason", "route", "decision", "caller", "result", "rule", "provider", "event_type", "version"} {
		tags = append(tags, tag{name, `(` + name + `=\.=(.*?);\.;)`})
	}
	tags = append(tags,
		tag{"response_code", `_rq(_(\d{3}))$`}, tag{"response_code_class", `_rq(_(\dxx))$`},
		tag{"cache", `(cache\.(.+?)\.)`}, tag{"component", `(component\.(.+?)\.)`}, tag{"tag", `(tag\.(.+?);\.)`},
		tag{"wasm_filter", `(wasm_filter\.(.+?)\.)`}, tag{"authz_enforce_result", `rbac(\.(allowed|denied))`},
		tag{"authz_dry_run_action", `(\.istio_dry_run_(allow|deny)_)`}, tag{"authz_dry_run_result", `(\.shadow_(allowed|denied))`},
	)
	extractAll(t, metrics.Istio, tags)
}

func TestALabelsValueHasOnlySafeCharacters(t *testing.T) {
	for in, want := range map[string]string{
		"/account/**": "_account___", "Per-Caller": "per_caller", "": "_", "a.b;c": "a_b_c", "\u00fcber": "_ber", "\xff": "_", "z9_": "z9_",
	} {
		assert.Equal(t, want, metrics.LabelValue(in), in)
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.String().Draw(t, "name")
		out := metrics.LabelValue(in)
		require.Regexp(t, `^[a-z0-9_]+$`, out)
		require.Equal(t, out, metrics.LabelValue(out))
	})
}

func TestCountingAllocatesNothing(t *testing.T) {
	table := metrics.NewTable(metrics.Envoy, labels)
	sum := 0
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		sum += table.Requests(2, reason.None) + table.LimitAdmitted(1) + table.Callers(1) + table.TokensValidated()
	}))
	assert.Positive(t, sum)
}
