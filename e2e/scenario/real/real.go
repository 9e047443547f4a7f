// Package real runs scenarios against the filter in Envoy, as started from the repo's own
// envoy.yaml: each scenario on a listener of its own, one after the other, in real time.
package real

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
	"gatehouse/e2e/scenario"
)

// Proxy is an Envoy with a listener for each of some scenarios.
type Proxy struct {
	process  *envoy.Process
	upstream *upstream
	issuer   *toy.Issuer
	names    map[*scenario.Scenario]string
	counters map[string]uint64 // when the last scenario ended
	stdout   int               // lines of the access log read so far
	stderr   int
}

// Start starts an Envoy for scenarios.
func Start(ctx context.Context, binary envoy.Binary, wasm string, issuer *toy.Issuer, scenarios []*scenario.Scenario) (*Proxy, error) {
	root, err := envoy.RepoRoot()
	if err != nil {
		return nil, err
	}
	p := &Proxy{issuer: issuer, names: map[*scenario.Scenario]string{}}
	for i, s := range scenarios {
		p.names[s] = "s" + strconv.Itoa(i)
	}
	if p.upstream, err = startUpstream(); err != nil {
		return nil, err
	}
	p.process, err = envoy.Start(ctx, envoy.Options{
		Binary: binary, Config: filepath.Join(root, "envoy.yaml"), Wasm: wasm,
		Edits: edits(scenarios, func(s *scenario.Scenario) string { return p.names[s] }, issuer, p.upstream.address),
	})
	if err != nil {
		_ = p.upstream.server.Close()
		return nil, err
	}
	if p.counters, err = p.readCounters(ctx); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// Stop ends Envoy.
func (p *Proxy) Stop() {
	_ = p.process.Stop()
	_ = p.upstream.server.Close()
}

// Run executes a scenario. want are the counters that the scenario should move. They lag, so the
// runner looks again until they have moved or the time for it is over. If want is nil, it waits for
// the whole time.
func (p *Proxy) Run(ctx context.Context, s *scenario.Scenario, want map[string]uint64) (*scenario.Observation, error) {
	begin := time.Now()
	minted, err := s.Mint(p.issuer, begin.Truncate(time.Second))
	if err != nil {
		return nil, err
	}
	o := &scenario.Observation{Exchanges: make([][]scenario.Exchange, len(s.Steps))}
	secrets := s.Secrets(minted)
	stdout, stderr := p.stdout, p.stderr
	whole := true
	var sent []request
	for i := range s.Steps {
		step := &s.Steps[i]
		if !step.RunsIn(scenario.Envoy) {
			whole = false
			continue
		}
		planned := begin.Add(time.Duration(step.At * float64(time.Second)))
		if err := sleep(ctx, time.Until(planned)); err != nil {
			return nil, err
		}
		o.Exchanges[i] = make([]scenario.Exchange, step.Times)
		for j := range o.Exchanges[i] {
			e := &o.Exchanges[i][j]
			if err := p.exchange(ctx, s, step, minted, e); err != nil {
				return nil, fmt.Errorf("step %d: %w", i+1, err)
			}
			o.Leaks = append(o.Leaks, secrets.FindExchange(e)...)
			e.Conceal(minted)
			sent = append(sent, request{e, planned})
		}
	}
	ids, err := p.accessLog(ctx, s, sent)
	if err != nil {
		return nil, err
	}
	if !whole {
		want = nil
	}
	moved, err := p.moved(ctx, want)
	if err != nil {
		return nil, err
	}
	p.log(s, o, ids)
	o.Leaks = append(o.Leaks, p.leaks(secrets, stdout, stderr)...)
	if o.Metrics = moved; !whole {
		o.Metrics, o.Log = nil, nil
	}
	return o, nil
}

// leaks looks for secrets in the lines of Envoy's log and of its access log since the scenario's
// beginning, and in the names of all metrics.
func (p *Proxy) leaks(secrets *scenario.Secrets, stdout, stderr int) (found []string) {
	for _, line := range p.process.Stdout.Lines()[stdout:] {
		found = append(found, secrets.Find("the access log", line)...)
	}
	for _, line := range p.process.Log.Lines()[stderr:] {
		found = append(found, secrets.Find("Envoy's log", line)...)
	}
	for name := range p.counters {
		found = append(found, secrets.Find("a metric", name)...)
	}
	return found
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// request is one that was sent, and when it was to be.
type request struct {
	*scenario.Exchange
	planned time.Time
}

// accessLog reads the lines of a scenario's requests, and returns the exchanges by Envoy's ids of
// their requests. It also finds out how late they were, by Envoy's clock readings, since a busy
// machine may delay this process.
func (p *Proxy) accessLog(ctx context.Context, s *scenario.Scenario, sent []request) (map[string]*scenario.Exchange, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ids := map[string]*scenario.Exchange{}
	late := time.Duration(0)
	for _, r := range sent {
		line, next, err := p.process.Stdout.Wait(ctx, p.stdout, func(string) bool { return true })
		if err != nil {
			return nil, fmt.Errorf("access log: %w", err)
		}
		p.stdout = next
		var entry struct {
			Listener, Start, Details, Audit, ID string
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			return nil, fmt.Errorf("access log: %w in %s", err, line)
		}
		if entry.Listener != p.names[s] {
			return nil, fmt.Errorf("access log: want a line of listener %s, got %s", p.names[s], line)
		}
		began, err := time.Parse(startLayout, entry.Start)
		if err != nil {
			return nil, fmt.Errorf("access log: %w", err)
		}
		late = max(late, began.Sub(r.planned))
		r.Late = late
		r.Details = entry.Details
		if entry.Audit != "" {
			r.Audit = strings.Split(entry.Audit, "\n")
		}
		ids[entry.ID] = r.Exchange
	}
	return ids, nil
}

// logged is a line of Envoy's log that a plugin wrote: level, plugin, text.
var logged = regexp.MustCompile(`^\[[^]]*\]\[\d+\]\[(\w+)\]\[wasm\] \[[^]]*\] wasm log (\S+)[^:]*: (.*)$`)

// log counts the audit lines in Envoy's log. Where the access log has none (audit.access_log
// false), the events are taken from there.
func (p *Proxy) log(s *scenario.Scenario, o *scenario.Observation, ids map[string]*scenario.Exchange) {
	o.Log = map[string]int{}
	lines := p.process.Log.Lines()
	for _, line := range lines[p.stderr:] {
		m := logged.FindStringSubmatch(line)
		if m == nil || m[2] != p.names[s] || !strings.HasPrefix(m[3], `{"timestamp"`) {
			continue
		}
		level := m[1]
		if level == "warning" {
			level = "warn"
		}
		o.Log[level]++
		if strings.Contains(m[3], `"phase":"open"`) {
			continue // the access log has no such events
		}
		var event struct {
			Metadata struct {
				ID string `json:"request_id"`
			} `json:"metadata"`
		}
		if json.Unmarshal([]byte(m[3]), &event) != nil {
			continue
		}
		if e := ids[event.Metadata.ID]; e != nil && !contains(e.Audit, m[3]) {
			e.Audit = append(e.Audit, m[3])
		}
	}
	p.stderr = len(lines)
}

func contains(lines []string, line string) bool {
	for _, l := range lines {
		if l == line {
			return true
		}
	}
	return false
}
