//go:build wasip1

package keys

import (
	"encoding/binary"
	"strconv"
	"strings"

	"gatehouse/core/jwks"
	"gatehouse/core/ratelimit"
	"gatehouse/filter/internal/host"
)

// Failed fetches are tried again after a second, then after twice as long each time, up to this.
const maxBackoff = 30 * second

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// fetch tries to become the one that fetches, and if so does.
func (k *Keys) fetch(p *provider, now int64) {
	rec := p.rec
	rec.lastAttempt, rec.leaseUntil = now, now+p.lease()
	ok, err := k.store.CompareAndSet(p.key, rec.encode(), p.version)
	if err != nil || !ok {
		k.look(p, now) // another worker was faster
		return
	}
	p.rec = rec
	err = host.Get(p.remote.Cluster, p.remote.Authority, p.remote.Path, uint32(p.remote.TimeoutSeconds)*1000, jwks.MaxBytes,
		func(a host.Answer) { k.fetched(p, a) })
	if err != nil {
		host.Log(host.Error, "gatehouse: provider "+p.name+": no request for its JWK Set can be sent through cluster "+p.remote.Cluster+": "+err.Error())
		k.finish(p, nil, 0)
	}
}

// fetched takes an answer. An answer that isn't a JWK Set with a usable key leaves the old set in place.
func (k *Keys) fetched(p *provider, a host.Answer) {
	if a.Status != 200 {
		host.Log(host.Error, "gatehouse: provider "+p.name+": "+p.remote.URI+": "+statusText(a.Status))
		k.finish(p, nil, 0)
		return
	}
	set, err := jwks.Parse(a.Body)
	switch {
	case err != nil:
		host.Log(host.Error, "gatehouse: provider "+p.name+": "+p.remote.URI+": "+err.Error())
		k.finish(p, nil, 0)
		return
	case len(set.Keys) == 0:
		host.Log(host.Error, "gatehouse: provider "+p.name+": "+p.remote.URI+": a JWK Set without a key that could be used")
		k.finish(p, nil, 0)
		return
	}
	for _, s := range set.Skipped {
		host.Log(host.Warn, "gatehouse: provider "+p.name+": key "+strconv.Itoa(s.Index)+" of the JWK Set is left out: "+s.Why)
	}
	k.finish(p, a.Body, p.interval(a.CacheControl))
}

func statusText(status int) string {
	if status == 0 {
		return "no answer"
	}
	return "status " + strconv.Itoa(status) + ", want 200"
}

// interval is how long after a fetch to fetch again: the answer's max-age (RFC 9111 §5.2.2.1) within min_refetch_seconds
// and refresh_seconds, less up to a tenth, so that a fleet started at once doesn't fetch at once for ever.
func (p *provider) interval(cacheControl string) int64 {
	seconds := p.remote.RefreshSeconds
	if age, ok := maxAge(cacheControl); ok {
		seconds = min(max(age, p.remote.MinRefetchSeconds), p.remote.RefreshSeconds)
	}
	var r [1]byte
	host.Random(r[:])
	return seconds * second * (2560 - int64(r[0])) / 2560
}

// maxAge finds max-age in a Cache-Control header; no-cache and no-store count as 0.
func maxAge(header string) (seconds int64, ok bool) {
	for directive := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.Trim(directive, " \t")), "=")
		switch name {
		case "no-store", "no-cache":
			return 0, true
		case "max-age":
			n, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32)
			if err == nil && n >= 0 {
				seconds, ok = n, true
			}
		}
	}
	return seconds, ok
}

// finish ends this worker's fetch: with a set to share, or without.
func (k *Keys) finish(p *provider, body []byte, interval int64) {
	now := host.Monotonic()
	k.owner.Fetched(p.index, body != nil)
	for range ratelimit.Tries {
		k.look(p, now)
		rec := p.rec
		rec.leaseUntil = 0
		if body != nil {
			rec.seq++
			rec.failures, rec.fetchedAt, rec.next = 0, now, now+interval
			if !k.share(p, rec.seq, body) {
				continue
			}
		} else {
			rec.next = now + min(int64(second)<<min(rec.failures, 10), maxBackoff)
			rec.failures++
		}
		if ok, err := k.store.CompareAndSet(p.key, rec.encode(), p.version); err == nil && ok {
			k.look(p, now)
			return
		}
	}
	host.Log(host.Error, "gatehouse: provider "+p.name+": the fetched JWK Set can't be shared")
}

// share writes the set where adopt finds it.
func (k *Keys) share(p *provider, seq uint32, body []byte) bool {
	name := p.key + " set"
	_, version, err := k.store.Get(name)
	if err != nil {
		return false
	}
	value := append(binary.LittleEndian.AppendUint32(nil, seq), body...)
	ok, err := k.store.CompareAndSet(name, value, version)
	return err == nil && ok
}
