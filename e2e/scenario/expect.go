package scenario

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Expect says what a request must get.
type Expect struct {
	// Status is the response's; 0 if the client must get none.
	Status int `yaml:"status"`
	// Reason is that of a refusal by Gatehouse; "" for an admitted request, which must reach the
	// upstream.
	Reason string `yaml:"reason"`
	// Answer is the body of what Gatehouse answers itself, the metadata of a protected resource;
	// the request must not reach the upstream. Null for others.
	Answer *string `yaml:"answer"`
	// Detail is the text in a refusal's body.
	Detail string `yaml:"detail"`
	// Headers are those of the response: its only value, "~" and a regular expression for its only
	// value, or null for absence.
	Headers map[string]*string `yaml:"headers"`
	// Upstream are headers as the upstream must see them, and in ":path" and ":authority" the rest,
	// in the same way.
	Upstream map[string]*string `yaml:"upstream"`
	// Who is the caller that identity headers and audit events must name: a name in common.yaml,
	// "anonymous", or "" for an unknown caller.
	Who string `yaml:"who"`
	// Event is the audit event's type, "none" if there must be no event of the request's own.
	Event string `yaml:"event"`
	// Opened says that there is an event at the admission too, in the log.
	Opened bool `yaml:"opened"`
	// Route is the route in the event's metadata.
	Route string `yaml:"route"`
	// Metadata are more members of the event's metadata, null for one that isn't known; Audit are
	// members of the event that aren't what the request says.
	Metadata map[string]any `yaml:"metadata"`
	Audit    map[string]any `yaml:"audit"`
	// Custom are the upstream's own events: event_type and metadata.
	Custom []map[string]any `yaml:"custom"`
	// Details are Envoy's response code details, where they aren't gatehouse_REASON or
	// via_upstream.
	Details string `yaml:"details"`
}

// nonAlnum matches what servers that follow CGI read as one and the same byte.
var nonAlnum = regexp.MustCompile("[^a-z0-9]")

const (
	anonymous     = "anonymous"
	defaultPrefix = "x-gatehouse-"
	noEvent       = "none"
)

// Check holds an observation against the scenario's expectations.
func (s *Scenario) Check(runner string, o *Observation) (problems []string) {
	events, opened := 0, 0
	for i := range s.Steps {
		step := &s.Steps[i]
		for j := range o.Exchanges[i] {
			e := &o.Exchanges[i][j]
			events += len(e.Audit)
			if step.Expect.Opened {
				opened++
			}
			for _, p := range s.checkExchange(step, e) {
				problems = append(problems, fmt.Sprintf("step %d.%d (%s %s): %s", i+1, j+1, step.Request.method(), step.Request.Path, p))
			}
		}
	}
	problems = append(problems, s.checkChain(o)...)
	for _, leak := range o.Leaks {
		problems = append(problems, "leak: "+leak)
	}
	if o.Metrics != nil {
		want := map[string]uint64{}
		for name, n := range s.Metrics {
			want[ParseMetric(name)] = n
		}
		got := maps.Clone(o.Metrics)
		// The histogram has one entry for each token that was verified.
		delete(got, durationCount)
		problems = append(problems, differences("metric ", want, got)...)
	}
	if o.Log != nil {
		level := s.Log
		if level == "" {
			level = "info"
		}
		want := map[string]int{}
		if level != "none" && events+opened > 0 {
			want[level] = events + opened
		}
		problems = append(problems, differences("audit lines in the log at level ", want, o.Log)...)
	}
	return problems
}

const durationCount = "gatehouse_validation_duration_us_count"

func differences[V comparable](what string, want, got map[string]V) (out []string) {
	names := map[string]bool{}
	for name := range want {
		names[name] = true
	}
	for name := range got {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if want[name] != got[name] {
			out = append(out, fmt.Sprintf("%s%s: want %v, got %v", what, name, want[name], got[name]))
		}
	}
	return out
}

