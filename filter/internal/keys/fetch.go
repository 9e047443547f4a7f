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
	var before record
	won := k.update(p, now, func(r *record) bool {
		if !p.ripe(r, now) {
			return false // another worker was faster
		}
		before = *r
		if r.leaseUntil != 0 {
			r.failures = min(r.failures+1, maxFailures) // the last one fetching never told
		}
		r.lastAttempt, r.leaseUntil = now, until
		return true
	})
	if !won {
		return
	}
	f := &fetching{keys: k, p: p, lease: until, began: now, uri: p.remote.URI, path: p.remote.Path}
	if !p.remote.Discovery {
		f.get(jwks.MaxBytes, f.keySet)
		return
	}
	if p.documentDue(&before, now) {
		f.get(maxDocument, f.document)
		return
	}
	f.found(before.path)
	f.get(jwks.MaxBytes, f.keySet)
}

// fetching is a fetch under way: of an OpenID configuration first, if the provider has
// jwks.discovery, then of the set.
type fetching struct {
	keys      *Keys
	p         *provider
	lease     clock.Mono // until when the lease lasts: it tells this fetch from others
	began     clock.Mono
	uri, path string // of what is being fetched
	setPath   string // where an OpenID configuration says the set is, if it was fetched
}

// get asks for uri, whose path is f.path. Both parts of a fetch share its timeout.
func (f *fetching) get(maxBody int, done func(now clock.Mono, a proxy.Answer)) {
	k, remote := f.keys, f.p.remote
	now, err := k.proxy.Monotonic()
	if err != nil {
		f.failed("the clock: " + err.Error())
		return
	}
	left := f.p.timeout() - now.Since(f.began)
	if left <= 0 {
		f.failed("the time is up")
		return
	}
	scheme, _, _ := strings.Cut(remote.URI, ":")
	get := proxy.Get{
		Cluster: remote.Cluster, Scheme: scheme, Authority: remote.Authority, Path: f.path,
		TimeoutMilliseconds: uint32((left + 999_999) / 1_000_000), MaxBody: maxBody,
	}
	err = get.Send(k.proxy, func(a proxy.Answer) {
		now, err := k.proxy.Monotonic()
		switch {
		case err != nil:
			f.failed("the clock: " + err.Error())
		case a.Status != 200:
			f.failed(statusText(a.Status))
		case a.Encoding != "" && a.Encoding != "identity":
			f.failed("its content-encoding is " + quote(a.Encoding) + ", and identity was asked for")
		case a.TooLarge:
			f.failed("more than " + strconv.Itoa(maxBody) + " bytes")
		default:
			done(now, a)
		}
	})
	if err != nil {
		f.failed("cluster " + remote.Cluster + ": " + proxy.Unsent(err))
	}
}

// document takes an OpenID configuration, and goes on to the set that it names.
func (f *fetching) document(_ clock.Mono, a proxy.Answer) {
	path, err := discover(f.p.remote, f.p.issuer, a.Body)
	if err != nil {
		f.failed(err.Error())
		return
	}
	f.setPath = path
	f.found(path)
	f.get(jwks.MaxBytes, f.keySet)
}

// found makes the set at a path what is fetched.
func (f *fetching) found(path string) {
	remote := f.p.remote
	f.uri, f.path = remote.URI[:len(remote.URI)-len(remote.Path)]+path, path
}

// keySet takes a JWK Set. One without a usable key leaves the old set in place.
func (f *fetching) keySet(now clock.Mono, a proxy.Answer) {
	k, p := f.keys, f.p
	set, err := jwks.Parse(a.Body)
	switch {
	case err != nil:
		f.failed(err.Error())
		return
	case len(set.Keys) == 0:
		f.failed("a JWK Set without a key that could be used")
		return
	}
	how := Success
	if len(set.Skipped) > 0 {
		how = Partial
	}
	k.warn(p, set)
	k.owner.Fetched(p.index, how)
	shared := k.update(p, now, func(r *record) bool {
		r.release(f.lease)
		r.seq = max(r.seq+1, 1)
		r.failures, r.fetchedAt, r.maxAge, r.body = 0, now, maxAge(a.CacheControl), a.Body
		if f.setPath != "" {
			r.path, r.foundAt = f.setPath, now
		}
		return true
	})
	if !shared {
		k.log(proxy.Error, p, "the fetched JWK Set can't be shared")
	}
}

// failed says why a fetch brought nothing.
func (f *fetching) failed(why string) {
	k, p := f.keys, f.p
	k.log(proxy.Error, p, f.uri+": "+why)
	k.owner.Fetched(p.index, Failure)
	now, err := k.proxy.Monotonic()
	if err != nil {
		return // the lease runs out by itself
	}
	k.update(p, now, func(r *record) bool {
		r.release(f.lease)
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

// warn names the keys that are left out and a kid that several keys have, once as long as they stay
// the same.
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
