// Package metrics names Gatehouse's metrics and numbers them, so that counting on a request's way is an array index, and
// estimates the quantiles of durations. It holds no counts: those are the host's, which adds them up over all workers.
package metrics

import "gatehouse/core/reason"

// Naming is how a metric's name carries its labels: the host's metrics have a name and nothing else.
type Naming uint8

const (
	// Envoy writes NAME.LABEL.VALUE, as Envoy's own metrics do; stats_tags in its bootstrap turn the parts into labels.
	Envoy Naming = iota
	// Istio writes LABEL=.=VALUE;.;NAME, as Istio's own filters do; Istio's bootstrap extracts the labels that
	// proxyConfig.extraStatTags lists with (LABEL=\.=(.*?);\.;).
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

// Labels are the values that come from the configuration: names as configured, which LabelValue maps. Config has
// refused those that collide.
type Labels struct {
	Routes    []string // one for each route, in the routes' order; equal names share their metrics
	PerRoute  bool     // false: all requests count as RouteAll
	Rules     []string // rate limits
	Providers []string
	Metadata  bool // the metadata of protected resources is published
	Observe   bool // reasons in gatehouse_requests_total are prefixed with would_be_
}

// Table numbers the metrics from 0. It is immutable. Its accessors return a metric's number and do no more than an addition
// or two; their arguments are trusted.
type Table struct {
	naming   Naming
	families []family
	size     int

	routes       []int             // route -> its place among the values of the label route
	tokenReasons [reason.Count]int // the same for a bad token's reason and the label reason

	failed   int
	requests int
	metadata int // the place of RouteMetadata among the values of the label route
	callers  int
	cache    int
	limits   int
	evicted  int
	fetches  int
	age      int
	events   int
	dropped  int
	queue    int
	duration int

	providers int // how many
}

// family are the metrics that share a name: one for each combination of their labels' values, the last label's running
// fastest.
type family struct {
	kind   Kind
	name   string
	first  int
	labels []labelSet
}

type labelSet struct {
	name   string
	values []string
}

// The metric without labels that comes first.
const validated = 0

// NewTable numbers the metrics for a configuration.
func NewTable(naming Naming, l Labels) *Table {
	t := &Table{naming: naming, providers: len(l.Providers)}
	routeValues := t.setRoutes(l)
	rules, providers := mapped(l.Rules), mapped(l.Providers)

	t.add(Counter, "gatehouse_tokens_validated_total")
	t.failed = t.add(Counter, "gatehouse_tokens_failed_total", labelSet{"reason", t.setTokenReasons()},
		labelSet{"provider", append([]string{ProviderNone}, providers...)})
	t.requests = t.add(Counter, "gatehouse_requests_total", labelSet{"route", routeValues}, labelSet{"decision", decisionWords(l.Observe)})
	t.callers = t.add(Counter, "gatehouse_callers_total", labelSet{"caller", callerWords()})
	t.cache = t.add(Counter, "gatehouse_token_cache_total", labelSet{"result", cacheResults[:]})
	t.limits = t.add(Counter, "gatehouse_rate_limit_decisions_total", labelSet{"rule", rules}, labelSet{"decision", limitDecisions[:]})
	t.evicted = t.add(Counter, "gatehouse_rate_limit_evictions_total", labelSet{"rule", rules})
	t.fetches = t.add(Counter, "gatehouse_jwks_fetches_total", labelSet{"provider", providers}, labelSet{"result", fetchResults[:]})
	t.events = t.add(Counter, "gatehouse_audit_events_total", labelSet{"event_type", eventWords()})
	t.dropped = t.add(Counter, "gatehouse_audit_dropped_total")
	t.age = t.add(Gauge, "gatehouse_jwks_age_seconds", labelSet{"provider", providers})
	t.queue = t.add(Gauge, "gatehouse_audit_queue_events")
	t.duration = t.add(Histogram, "gatehouse_validation_duration_us")
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

func (t *Table) add(kind Kind, name string, labels ...labelSet) (first int) {
	first = t.size
	n := 1
	for _, l := range labels {
		n *= len(l.values)
	}
	t.families = append(t.families, family{kind, name, first, labels})
	t.size += n
	return first
}

// Len is the number of metrics.
func (t *Table) Len() int { return t.size }

// Def describes metric i, 0 <= i < Len(). It builds the name anew each time: a host that defines metrics when they are first
// needed never holds the thousands of names that a thousand routes make.
func (t *Table) Def(i int) Def {
	f := len(t.families) - 1
	for t.families[f].first > i {
		f--
	}
	fam := &t.families[f]
	d := Def{Kind: fam.kind, Name: fam.name}
	if len(fam.labels) > 0 {
		d.Labels = make([]Label, len(fam.labels))
	}
	at := i - fam.first
	for j := len(fam.labels) - 1; j >= 0; j-- {
		values := fam.labels[j].values
		d.Labels[j] = Label{fam.labels[j].name, values[at%len(values)]}
		at /= len(values)
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
