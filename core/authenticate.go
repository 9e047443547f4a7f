package core

import (
	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
	"gatehouse/core/policy"
)

// cacheBytes bounds the memory of verified tokens in each worker: 4,096 tokens of 4 kB each, claims and all.
const cacheBytes = 16 << 20

// keySource gives the verifier a provider's keys, wherever they come from.
type keySource struct{ g *Gate }

func (s keySource) Keys(provider int) *jwks.Set {
	if p := &s.g.cfg.Tokens.Providers[provider]; p.Inline != nil {
		return p.Inline
	} else if p.Remote == nil || s.g.host.Remote == nil {
		return nil
	}
	return s.g.host.Remote.Keys(provider)
}

// authenticate finds out who is calling.
func (g *Gate) authenticate(r *Request, d *Decision, mayWait bool) Reason {
	optional := g.table.Route(d.Route).Auth == policy.Optional
	found, reason := g.identity(r, d, mayWait)
	switch {
	case reason == waiting:
		return waiting
	case found || reason != None:
		g.countToken(r, reason)
		return reason
	case optional:
		return None
	}
	return MissingToken
}

// identity takes the caller from the token that another filter verified, or from one that is verified here.
func (g *Gate) identity(r *Request, d *Decision, mayWait bool) (found bool, bad Reason) {
	if severalCredentials(r) {
		return true, MalformedToken
	}
	found, bad = g.foreign(r, d)
	if !found || bad == InvalidIssuer { // the issuer that the other filter doesn't know may be one of ours
		if ours, reason := g.bearer(r, d, mayWait); ours || reason != None {
			return ours, reason
		}
	}
	return found, bad
}

// foreign takes claims that another filter has verified.
func (g *Gate) foreign(r *Request, d *Decision) (found bool, bad Reason) {
	if r.Foreign == nil {
		return false, None
	}
	for i := range g.cfg.Tokens.Providers {
		if g.cfg.Tokens.Providers[i].ClaimsFrom == nil {
			continue
		}
		f := r.Foreign(i)
		failure := f.Failure
		if f.Present {
			res := g.verifier.CheckClaims(i, f.Claims, r.Wall)
			switch res.Reason {
			case jwt.OK:
				d.Principal = g.newPrincipal(&res)
				return true, None
			case jwt.InvalidIssuer: // the claims may be another provider's, of those that read the same metadata
				failure = InvalidIssuer
			default:
				return true, ofToken[res.Reason]
			}
		}
		if bad == None || bad == InvalidIssuer && failure != None {
			bad = failure
		}
	}
	return bad != None, bad
}

// bearer verifies the token that the request itself carries.
func (g *Gate) bearer(r *Request, d *Decision, mayWait bool) (found bool, bad Reason) {
	if !g.verifies() {
		return false, None
	}
	token, bad := findToken(r, g.cfg.Tokens.From)
	if token == "" || bad != None {
		return bad != None, bad
	}
	keys := keySource{g}
	if p, ok := g.cache.Get(token, keys); ok {
		g.Count(g.metrics.CacheHit(), 1)
		if reason := g.verifier.Times(p.Provider, p.NotBefore, p.Expires, r.Wall); reason != jwt.OK {
			return true, ofToken[reason]
		}
		d.Principal = p
		return true, None
	}
	res := g.verifier.Verify(token, r.Wall)
	switch res.Reason {
	case jwt.OK:
		g.Count(g.metrics.CacheMiss(), 1)
		p := g.newPrincipal(&res)
		d.Principal = p
		g.cache.Put(token, p.Provider, res.Key, res.Set, cacheCost(p), p)
		return true, None
	case jwt.KeysUnavailable, jwt.UnknownKey:
		if g.fetching(res.Provider, r.Mono) && mayWait {
			d.WaitFor = res.Provider
			return false, waiting
		}
	}
	g.Count(g.metrics.CacheMiss(), 1)
	return true, ofToken[res.Reason]
}

// verifies reports whether any provider's tokens are verified here rather than by another filter.
func (g *Gate) verifies() bool {
	for i := range g.cfg.Tokens.Providers {
		if g.cfg.Tokens.Providers[i].ClaimsFrom == nil {
			return true
		}
	}
	return false
}

// fetching asks for a remote provider's keys, and reports whether they may be on their way.
func (g *Gate) fetching(provider int, mono int64) bool {
	return provider >= 0 && g.cfg.Tokens.Providers[provider].Remote != nil && g.host.Remote != nil &&
		g.host.Remote.Want(provider, mono)
}

// cacheCost estimates what a cached principal occupies beside its token: the claims twice (raw and indexed), and the strings
// derived from them.
func cacheCost(p *Principal) int { return 1024 + 4*len(p.Claims.Raw()) }
