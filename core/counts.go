package core

import (
	"gatehouse/core/audit"
	"gatehouse/core/config"
	"gatehouse/core/metrics"
	"gatehouse/core/reason"
)

// counts are the increments since the last Flush. A call of the proxy for each would cost more.
type counts struct {
	pending   []uint64 // by metric
	dirty     []int    // metrics whose pending isn't zero
	durations []int64  // nanoseconds
}

// maxDurations bounds the durations that are kept between two Flushes. If a worker verifies more
// tokens in a tick, the histogram lacks the rest. The counters have them all.
const maxDurations = 65536

func (g *Gate) prepareMetrics() {
	labels := metrics.Labels{
		Version: g.host.Version, PerRoute: g.cfg.Metrics.PerRoute, Observe: g.cfg.Observe, Metadata: len(g.published) > 0,
	}
	for i := range g.cfg.Routes {
		labels.Routes = append(labels.Routes, g.cfg.Routes[i].Name)
	}
	for i := range g.cfg.Limits {
		labels.Rules = append(labels.Rules, g.cfg.Limits[i].Name)
	}
	for i := range g.cfg.Tokens.Providers {
		labels.Providers = append(labels.Providers, g.cfg.Tokens.Providers[i].Name)
	}
	g.metrics = metrics.NewTable(g.cfg.Metrics.Naming, labels)
	g.counts.pending = make([]uint64, g.metrics.Len())
}

// Metrics returns the table that numbers the metrics which Flush reports.
func (g *Gate) Metrics() *metrics.Table { return g.metrics }

// Count adds to a counter. Inlined in its many callers, it would cost the module 6 kB.
//
//go:noinline
func (g *Gate) Count(metric int, n uint64) {
	if n == 0 {
		return
	}
	if g.counts.pending[metric] == 0 {
		g.counts.dirty = append(g.counts.dirty, metric)
	}
	g.counts.pending[metric] += n
}

// Flush reports the increments of counters since the last Flush, and how long the validation of
// each token took, in nanoseconds.
func (g *Gate) Flush(add func(metric int, n uint64), validated func(nanos int64)) {
	for _, m := range g.counts.dirty {
		add(m, g.counts.pending[m])
		g.counts.pending[m] = 0
	}
	g.counts.dirty = g.counts.dirty[:0]
	for _, nanos := range g.counts.durations {
		validated(nanos)
	}
	g.counts.durations = g.counts.durations[:0]
}

// countToken counts whether a token was valid, and how long the validation took.
func (g *Gate) countToken(r *Request, d *Decision, why reason.Reason) {
	switch {
	case why == reason.None:
		g.Count(g.metrics.TokensValidated(), 1)
	case why.OfToken():
		g.Count(g.metrics.TokensFailed(why, d.failed), 1)
	default:
		return
	}
	if len(g.counts.durations) < maxDurations {
		g.counts.durations = append(g.counts.durations, g.host.Mono().Since(r.Mono))
	}
}

// countDecision counts a decision. In observe mode it counts the decision that enforce mode would
// have made.
func (g *Gate) countDecision(d *Decision) {
	what := d.Reason
	if d.WouldBe != reason.None {
		what = d.WouldBe
	}
	g.Count(g.metrics.Requests(d.Route, what), 1)
	if d.identified {
		g.Count(g.metrics.Callers(d.callerKind()), 1)
	}
}

// countEvent counts an audit event.
func (g *Gate) countEvent(t audit.Type) { g.Count(g.metrics.AuditEvents(t), 1) }

// logs reports whether events go anywhere.
func logs(a *config.Audit) bool {
	return a.Enabled && (a.Log != config.LogNone || a.State != "" || a.HTTP != nil)
}