func (r *Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func (s *Scenario) checkExchange(step *Step, e *Exchange) (problems []string) {
	want := step.Expect
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if e.Status != want.Status {
		bad("status: want %d, got %d", want.Status, e.Status)
	}
	for _, name := range slices.Sorted(maps.Keys(want.Headers)) {
		if err := matches(name, want.Headers[name], e.Header[name], e); err != "" {
			bad("header %s: %s", name, err)
		}
	}
	details := want.Details
	switch {
	case details != "":
	case want.Reason != "":
		details = "gatehouse_" + want.Reason
	case want.Answer != nil:
		details = "gatehouse_resource_metadata"
	default:
		details = "via_upstream"
	}
	if e.Details != details {
		bad("response code details: want %s, got %s", details, e.Details)
	}
	if want.Reason != "" {
		problems = append(problems, checkRefusal(want, e)...)
	} else if want.Answer != nil {
		if e.Upstream != nil {
			bad("answered, but it reached the upstream")
		}
		if e.Body != *want.Answer {
			bad("body: want %s, got %s", *want.Answer, e.Body)
		}
	} else if step.By == nil {
		problems = append(problems, s.checkUpstream(want, e)...)
	}
	return append(problems, s.checkAudit(step, e)...)
}

// checkUpstream checks the request at the upstream: the headers that the file names, and every
// header that could be taken for an identity header.
func (s *Scenario) checkUpstream(want *Expect, e *Exchange) (problems []string) {
	if e.Upstream == nil {
		return []string{"it didn't reach the upstream"}
	}
	if e.Header["x-audit-event"] != nil {
		problems = append(problems, "the client got an x-audit-event")
	}
	expected := map[string]*string{}
	if s.Prefix != noIdentity {
		for name, value := range s.identity(want.Who) {
			expected[name] = &value
		}
		for name := range e.Upstream.Header {
			if plain := nonAlnum.ReplaceAllString(name, "-"); strings.HasPrefix(plain, s.prefix()) && expected[name] == nil && want.Upstream[name] == nil {
				problems = append(problems, "the upstream saw an identity header of nobody's: "+name)
			}
		}
	}
	maps.Copy(expected, want.Upstream)
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		got := e.Upstream.Header[name]
		switch name {
		case ":path":
			got = []string{e.Upstream.Path}
		case ":authority":
			got = []string{e.Upstream.Host}
		}
		if err := matches(name, expected[name], got, e); err != "" {
			problems = append(problems, fmt.Sprintf("upstream's header %s: %s", name, err))
		}
	}
	return problems
}

const noIdentity = "none"

func (s *Scenario) prefix() string {
	if s.Prefix == "" {
		return defaultPrefix
	}
	return s.Prefix
}

// identity are the identity headers of a caller.
func (s *Scenario) identity(who string) map[string]string {
	c, _ := s.caller(who)
	if who == anonymous {
		c.Kind = anonymous
	}
	out := map[string]string{}
	for name, value := range map[string]string{"user-id": c.UserID, "client-id": c.ClientID, "caller": c.Kind, "issuer": c.Issuer} {
		if value != "" {
			out[s.prefix()+name] = value
		}
	}
	for name, value := range c.Headers {
		out[s.prefix()+name] = value
	}
	return out
}

// matches compares the values of a header with the file's expectation, and returns the difference
// in words.
func matches(name string, want *string, got []string, e *Exchange) string {
	switch {
	case want == nil:
		if got != nil {
			return fmt.Sprintf("want none, got %q", got)
		}
	case len(got) != 1:
		return fmt.Sprintf("want %q alone, got %q", *want, got)
	case strings.HasPrefix(*want, "~"):
		re, err := regexp.Compile("^(?:" + (*want)[1:] + ")$")
		if err != nil {
			return err.Error()
		}
		if !re.MatchString(got[0]) {
			return fmt.Sprintf("want %s, got %q", *want, got[0])
		}
	case !same(name, *want, got[0], e.Late):
		return fmt.Sprintf("want %q, got %q", *want, got[0])
	}
	return ""
}

