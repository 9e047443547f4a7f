//go:build wasip1

package keys

import (
	"strconv"
	"strings"

	"gatehouse/core/jwks"
	"gatehouse/filter/internal/host"
)

// fetch tries to become the one that fetches, and if so does.
func (k *Keys) fetch(p *provider, now int64) {
	until := now + p.lease()
	won := k.update(p, now, func(r *record) bool {
		if !p.ripe(r, now) {
			return false // another worker was faster
		}
		r.lastAttempt, r.leaseUntil = now, until
		return true
	})
	if !won {
		return
	}
	scheme, _, _ := strings.Cut(p.remote.URI, ":")
	err := host.Get(p.remote.Cluster, scheme, p.remote.Authority, p.remote.Path, uint32(p.remote.TimeoutSeconds)*1000, jwks.MaxBytes,
		func(a host.Answer) { k.fetched(p, until, a) })
	if err != nil {
		k.failed(p, until, "no request can be sent through cluster "+p.remote.Cluster+": "+err.Error())
	}
}

// fetched takes an answer. One that isn't a JWK Set with a usable key leaves the old set in place.
func (k *Keys) fetched(p *provider, lease int64, a host.Answer) {
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
	p.warn(set.Skipped)
	k.owner.Fetched(p.index, how)
	now := host.Monotonic()
	shared := k.update(p, now, func(r *record) bool {
		r.release(lease)
		r.seq = max(r.seq+1, 1)
		r.failures, r.fetchedAt, r.maxAge, r.body = 0, now, maxAge(a.CacheControl), a.Body
		return true
	})
	if !shared {
		host.Log(host.Error, "gatehouse: provider "+p.name+": the fetched JWK Set can't be shared")
	}
}

// failed says why a fetch brought nothing.
func (k *Keys) failed(p *provider, lease int64, why string) {
	host.Log(host.Error, "gatehouse: provider "+p.name+": "+p.remote.URI+": "+why)
	k.owner.Fetched(p.index, Failure)
	k.update(p, host.Monotonic(), func(r *record) bool {
		r.release(lease)
		r.failures = min(r.failures+1, 1000)
		return true
	})
}

// release ends a lease, unless another worker has taken over since.
func (r *record) release(lease int64) {
	if r.leaseUntil == lease {
		r.leaseUntil = 0
	}
}

// warn names the keys that are left out, once as long as they stay the same.
func (p *provider) warn(skipped []jwks.Skipped) {
	text := ""
	for _, s := range skipped {
		text += "; key " + strconv.Itoa(s.Index) + ": " + s.Why
	}
	if text != "" && text != p.warned {
		host.Log(host.Warn, "gatehouse: provider "+p.name+": keys of the JWK Set are left out"+text)
	}
	p.warned = text
}

func statusText(status int) string {
	if status == 0 {
		return "no answer"
	}
	return "status " + strconv.Itoa(status) + ", want 200"
}
