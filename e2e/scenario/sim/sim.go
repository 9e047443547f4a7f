// Package sim runs scenarios against the filter in hostsim: the same module as in Envoy, with a
// clock that jumps, and with faults that no test can provoke in Envoy.
package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gatehouse/cmd/testbed/toy"
	"gatehouse/e2e/scenario"
	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

// plugin is the filter's name in every host.
const plugin = "gate"

// tick is longer than the filter's tick, so that the filter has reported its counters by then.
const tick = time.Second

// runner runs one scenario.
type runner struct {
	s      *scenario.Scenario
	minted *scenario.Minted
	host   *hostsim.Host
	clock  *hostsim.ManualClock
	logged []hostsim.LogEntry
	called []string // what the filter sent to clusters
}

// Run executes a scenario.
func Run(ctx context.Context, module *hostsim.Module, s *scenario.Scenario, issuer *toy.Issuer) (*scenario.Observation, error) {
	start := time.Now().Truncate(time.Second)
	r := &runner{s: s, clock: hostsim.NewManualClock(start)}
	var err error
	if r.minted, err = s.Mint(issuer, start); err != nil {
		return nil, err
	}
	if err := r.open(ctx, module, issuer); err != nil {
		return nil, err
	}
	defer r.host.Close()
	// Keys are fetched at the first tick. In Envoy that has happened by the time it serves.
	r.clock.Advance(tick)
	r.clock.SetWall(start)
	before := r.counters()
	o := &scenario.Observation{Exchanges: make([][]scenario.Exchange, len(s.Steps)), Log: map[string]int{}}
	secrets := s.Secrets(r.minted)
	defer func() { r.findLeaks(secrets, o) }()
	whole, at := true, time.Duration(0)
	for i := range s.Steps {
		step := &s.Steps[i]
		to := time.Duration(step.At * float64(time.Second))
		r.clock.Advance(to - at)
		at = to
		if !step.RunsIn(scenario.Hostsim) {
			whole = false
			continue
		}
		for range step.Times {
			e := r.exchange(step, o)
			o.Leaks = append(o.Leaks, secrets.FindExchange(e)...)
			e.Conceal(r.minted)
			o.Exchanges[i] = append(o.Exchanges[i], *e)
		}
	}
	if !whole {
		o.Log = nil
		return o, nil
	}
	r.clock.Advance(tick)
	o.Metrics = map[string]uint64{}
	for name, n := range r.counters() {
		if n != before[name] {
			o.Metrics[name] = n - before[name]
		}
	}
	return o, nil
}

func (r *runner) open(ctx context.Context, module *hostsim.Module, issuer *toy.Issuer) error {
	config, err := r.s.PluginConfig(issuer.JWKS())
	if err != nil {
		return err
	}
	options := hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: plugin, VMID: "gatehouse", Config: config, Env: r.s.Env, Failure: hostsim.FailReload}},
		Clock:   r.clock,
		Log:     func(e hostsim.LogEntry) { r.logged = append(r.logged, e) },
		Clusters: map[string]hostsim.Cluster{
			"idp": {HTTP: func(context.Context, *hostsim.HTTPCall) (*hostsim.HTTPReply, error) {
				return hostsim.NewHTTPReply(http.StatusOK, string(issuer.JWKS())), nil
			}},
			"nowhere": {HTTP: func(context.Context, *hostsim.HTTPCall) (*hostsim.HTTPReply, error) {
				return nil, errors.New("connection refused")
			}},
		},
	}
	for name, cluster := range options.Clusters {
		options.Clusters[name] = r.recorded(cluster)
	}
	started := false
	status, faulty := map[string]abi.Status{
		scenario.FaultContention: abi.CasMismatch, scenario.FaultStore: abi.InternalFailure,
	}[r.s.Fault]
	if faulty {
		options.Faults.HostCall = func(c hostsim.HostCall) hostsim.Fault {
			if started && c.Name == "proxy_set_shared_data" {
				return hostsim.Fault{Status: status}
			}
			return hostsim.Fault{}
		}
	}
	r.host, err = hostsim.New(ctx, module, options)
	started = true
	if err != nil {
		for _, e := range r.logged {
			err = fmt.Errorf("%w\n%s", err, e.Message)
		}
	}
	return err
}

// recorded keeps what the filter sends to a cluster.
func (r *runner) recorded(cluster hostsim.Cluster) hostsim.Cluster {
	return hostsim.Cluster{HTTP: func(ctx context.Context, call *hostsim.HTTPCall) (*hostsim.HTTPReply, error) {
		r.called = append(r.called, fmt.Sprint(call.Headers), string(call.Body))
		return cluster.HTTP(ctx, call)
	}}
}

// findLeaks looks for secrets in all that the filter logged, sent to clusters and counted.
func (r *runner) findLeaks(secrets *scenario.Secrets, o *scenario.Observation) {
	for _, entry := range r.logged {
		o.Leaks = append(o.Leaks, secrets.Find("the log", entry.Message)...)
	}
	for _, text := range r.called {
		o.Leaks = append(o.Leaks, secrets.Find("a call to a cluster", text)...)
	}
	for name := range r.counters() {
		o.Leaks = append(o.Leaks, secrets.Find("a metric", name)...)
	}
}

