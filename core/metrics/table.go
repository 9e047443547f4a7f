// Package metrics names Gatehouse's metrics and numbers them, so that counting on a request's way
// is an array index, and estimates the quantiles of durations. It holds no counts: those are the
// host's, which adds them up over all workers.
package metrics

import "gatehouse/core/reason"

// Naming is how a metric's name carries its labels: the host's metrics have a name and nothing
// else.
type Naming uint8

const (
	// Envoy writes NAME.LABEL.VALUE, as Envoy's own metrics do; stats_tags in its bootstrap turn
	// the parts into labels.
	Envoy Naming = iota
	// Istio writes LABEL=.=VALUE;.;NAME, as Istio's own filters do; Istio's bootstrap extracts the
	// labels that proxyConfig.extraStatTags lists with (LABEL=\.=(.*?);\.;).
	Istio
)

// Kind is what the host does with a metric. The values are proxy-wasm's (proxy_metric_type_t).
type Kind uint32

// The kinds of metrics.
const (
	Counter Kind = iota
	Gauge
	Histogram
)

// Label is one label of a metric.
type Label struct{ Name, Value string }

// Def is a metric.
type Def struct {
	Kind   Kind
	Name   string // without labels
	Labels []Label
	Full   string // the name by which the host knows it: Name and Labels in the table's Naming
}

// Labels are the values that come from the configuration: names as configured, which LabelValue
// maps. Config has refused those that collide.
type Labels struct {
	Routes    []string // one for each route, in the routes' order; equal names share their metrics
	PerRoute  bool     // false: all requests count as RouteAll
	Rules     []string // rate limits
	Providers []string
	Metadata  bool   // the metadata of protected resources is published
	Version   string // of the filter
	Observe   bool   // reasons in gatehouse_requests_total are prefixed with would_be_
}

// Table numbers the metrics from 0. It is immutable. Its accessors return a metric's number and do
// no more than an addition or two; their arguments are trusted.
type Table struct {
	naming Naming
	first  [numFamilies]int    // each family's first metric
	values [numLabels][]string // each label's values
	size   int

	routes       []int             // route -> its place among the values of the label route
	tokenReasons [reason.Count]int // the same for a bad token's reason and the label reason
	metadata     int               // the place of RouteMetadata among the values of the label route
}

// A family are the metrics that share a name: one for each combination of their labels' values, the
// last label's running fastest.
const (
	tokensValidated = iota
	tokensFailed
	requests
	callers
	tokenCache
	limitDecisions
	evictions
	fetches
	auditEvents
	auditDropped
	keysAge
	auditQueue
	buildInfo
	configHash
	validationDuration
	numFamilies
)

// Labels of the families, each with its own set of values.
const (
	noLabel = iota
	ofTokenReason
	ofTokenProvider
	ofRoute
	ofDecision
	ofCaller
	ofCacheResult
	ofRule
	ofLimitDecision
	ofProvider
	ofFetchResult
	ofEvent
	ofVersion
	numLabels
)

var labelNames = [numLabels]string{
	"", "reason", "provider", "route", "decision", "caller", "result", "rule", "decision", "provider", "result", "event_type", "version",
}

// Names of the metrics that a Snapshot needs.
const (
	TokensValidatedName = "gatehouse_tokens_validated_total"
	TokensFailedName    = "gatehouse_tokens_failed_total"
)