func (s *Scenario) checkAudit(step *Step, e *Exchange) (problems []string) {
	var want []map[string]any
	if step.Expect.Event != noEvent {
		want = append(want, s.event(step, step.Expect.Event, nil))
	}
	for _, custom := range step.Expect.Custom {
		kind, _ := custom["event_type"].(string)
		members, _ := custom["metadata"].(map[string]any)
		want = append(want, s.event(step, kind, members))
	}
	if len(want) != len(e.Audit) {
		return []string{fmt.Sprintf("audit: want %d events, got %q", len(want), e.Audit)}
	}
	for i, line := range e.Audit {
		line = withoutChain(line)
		got, err := event(line)
		if err != nil {
			problems = append(problems, fmt.Sprintf("audit: %v in %s", err, line))
			continue
		}
		if keys := keysOf(line); !slices.Equal(keys, auditKeys) {
			problems = append(problems, fmt.Sprintf("audit: want members %q, got %q", auditKeys, keys))
		}
		problems = append(problems, unlike("audit: ", want[i], got)...)
	}
	return problems
}

// event is the audit event that a step must cause.
func (s *Scenario) event(step *Step, kind string, more map[string]any) map[string]any {
	want := step.Expect
	path, _, _ := strings.Cut(step.Request.Path, "?")
	out := map[string]any{
		"timestamp": shaped, "event_type": kind, "user_id": nil, "client_id": nil, "is_m2m": false,
		"path": path, "method": step.Request.method(), "status_code": float64(want.Status), "ip_address": "127.0.0.1", "user_agent": nil,
	}
	if step.Request.Source != "" {
		out["ip_address"] = step.Request.Source
	}
	for _, h := range step.Request.Headers {
		if name, value, _ := strings.Cut(h, ": "); strings.EqualFold(name, "user-agent") {
			out["user_agent"] = value
		}
	}
	metadata := map[string]any{
		"event_id": shaped, "reason": nil, "route": nil, "rule": nil, "caller": nil, "issuer": nil, "m2m_evidence": nil,
		"duration_ms": shaped, "request_id": shaped,
	}
	set := func(in map[string]any, name, value string) {
		if value != "" {
			in[name] = value
		}
	}
	set(metadata, "reason", want.Reason)
	set(metadata, "route", want.Route)
	if want.Opened {
		metadata["open_event_id"] = shaped
	}
	why := want.Reason
	if word, ok := want.Metadata["would_be"].(string); ok {
		why = word
	}
	if lacks := s.required(want.Route, why); lacks != nil {
		metadata["required"] = lacks
	}
	if want.Who == anonymous {
		metadata["caller"] = anonymous
	}
	if c, ok := s.caller(want.Who); ok {
		set(out, "user_id", c.UserID)
		set(out, "client_id", c.ClientID)
		out["is_m2m"] = c.Kind == "machine"
		set(metadata, "caller", c.Kind)
		set(metadata, "issuer", c.Issuer)
		set(metadata, "m2m_evidence", c.Evidence)
	} else {
		userID, clientID, issuer := s.holder(step)
		set(out, "user_id", userID)
		set(out, "client_id", clientID)
		set(metadata, "issuer", issuer)
	}
	for _, members := range []map[string]any{want.Metadata, more} {
		for name, value := range members {
			metadata[name] = number(value)
		}
	}
	for name, value := range want.Audit {
		out[name] = number(value)
	}
	out["metadata"] = metadata
	return out
}

// number converts YAML's integers to JSON's numbers.
func number(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = number(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name := range v {
			out[name] = number(v[name])
		}
		return out
	}
	return v
}

// unlike lists the members that have other values.
func unlike(what string, want, got map[string]any) (out []string) {
	names := map[string]bool{}
	for name := range want {
		names[name] = true
	}
	for name := range got {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		w, inWant := want[name]
		g, inGot := got[name]
		if name == "metadata" && inWant && inGot {
			wm, _ := w.(map[string]any)
			gm, _ := g.(map[string]any)
			out = append(out, unlike(what+"metadata.", wm, gm)...)
			continue
		}
		if inWant != inGot || !reflect.DeepEqual(w, g) {
			out = append(out, fmt.Sprintf("%s%s: want %s, got %s", what, name, shown(w, inWant), shown(g, inGot)))
		}
	}
	return out
}

func shown(v any, there bool) string {
	if !there {
		return "none"
	}
	return fmt.Sprintf("%#v", v)
}

// Kind is a caller's: human, machine, unknown, anonymous, or "" for one who isn't known.
func (s *Scenario) Kind(who string) string {
	if who == anonymous {
		return anonymous
	}
	c, _ := s.caller(who)
	return c.Kind
}
