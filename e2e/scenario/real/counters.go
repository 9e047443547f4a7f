package real

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/e2e/scenario"
)

const (
	// lag is three times the second by which counters may lag (docs/reference.md), for a busy
	// machine.
	lag = 3 * time.Second
	// patience is how long counters have to reach a total that is known.
	patience = 30 * time.Second
)

// moved returns by how much counters moved since the last scenario. It returns as soon as they
// moved as wanted, or after the longest time by which they may lag.
func (p *Proxy) moved(ctx context.Context, want map[string]uint64) (map[string]uint64, error) {
	wait := lag
	if want != nil {
		wait = patience
	}
	for end := time.Now().Add(wait); ; {
		now, err := p.readCounters(ctx)
		if err != nil {
			return nil, err
		}
		moved := map[string]uint64{}
		for name, n := range now {
			if n != p.counters[name] {
				moved[name] = n - p.counters[name]
			}
		}
		if want != nil && maps.Equal(moved, want) || time.Now().After(end) {
			p.counters = now
			return moved, nil
		}
		if err := sleep(ctx, 40*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// Rest returns the counters that moved after the last scenario had ended: there must be none.
func (p *Proxy) Rest(ctx context.Context) (map[string]uint64, error) { return p.moved(ctx, nil) }

// readCounters reads the counters as Prometheus does.
func (p *Proxy) readCounters(ctx context.Context) (map[string]uint64, error) {
	text, err := p.process.Admin(ctx, http.MethodGet, "/stats/prometheus?filter=gatehouse")
	if err != nil {
		return nil, err
	}
	out := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "gatehouse_") {
			continue
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		name = scenario.ParseMetric(name)
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || !scenario.Compared(name) || strings.Contains(name, "_bucket") || strings.HasSuffix(name, "_sum") {
			continue
		}
		out[name] += n // two of Envoy's stats, named in both ways, are one metric to Prometheus
	}
	return out, nil
}