var families = [numFamilies]struct {
	kind   Kind
	name   string
	labels [2]uint8
}{
	tokensValidated:    {Counter, TokensValidatedName, [2]uint8{}},
	tokensFailed:       {Counter, TokensFailedName, [2]uint8{ofTokenReason, ofTokenProvider}},
	requests:           {Counter, "gatehouse_requests_total", [2]uint8{ofRoute, ofDecision}},
	callers:            {Counter, "gatehouse_callers_total", [2]uint8{ofCaller}},
	tokenCache:         {Counter, "gatehouse_token_cache_total", [2]uint8{ofCacheResult}},
	limitDecisions:     {Counter, "gatehouse_rate_limit_decisions_total", [2]uint8{ofRule, ofLimitDecision}},
	evictions:          {Counter, "gatehouse_rate_limit_evictions_total", [2]uint8{ofRule}},
	fetches:            {Counter, "gatehouse_jwks_fetches_total", [2]uint8{ofProvider, ofFetchResult}},
	auditEvents:        {Counter, "gatehouse_audit_events_total", [2]uint8{ofEvent}},
	auditDropped:       {Counter, "gatehouse_audit_dropped_total", [2]uint8{}},
	keysAge:            {Gauge, "gatehouse_jwks_age_seconds", [2]uint8{ofProvider}},
	auditQueue:         {Gauge, "gatehouse_audit_queue_events", [2]uint8{}},
	buildInfo:          {Gauge, "gatehouse_build_info", [2]uint8{ofVersion}},
	configHash:         {Gauge, "gatehouse_config_hash", [2]uint8{}},
	validationDuration: {Histogram, "gatehouse_validation_duration_us", [2]uint8{}},
}

// NewTable numbers the metrics for a configuration.
func NewTable(naming Naming, l Labels) *Table {
	t := &Table{naming: naming}
	providers := mapped(l.Providers)
	t.values = [numLabels][]string{
		noLabel:         {""},
		ofTokenReason:   t.setTokenReasons(),
		ofTokenProvider: append([]string{ProviderNone}, providers...),
		ofRoute:         t.setRoutes(l),
		ofDecision:      decisionWords(l.Observe),
		ofCaller:        callerWords(),
		ofCacheResult:   cacheResults,
		ofRule:          mapped(l.Rules),
		ofLimitDecision: limitResults,
		ofProvider:      providers,
		ofFetchResult:   fetchResults,
		ofEvent:         eventWords(),
		ofVersion:       mapped([]string{l.Version}),
	}
	for i := range families {
		t.first[i] = t.size
		t.size += len(t.values[families[i].labels[0]]) * len(t.values[families[i].labels[1]])
	}
	return t
}

// setRoutes gives each route its place among the values of the label route, and returns those.
func (t *Table) setRoutes(l Labels) []string {
	t.routes = make([]int, len(l.Routes))
	if !l.PerRoute {
		return []string{RouteAll} // metadata's place is 0 too
	}
	values := []string{RouteNone}
	place := make(map[string]int, len(l.Routes))
	for i, name := range l.Routes {
		value := LabelValue(name)
		at, ok := place[value]
		if !ok {
			at = len(values)
			place[value] = at
			values = append(values, value)
		}
		t.routes[i] = at
	}
	if l.Metadata {
		t.metadata = len(values)
		values = append(values, RouteMetadata)
	}
	return values
}

func mapped(names []string) []string {
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = LabelValue(name)
	}
	return values
}

// Len is the number of metrics.
func (t *Table) Len() int { return t.size }

// Def describes metric i, 0 <= i < Len(). It builds the name anew each time: a host that defines
// metrics when they are first needed never holds the thousands of names that a thousand routes
// make.
func (t *Table) Def(i int) Def {
	f := numFamilies - 1
	for t.first[f] > i {
		f--
	}
	fam := &families[f]
	d := Def{Kind: fam.kind, Name: fam.name}
	at := i - t.first[f]
	last := t.values[fam.labels[1]]
	for j, place := range [...]int{at / len(last), at % len(last)} {
		if label := fam.labels[j]; label != noLabel {
			d.Labels = append(d.Labels, Label{labelNames[label], t.values[label][place]})
		}
	}
	d.Full = t.naming.join(d.Name, d.Labels)
	return d
}

func (n Naming) join(name string, labels []Label) string {
	if n == Istio {
		full := ""
		for _, l := range labels {
			full += l.Name + "=.=" + l.Value + ";.;"
		}
		return full + name
	}
	for _, l := range labels {
		name += "." + l.Name + "." + l.Value
	}
	return name
}
