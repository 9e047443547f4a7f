package keys

import (
	"slices"
	"strconv"
	"strings"

	"gatehouse/core/clock"
	"gatehouse/core/jwks"
	"gatehouse/filter/internal/proxy"
)

// fetch tries to become the one that fetches, and if so does.
func (k *Keys) fetch(p *provider, now clock.Mono) {
	until := now.Add(p.lease())
	won := k.update(p, now, func(r *record) bool {
		if !p.ripe(r, now) {
			return false // another worker was faster
		}
		if r.leaseUntil != 0 {
			r.failures = min(r.failures+1, maxFailures) // the last one fetching never told
		}
		r.lastAttempt, r.leaseUntil = now, until
		return true
	})
	if !won {
		return
	}
	scheme, _, _ := strings.Cut(p.remote.URI, ":")
	get := proxy.Get{
		Cluster: p.remote.Cluster, Scheme: scheme, Authority: p.remote.Authority, Path: p.remote.Path,
		TimeoutMilliseconds: uint32(p.remote.TimeoutSeconds) * 1000, MaxBody: jwks.MaxBytes,
	}
	err := get.Send(k.proxy, func(a proxy.Answer) { k.fetched(p, until, a) })
	if err != nil {
		k.failed(p, until, "no request can be sent through cluster "+p.remote.Cluster+": "+err.Error())
	}
}

// fetched takes an answer. One that isn't a JWK Set with a usable key leaves the old set in place.
func (k *Keys) fetched(p *provider, lease clock.Mono, a proxy.Answer) {
	switch {
	case a.Status != 200:
		k.failed(p, lease, statusText(a.Status))
		return
	case a.TooLarge:
		k.failed(p, lease, "more than "+strconv.Itoa(jwks.MaxBytes)+" bytes")
		return
	}
	set, err := jwks.Parse(a.Body)
	switch {
	case err != nil:
		k.failed(p, lease, err.Error())
		return
	case len(set.Keys) == 0:
		k.failed(p, lease, "a JWK Set without a key that could be used")
		return
	}
	how := Success
	if len(set.Skipped) > 0 {
		how = Partial
	}
	k.warn(p, set)
	now, err := k.proxy.Monotonic()
	if err != nil {
		k.failed(p, lease, "the clock: "+err.Error())
		return
	}
	k.owner.Fetched(p.index, how)
	shared := k.update(p, now, func(r *record) bool {
		r.release(lease)
		r.seq = max(r.seq+1, 1)
		r.failures, r.fetchedAt, r.maxAge, r.body = 0, now, maxAge(a.CacheControl), a.Body
		return true
	})
	if !shared {
		k.log(proxy.Error, p, "the fetched JWK Set can't be shared")
	}
}

// failed says why a fetch brought nothing.
func (k *Keys) failed(p *provider, lease clock.Mono, why string) {
	k.log(proxy.Error, p, p.remote.URI+": "+why)
	k.owner.Fetched(p.index, Failure)
	now, err := k.proxy.Monotonic()
	if err != nil {
		return // the lease runs out by itself
	}
	k.update(p, now, func(r *record) bool {
		r.release(lease)
		r.failures = min(r.failures+1, maxFailures)
		return true
	})
}

// maxFailures bounds the count; the back-off is at its longest long before.
const maxFailures = 1000

// release ends a lease, unless another worker has taken over since.
func (r *record) release(lease clock.Mono) {
	if r.leaseUntil == lease {
		r.leaseUntil = 0
	}
}

// warn names the keys that are left out and a kid that several keys have, once as long as they stay the same.
func (k *Keys) warn(p *provider, set *jwks.Set) {
	text := ""
	for _, s := range set.Skipped {
		text += "; key " + strconv.Itoa(s.Index) + ": " + s.Why
	}
	if text != "" {
		text = "keys of the JWK Set are left out" + text
	}
	if kid := sharedKeyID(set); kid != "" && text == "" {
		text = "several keys of the JWK Set have the kid " + strconv.Quote(kid) + "; each that fits a token is tried"
	} else if kid != "" {
		text += "; several keys have the kid " + strconv.Quote(kid)
	}
	if text != "" && text != p.warned {
		k.log(proxy.Warn, p, text)
	}
	p.warned = text
}

// sharedKeyID finds a kid that more than one key has.
func sharedKeyID(set *jwks.Set) string {
	for i, key := range set.Keys {
		if key.ID != "" && slices.ContainsFunc(set.Keys[:i], func(other *jwks.Key) bool { return other.ID == key.ID }) {
			return key.ID
		}
	}
	return ""
}

func statusText(status int) string {
	if status == 0 {
		return "no answer"
	}
	return "status " + strconv.Itoa(status) + ", want 200"
}
