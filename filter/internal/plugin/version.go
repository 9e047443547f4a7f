package plugin

import (
	"gatehouse/core"
	coremetrics "gatehouse/core/metrics"
	"gatehouse/core/ratelimit"
	"gatehouse/core/version"
	"gatehouse/filter/internal/proxy"
)

// Version is the filter's own. Only tests change it.
var Version = version.Version

const versionKey = core.Namespace + "build/1/version"

// replaceVersion sets gatehouse_build_info of the version that ran before to 0: metrics can't be
// removed.
func (p *plugin) replaceVersion(store ratelimit.Store) {
	own := p.gate.Metrics().Def(p.gate.Metrics().BuildInfo())
	for range ratelimit.Tries {
		before, revision, err := store.Get(versionKey)
		if err != nil || string(before) == own.Full {
			return
		}
		old, ok := coremetrics.ParseName(string(before))
		done, err := store.CompareAndSet(versionKey, []byte(own.Full), revision)
		if err != nil {
			return
		}
		if !done {
			continue
		}
		if ok && old.Name == own.Name {
			if id, err := p.proxy.DefineMetric(proxy.MetricKind(old.Kind), old.Full); err == nil {
				_ = p.proxy.RecordMetric(id, 0)
			}
		}
		return
	}
}
