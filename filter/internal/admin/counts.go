package admin

import (
	"gatehouse/core/clock"
	"gatehouse/core/metrics"
)

// series are the counters and gauges that gates count, and all that count tokens: those may be
// asked about before any token has come.
func (a *API) series() []metrics.Def {
	var defs []metrics.Def
	known := map[string]bool{}
	add := func(d metrics.Def) {
		if d.Kind != metrics.Histogram && !known[d.Full] {
			known[d.Full] = true
			defs = append(defs, d)
		}
	}
	table := a.gate.Metrics()
	for i := range table.Tokens() {
		add(table.Def(i))
	}
	a.eachLine(namesKey, func(line []byte) {
		if d, ok := metrics.ParseName(string(line)); ok {
			add(d)
		}
	})
	return defs
}

// stats shows every counter and gauge.
func (a *API) stats(*Request, string) Response {
	defs := a.series()
	body := text(`{"counters":[`)
	a.appendSeries(&body, defs, metrics.Counter)
	body.add(`],"gauges":[`)
	a.appendSeries(&body, defs, metrics.Gauge)
	return ofJSON(200, body, "]}")
}

func (a *API) appendSeries(body *text, defs []metrics.Def, kind metrics.Kind) {
	count := 0
	for i := range defs {
		d := &defs[i]
		value, ok := uint64(0), false
		if d.Kind == kind {
			value, ok = a.proxy.Value(d.Kind, d.Full)
		}
		if !ok {
			continue
		}
		body.next(count)
		count++
		body.quoted(`{"name":`, d.Name)
		body.add(`,"labels":{`)
		for j, l := range d.Labels {
			body.next(j)
			body.quoted("", l.Name)
			body.quoted(":", l.Value)
		}
		body.number(`},"value":`, value)
		body.add("}")
	}
}

// totals are the counts of all workers since the first gate.
func (a *API) totals(mono clock.Mono) metrics.Snapshot {
	var s metrics.Snapshot
	for _, d := range a.series() {
		count, ok := uint64(0), false
		if d.Name == metrics.TokensValidatedName || d.Name == metrics.TokensFailedName {
			count, ok = a.proxy.Value(d.Kind, d.Full)
		}
		if !ok {
			continue
		}
		if d.Name == metrics.TokensValidatedName {
			s.Validated += count
			continue
		}
		for _, l := range d.Labels {
			if l.Name == "reason" {
				s.AddError(l.Value, count)
			}
		}
	}
	_ = s.Durations.Parse(read(a.store, durationsKey)) // what can't be read is empty
	s.Uptime = int64(mono)
	return s
}

// snapshot is what has been counted since the last reset.
func (a *API) snapshot(mono clock.Mono) metrics.Snapshot {
	s := a.totals(mono)
	base, ok := decodeBaseline(read(a.store, baselineKey))
	if !ok || base.started > mono {
		base = baseline{started: a.started}
	}
	base.Uptime = int64(base.started)
	s.Since(&base.Snapshot)
	return s
}

func (a *API) metrics(r *Request, _ string) Response {
	s := a.snapshot(r.Mono)
	return ofJSON(200, s.AppendJSON(nil), "")
}

func (a *API) prometheus(r *Request, _ string) Response {
	s := a.snapshot(r.Mono)
	return Response{Status: 200, Headers: headersOfText, Body: s.AppendPrometheus(nil)}
}

// resetMetrics makes what has been counted so far the new baseline.
func (a *API) resetMetrics(r *Request, _ string) Response {
	base := baseline{started: r.Mono, Snapshot: a.totals(r.Mono)}
	err := update(a.store, baselineKey, func([]byte) ([]byte, bool) { return base.encode(), true })
	if err != nil {
		return Unavailable()
	}
	return done()
}
