//go:build wasip1

// Package keys fetches JWK Sets through the proxy's clusters. One worker fetches for all: who wins a lease in the shared data.
// All others, the fetcher included, take the set from there. In a VM without a vm_id, where other plugins could write the
// shared data, each VM fetches for itself.
package keys

import (
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/ratelimit"
	"gatehouse/filter/internal/host"
	"gatehouse/filter/internal/shared"
)

// HurryMilliseconds is the tick while requests wait for keys.
const HurryMilliseconds = 20

const second = 1_000_000_000

// Owner is told what happens.
type Owner interface {
	// Hurry asks for the next ticks to come every HurryMilliseconds, or as usual again.
	Hurry(soon bool)
	// Fetched says how a fetch of this worker's ended.
	Fetched(provider int, ok bool)
	// Aged says how old a provider's set is.
	Aged(provider int, seconds int64)
}

// Keys are the remote JWK Sets of one plugin instance. It implements core.RemoteKeys.
type Keys struct {
	owner     Owner
	store     ratelimit.Store
	providers []*provider // by index in the configuration; nil for those that aren't remote
}

type provider struct {
	index   int
	name    string
	remote  *config.Remote
	key     string // in the store
	rec     record
	version ratelimit.Version
	set     *jwks.Set
	setSeq  uint32
	wanted  bool // a request asked for a key that the set lacks
}

// New prepares a configuration's remote providers and takes what sets there already are.
func New(cfg *config.Config, owner Owner) *Keys {
	k := &Keys{owner: owner, store: shared.Store{}, providers: make([]*provider, len(cfg.Tokens.Providers))}
	if id, _ := host.Property(host.NewPath("plugin_vm_id")); len(id) == 0 {
		k.store = ratelimit.NewMemoryStore()
	}
	now := host.Monotonic()
	remote, missing := false, false
	for i := range cfg.Tokens.Providers {
		c := &cfg.Tokens.Providers[i]
		if c.Remote == nil {
			continue
		}
		remote = true
		p := &provider{index: i, name: c.Name, remote: c.Remote, key: "gatehouse/keys/1/" + c.Remote.Cluster + " " + c.Remote.URI}
		k.providers[i] = p
		k.look(p, now)
		missing = missing || p.set == nil
	}
	if remote && missing {
		owner.Hurry(true)
	}
	return k
}

// Keys implements core.RemoteKeys.
func (k *Keys) Keys(i int) *jwks.Set { return k.providers[i].set }

// Want implements core.RemoteKeys.
func (k *Keys) Want(i int, now int64) bool {
	p := k.providers[i]
	switch {
	case p.set == nil, p.underWay(now):
	case !p.refetchable(now):
		return false
	default:
		p.wanted = true
	}
	k.owner.Hurry(true)
	return true
}

// Pending reports whether waiting for a provider's keys may still help.
func (k *Keys) Pending(i int, now int64) bool {
	p := k.providers[i]
	return p.set == nil || p.wanted || p.underWay(now)
}

// Deadline is how long a request that arrived at now waits for a provider's keys at most.
func (k *Keys) Deadline(i int, now int64) int64 {
	return now + k.providers[i].remote.TimeoutSeconds*second
}

func (p *provider) underWay(now int64) bool { return now < p.rec.leaseUntil }

// refetchable bounds the fetches that unknown key ids cause, however many workers or forged tokens ask.
func (p *provider) refetchable(now int64) bool {
	return p.rec.lastAttempt == 0 || now-p.rec.lastAttempt >= p.remote.MinRefetchSeconds*second
}

// Tick takes what other workers fetched, and fetches what is due.
func (k *Keys) Tick(now int64) {
	for _, p := range k.providers {
		if p == nil {
			continue
		}
		k.look(p, now)
		due := now >= p.rec.next || p.wanted && p.refetchable(now)
		if due && !p.underWay(now) {
			k.fetch(p, now)
		}
		p.wanted = false
		if p.rec.seq > 0 {
			k.owner.Aged(p.index, (now-p.rec.fetchedAt)/second)
		}
	}
}

// look reads the shared record and set.
func (k *Keys) look(p *provider, now int64) {
	value, version, err := k.store.Get(p.key)
	if err != nil {
		return
	}
	p.version = version
	p.rec, _ = decode(value)
	if p.rec.fetchedAt > now || p.rec.leaseUntil > now+2*p.lease() {
		p.rec = record{} // not this process's clock: not our record
	}
	if p.rec.seq != p.setSeq && p.rec.seq != 0 {
		k.adopt(p)
	}
	// The set outlives the moment at which it should have been replaced by max_stale_seconds.
	if p.set != nil && now-p.rec.fetchedAt > (p.remote.RefreshSeconds+p.remote.MaxStaleSeconds)*second {
		host.Log(host.Error, "gatehouse: the JWK Set of provider "+p.name+" is too old to be used any longer")
		p.set = nil
	}
}

func (p *provider) lease() int64 { return (p.remote.TimeoutSeconds + 1) * second }

// adopt takes the set that the record speaks of.
func (k *Keys) adopt(p *provider) {
	value, _, err := k.store.Get(p.key + " set")
	if err != nil || len(value) < 4 || le32(value) != p.rec.seq {
		return // being written; the next tick will see it whole
	}
	set, err := jwks.Parse(append([]byte(nil), value[4:]...))
	if err != nil {
		return
	}
	p.set, p.setSeq = set, p.rec.seq
}
