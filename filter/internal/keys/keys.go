package keys

import (
	"bytes"

	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/ratelimit"
	"gatehouse/core/reason"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/shared"
)

// Outcome is how a fetch ended.
type Outcome uint8

// The outcomes. A Partial set is used, but has keys that can't be.
const (
	Failure Outcome = iota
	Success
	Partial
)

// Owner is told what happens.
type Owner interface {
	// Fetched says how a fetch of this worker's ended.
	Fetched(provider int, how Outcome)
	// Aged says how old a provider's set is.
	Aged(provider int, seconds int64)
}

// Keys are the remote JWK Sets of one plugin instance. It implements core.RemoteKeys.
type Keys struct {
	proxy     proxy.Proxy
	plugin    string // its name, for the log
	owner     Owner
	store     ratelimit.Store
	providers []*provider // by index in the configuration; nil for those that aren't remote
}

type provider struct {
	schedule
	index  int
	name   string
	issuer string
	key    string // in the store
	rec    record // as last seen, without body
	set    *jwks.Set
	setSeq uint32
	wanted bool   // a request asked for a key that the set lacks
	warned string // of these keys, which can't be used
}

const vmID proxy.Path = "plugin_vm_id"

// New prepares the remote providers of the configuration of a plugin (its name) and takes what sets
// there already are. An error is the proxy's status.
func New(px proxy.Proxy, plugin string, cfg *config.Config, owner Owner) (*Keys, error) {
	k := &Keys{proxy: px, plugin: plugin, owner: owner, store: shared.Store{Proxy: px}, providers: make([]*provider, len(cfg.Tokens.Providers))}
	if id, err := px.Property(vmID); err != nil || len(id) == 0 {
		k.store = ratelimit.NewMemoryStore()
	}
	now, err := px.Monotonic()
	if err != nil {
		return nil, err
	}
	for i := range cfg.Tokens.Providers {
		c := &cfg.Tokens.Providers[i]
		if c.Remote == nil {
			continue
		}
		p := &provider{
			schedule: schedule{c.Remote}, index: i, name: c.Name, issuer: c.Issuer,
			key: core.Namespace + "keys/" + c.Remote.Cluster + " " + c.Remote.URI,
		}
		k.providers[i] = p
		k.look(p, now)
	}
	return k, nil
}

// Keys implements core.RemoteKeys.
func (k *Keys) Keys(i int) *jwks.Set { return k.providers[i].set }

// RequestFetch implements core.RemoteKeys. The record may be a tick old; the next tick knows
// better, and lets those go who waited in vain. After a failed fetch nobody waits until one has
// succeeded: each request would wait as long as the fetch takes to fail, again and again.
func (k *Keys) RequestFetch(i int, _ reason.Reason, now clock.Mono) bool {
	p := k.providers[i]
	if p.set != nil && !p.rec.underWay(now) {
		if !p.refetchable(&p.rec, now) {
			return false
		}
		p.wanted = true
	}
	return p.rec.failures == 0
}

// Pending reports whether waiting for a provider's keys may still help.
func (k *Keys) Pending(i int, now clock.Mono) bool {
	p := k.providers[i]
	return p.rec.failures == 0 && (p.set == nil || p.wanted || p.rec.underWay(now))
}

// Deadline is how long a request that arrived at now waits for a provider's keys at most.
func (k *Keys) Deadline(i int, now clock.Mono) clock.Mono { return now.Add(k.providers[i].timeout()) }

// Tick takes what other workers fetched, and fetches what is due unless the configuration is
// drained: then no request has come since an update took its place.
func (k *Keys) Tick(now clock.Mono, drained bool) {
	for _, p := range k.providers {
		if p == nil {
			continue
		}
		k.look(p, now)
		if !drained && p.ripe(&p.rec, now) {
			k.fetch(p, now)
		}
		p.wanted = false
		if p.rec.seq > 0 {
			k.owner.Aged(p.index, now.Since(p.rec.fetchedAt)/second)
		}
	}
}

// ripe reports whether a fetch should begin.
func (p *provider) ripe(r *record, now clock.Mono) bool {
	return !r.underWay(now) && (p.due(r, now) || p.wanted && p.refetchable(r, now))
}

// look takes the shared record, and the set in it if it is new. If the record can't be read the set
// that is there serves on, but no longer than max_stale_seconds.
func (k *Keys) look(p *provider, now clock.Mono) {
	value, _, err := k.store.Get(p.key)
	if err != nil {
		k.dropStale(p, now)
		return
	}
	k.take(p, decode(value, now), now)
}

// update changes the shared record by compare-and-set, unless change says no. It reports whether it
// has.
func (k *Keys) update(p *provider, now clock.Mono, change func(*record) bool) bool {
	for range ratelimit.Tries {
		value, version, err := k.store.Get(p.key)
		if err != nil {
			return false
		}
		rec := decode(value, now)
		if !change(&rec) {
			k.take(p, rec, now)
			return false
		}
		ok, err := k.store.CompareAndSet(p.key, rec.encode(), version)
		switch {
		case err != nil:
			return false
		case ok:
			k.take(p, rec, now)
			return true
		}
	}
	return false
}

// take makes a record the one last seen, and its set the provider's.
func (k *Keys) take(p *provider, rec record, now clock.Mono) {
	if rec.seq != 0 && rec.seq != p.setSeq {
		if set, err := jwks.Parse(bytes.Clone(rec.body)); err == nil {
			p.set, p.setSeq = set, rec.seq
		}
	}
	rec.body = nil
	p.rec = rec
	k.dropStale(p, now)
}

// dropStale stops using a set that is older than max_stale_seconds.
func (k *Keys) dropStale(p *provider, now clock.Mono) {
	if p.set != nil && p.stale(&p.rec, now) {
		k.log(proxy.Error, p, "its JWK Set is older than max_stale_seconds and no longer used")
		p.set = nil
	}
}

// log writes a line about a provider to the proxy's log. It names the plugin too: after an update
// the old configuration may still be at work.
func (k *Keys) log(level proxy.Level, p *provider, line string) {
	if k.plugin != "" {
		line = "plugin " + k.plugin + ": provider " + p.name + ": " + line
	} else {
		line = "provider " + p.name + ": " + line
	}
	proxy.Log(k.proxy, level, line)
}
