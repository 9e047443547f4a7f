package scenario

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Observation is what a runner saw of a scenario.
type Observation struct {
	// Exchanges are those of each step, as many as the step has times; nil for a step that the
	// runner leaves out.
	Exchanges [][]Exchange
	// Metrics are the counters that moved, by [MetricName]; nil from a runner that left out a step,
	// whose counts would differ.
	Metrics map[string]uint64
	// Log is how many audit lines went to the proxy's log at which level; nil from core, which has
	// no log, and like Metrics.
	Log map[string]int
	// Leaks are the places that have a token, a part of one, a cookie or a key, as [Secrets] finds
	// them. Runners look at all that Gatehouse writes.
	Leaks []string
}

// Exchange is one request and what became of it.
type Exchange struct {
	Status   int    // 0 if the client got nothing
	Header   Header // of the response, without those of [HostHeaders]
	Body     string
	Upstream *Seen // nil if the request didn't reach it
	Audit    []string
	Details  string // Envoy's response code details
	// Late is by how much this request, or one before it in the scenario, was later than planned.
	Late time.Duration
}

// Header has the values of header fields by their names, which are in lower case.
type Header map[string][]string

// Seen is a request as it arrived at the upstream.
type Seen struct {
	Method, Path, Host string
	Header             Header
}

// HostHeaders are fields that a proxy sets by itself on requests or responses. Gatehouse has
// nothing to do with them, so no runner reports them; "x-envoy-" and "x-forwarded-" stand for all
// that begin so, but for x-envoy-ratelimited.
var HostHeaders = []string{"date", "server", "transfer-encoding", "connection", "content-length", "x-request-id", "x-envoy-", "x-forwarded-"}

// Headers makes a header map for an [Observation] out of the fields that each calls its argument
// with.
func Headers(each func(add func(name, value string))) Header {
	out := Header{}
	each(func(name, value string) {
		name = strings.ToLower(name)
		host := slices.ContainsFunc(HostHeaders, func(h string) bool {
			return name == h || strings.HasSuffix(h, "-") && strings.HasPrefix(name, h)
		})
		if (!host || name == "x-envoy-ratelimited") && !strings.HasPrefix(name, ":") {
			out[name] = append(out[name], value)
		}
	})
	return out
}

// Conceal replaces the tokens in all that an exchange holds by their names.
func (e *Exchange) Conceal(m *Minted) {
	headers := []Header{e.Header}
	if e.Upstream != nil {
		e.Upstream.Path = m.Conceal(e.Upstream.Path)
		headers = append(headers, e.Upstream.Header)
	}
	for _, h := range headers {
		for _, values := range h {
			for i := range values {
				values[i] = m.Conceal(values[i])
			}
		}
	}
}

// Volatile are the audit event's members whose values only have a shape.
var volatile = map[string]*regexp.Regexp{
	"timestamp":     regexp.MustCompile(`^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"$`),
	"event_id":      regexp.MustCompile(`^"[0-9a-f]{32}"$`),
	"open_event_id": regexp.MustCompile(`^"[0-9a-f]{32}"$`),
	"duration_ms":   regexp.MustCompile(`^\d{1,6}$`),
	"request_id":    regexp.MustCompile(`^"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"$`),
}

// shaped stands for a volatile value of the right shape.
const shaped = "<shaped>"

// event reads an audit line. Volatile members of the right shape become shaped; those of another
// shape stay, and differ.
func event(line string) (map[string]any, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &raw); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for name, value := range raw {
		if re := volatile[name]; re != nil && re.Match(value) {
			out[name] = shaped
			continue
		}
		var v any
		if name == "metadata" {
			inner, err := event(string(value))
			if err != nil {
				return nil, err
			}
			v = inner
		} else if err := json.Unmarshal(value, &v); err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

// auditKeys are an event's members in their order.
var auditKeys = []string{"timestamp", "event_type", "user_id", "client_id", "is_m2m", "path", "method", "status_code", "ip_address", "user_agent", "metadata"}

// keysOf are the names of a JSON object's members, in order.
func keysOf(line string) (names []string) {
	d := json.NewDecoder(strings.NewReader(line))
	if _, err := d.Token(); err != nil {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return names
		}
		text, _ := name.(string)
		names = append(names, text)
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return names
		}
	}
	return names
}

var label = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)

// MetricName writes a metric as Prometheus does, its labels ordered by name: the form by which
// observations and files agree.
func MetricName(name string, labels map[string]string) string {
	if len(labels) == 0 {
		return name
	}
	var pairs []string
	for label, value := range labels {
		pairs = append(pairs, label+`="`+value+`"`)
	}
	slices.Sort(pairs)
	return name + "{" + strings.Join(pairs, ",") + "}"
}

// ParseMetric reads what MetricName or Prometheus writes.
func ParseMetric(text string) string {
	name, rest, _ := strings.Cut(text, "{")
	labels := map[string]string{}
	for _, m := range label.FindAllStringSubmatch(rest, -1) {
		labels[m[1]] = m[2]
	}
	return MetricName(name, labels)
}

// Compared reports whether a metric's moves are compared: gauges and the counts of JWK Set fetches
// aren't.
func Compared(metric string) bool {
	return strings.HasPrefix(metric, "gatehouse_") && !strings.HasPrefix(metric, "gatehouse_jwks_") &&
		metric != "gatehouse_audit_queue_events"
}

// Late reports whether requests were so late that other answers than the planned ones may be right.
func (o *Observation) Late() bool {
	return slices.ContainsFunc(o.Exchanges, func(of []Exchange) bool {
		return slices.ContainsFunc(of, func(e Exchange) bool { return e.Late >= OnTime })
	})
}
