package proxy

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

// statPrefix is what Envoy puts before the name of every metric that a filter
// defines; tag rules see it, Prometheus does not.
const statPrefix = "wasmcustom."

// TagRule turns a part of a metric's name into a label, as an entry of Envoy's
// stats_tags does (envoy.config.metrics.v3.TagSpecifier): the regular expression
// is searched in the name, its first group is cut out of it, and its second, or
// else the first, is the label's value.
type TagRule struct {
	TagName string
	Regex   string
}

// MetricsHandler serves metrics in Prometheus's text format, version 0.0.4, with
// the labels that rules extract. It returns an error for a rule whose regular
// expression is invalid or has no group. Envoy writes the same expressions for
// another engine (RE2), which Go's shares the syntax with.
func MetricsHandler(metrics *hostsim.Metrics, rules []TagRule) (http.Handler, error) {
	compiled := make([]tagRule, len(rules))
	for i, r := range rules {
		re, err := regexp.Compile(r.Regex)
		if err != nil {
			return nil, fmt.Errorf("proxy: tag %s: %w", r.TagName, err)
		}
		if re.NumSubexp() == 0 {
			return nil, fmt.Errorf("proxy: tag %s: the regular expression has no group", r.TagName)
		}
		compiled[i] = tagRule{name: sanitise(r.TagName), re: re}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		// The client went away: there is nobody to tell.
		_, _ = w.Write(exposition(metrics.Snapshot(), compiled))
	}), nil
}

type tagRule struct {
	name string
	re   *regexp.Regexp
}

// label is a name and value that a rule found.
type label struct{ name, value string }

// extract cuts the labels out of a metric's name. As in Envoy all rules look at
// the whole name, and what they cut out is removed together.
func extract(name string, rules []tagRule) (string, []label) {
	full := statPrefix + name
	var labels []label
	cut := make([]bool, len(full))
	for _, r := range rules {
		m := r.re.FindStringSubmatchIndex(full)
		if m == nil || m[2] < 0 {
			continue
		}
		value := full[m[2]:m[3]]
		if len(m) > 4 && m[4] >= 0 {
			value = full[m[4]:m[5]]
		}
		labels = append(labels, label{r.name, value})
		for i := m[2]; i < m[3]; i++ {
			cut[i] = true
		}
	}
	var rest strings.Builder
	for i := range len(full) {
		if !cut[i] {
			rest.WriteByte(full[i])
		}
	}
	return sanitise(strings.TrimPrefix(rest.String(), statPrefix)), labels
}

// sanitise makes a metric or label name of any string.
func sanitise(name string) string {
	b := []byte(name)
	for i, c := range b {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	return string(b)
}

// family is all metrics of one name and type.
type family struct {
	name    string
	typ     abi.MetricType
	members []member
}

type member struct {
	labels []label
	metric hostsim.Metric
}

func exposition(metrics []hostsim.Metric, rules []tagRule) []byte {
	var families []*family
	byName := map[string]*family{}
	for _, m := range metrics {
		name, labels := extract(m.Name, rules)
		key := name + "\x00" + strconv.Itoa(int(m.Type))
		f := byName[key]
		if f == nil {
			f = &family{name: name, typ: m.Type}
			byName[key] = f
			families = append(families, f)
		}
		f.members = append(f.members, member{labels, m})
	}
	sort.SliceStable(families, func(i, j int) bool { return families[i].name < families[j].name })
	var b bytes.Buffer
	for _, f := range families {
		f.write(&b)
	}
	return b.Bytes()
}

func (f *family) write(b *bytes.Buffer) {
	types := [...]string{"counter", "gauge", "histogram"}
	fmt.Fprintf(b, "# TYPE %s %s\n", f.name, types[f.typ])
	for _, m := range f.members {
		if f.typ != abi.MetricHistogram {
			fmt.Fprintf(b, "%s%s %d\n", f.name, braces(m.labels), m.metric.Value)
			continue
		}
		for _, bucket := range m.metric.Buckets {
			le := label{"le", strconv.FormatFloat(bucket.UpperBound, 'f', -1, 64)}
			fmt.Fprintf(b, "%s_bucket%s %d\n", f.name, braces(m.labels, le), bucket.Cumulative)
		}
		fmt.Fprintf(b, "%s_bucket%s %d\n", f.name, braces(m.labels, label{"le", "+Inf"}), m.metric.Count)
		fmt.Fprintf(b, "%s_sum%s %s\n", f.name, braces(m.labels), strconv.FormatFloat(m.metric.Sum, 'f', -1, 64))
		fmt.Fprintf(b, "%s_count%s %d\n", f.name, braces(m.labels), m.metric.Count)
	}
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// braces writes a label set; Envoy writes empty braces too.
func braces(labels []label, more ...label) string {
	all := append(append([]label(nil), labels...), more...)
	if len(all) == 0 {
		return "{}"
	}
	var b strings.Builder
	for i, l := range all {
		sep := ","
		if i == 0 {
			sep = "{"
		}
		b.WriteString(sep + l.name + `="` + escape.Replace(l.value) + `"`)
	}
	return b.String() + "}"
}