// exchange takes a request through the filter and back.
func (r *runner) exchange(step *scenario.Step, o *scenario.Observation) *scenario.Exchange {
	e := &scenario.Exchange{}
	before := len(r.logged)
	stream := r.host.Stream(0, r.request(step))
	if by := step.By; by != nil && by.Before {
		stream.RefuseBefore(local(by))
	} else {
		stream.RequestHeaders(true)
		r.wait(stream)
		if sent := stream.Upstream(); sent.Ended && !stream.State().Over {
			r.answer(step, stream, e)
		}
	}
	state := stream.State()
	e.Details = state.Details
	if got := stream.Downstream(); got.Headers != nil {
		e.Status, _ = strconv.Atoi(got.Status())
		e.Header, e.Body = headers(got.Headers), string(got.Body)
	}
	if events, ok := stream.FilterState("wasm.gatehouse_audit"); ok {
		e.Audit = strings.Split(string(events), "\n")
	}
	r.log(o, e, r.logged[before:])
	return e
}

// wait lets time pass for a request that the filter holds until keys have come, or don't come.
func (r *runner) wait(stream *hostsim.Stream) {
	for range 120 {
		if state := stream.State(); state.Over || !state.RequestPaused {
			return
		}
		r.clock.Advance(100 * time.Millisecond)
	}
}

func (r *runner) request(step *scenario.Step) hostsim.Request {
	q := &step.Request
	req := hostsim.Request{
		Method: q.Verb(), Path: q.Target(r.minted), Authority: q.Authority(), SourceAddress: net.JoinHostPort(q.IP(), "40000"),
	}
	for _, f := range q.Delivered(r.minted) {
		req.Headers = append(req.Headers, hostsim.Header(f))
	}
	if r.s.Around.JWTAuthn != "" {
		metadata := map[string]any{}
		if step.Foreign.Token != "" {
			var claims map[string]any
			if payload, err := r.minted.Payload(step.Foreign.Token); err == nil && json.Unmarshal(payload, &claims) == nil {
				metadata["payload"] = claims
			}
		} else if step.Foreign.Fail != 0 {
			metadata["fail"] = map[string]any{"code": step.Foreign.Fail}
		}
		req.Metadata = map[string]map[string]any{"envoy.filters.http.jwt_authn": metadata}
	}
	return req
}

// answer plays the upstream behind the filter.
func (r *runner) answer(step *scenario.Step, stream *hostsim.Stream, e *scenario.Exchange) {
	if step.By != nil {
		stream.LocalReply(local(step.By))
		return
	}
	sent := stream.Upstream().Headers
	e.Upstream = &scenario.Seen{Method: sent.Get(":method"), Path: sent.Get(":path"), Host: sent.Get(":authority"), Header: headers(sent)}
	switch {
	case step.Request.Leaves:
		stream.Reset(scenario.LeftDetails)
	case step.Answer.Reset:
		stream.Respond(nil)
	default:
		h := hostsim.H(":status", strconv.Itoa(step.Answer.Code()))
		for _, f := range step.Answer.Fields() {
			h.Add(f.Name, f.Value)
		}
		stream.Respond(&hostsim.Message{Headers: h, Body: []byte(scenario.AnswerBody)})
	}
}

func local(by *scenario.Reply) hostsim.LocalReply {
	reply := hostsim.LocalReply{Status: by.Status, Details: by.Details, Body: []byte(by.Body), GRPCStatus: hostsim.GRPCUnset}
	for _, f := range scenario.Fields(by.Headers) {
		reply.Headers = append(reply.Headers, hostsim.Header(f))
	}
	return reply
}

func headers(h *hostsim.Headers) scenario.Header {
	return scenario.Headers(func(add func(name, value string)) {
		for _, f := range h.All() {
			add(f.Name, f.Value)
		}
	})
}

// log counts the audit lines in the log. Where there is no filter state (audit.access_log false),
// the events are taken from there.
func (r *runner) log(o *scenario.Observation, e *scenario.Exchange, entries []hostsim.LogEntry) {
	fromLog := e.Audit == nil
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Message, `{"timestamp"`) {
			continue
		}
		o.Log[strings.ToLower(entry.Level.String())]++
		if fromLog {
			e.Audit = append(e.Audit, entry.Message)
		}
	}
}

// istioLabel is a label as metrics.naming istio writes it, envoyLabel one as envoy writes it.
var (
	istioLabel = regexp.MustCompile(`([a-z_]+)=\.=(.*?);\.;`)
	envoyLabel = regexp.MustCompile(`\.(reason|route|rule|decision|caller|provider|result|event_type)\.([a-z0-9_]+)`)
)

// counters are the host's counters and histogram counts, by the names that Prometheus would show.
func (r *runner) counters() map[string]uint64 {
	out := map[string]uint64{}
	for _, m := range r.host.Metrics().Snapshot() {
		labels := map[string]string{}
		name := m.Name
		for _, re := range []*regexp.Regexp{istioLabel, envoyLabel} {
			for _, match := range re.FindAllStringSubmatch(name, -1) {
				labels[match[1]] = match[2]
			}
			name = re.ReplaceAllString(name, "")
		}
		n := m.Value
		if m.Type == abi.MetricHistogram {
			name, n = name+"_count", m.Count
		}
		if name = scenario.MetricName(name, labels); scenario.Compared(name) && n > 0 {
			out[name] = n
		}
	}
	return out
}
