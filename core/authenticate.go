package core

import (
	"unsafe"

	"gatehouse/core/clock"
	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
	"gatehouse/core/policy"
	"gatehouse/core/reason"
)

// cacheBytes bounds the memory of verified tokens in each worker: 4,096 tokens of 4 kB each, claims
// and all.
const cacheBytes = 16 << 20

// keySource gives the verifier the keys of a provider, from its configuration or from Host.Remote.
type keySource struct{ g *Gate }

func (s keySource) Keys(provider int) *jwks.Set {
	if p := &s.g.cfg.Tokens.Providers[provider]; p.Inline != nil {
		return p.Inline
	} else if p.Remote == nil || s.g.host.Remote == nil {
		return nil
	}
	return s.g.host.Remote.Keys(provider)
}

// authenticate finds out who is calling. It may have to wait for keys.
func (g *Gate) authenticate(r *Request, d *Decision) reason.Reason {
	route := g.table.Route(d.Route)
	if route.Auth == policy.None || passesAsPreflight(r, route) {
		d.exempt, d.identified = true, true
		return reason.None
	}
	found, why := g.identity(r, d)
	switch {
	case d.Verdict == Wait:
		return reason.None
	case found:
		g.countToken(r, d, why)
	case route.Auth != policy.Optional:
		return reason.MissingToken
	}
	d.identified = why == reason.None
	return why
}

// identity identifies the caller by claims that another filter verified, or by a token that it
// verifies itself.
func (g *Gate) identity(r *Request, d *Decision) (found bool, bad reason.Reason) {
	if severalCredentials(r) {
		return true, reason.MalformedToken
	}
	found, bad = g.external(r, d)
	if !found || bad == reason.InvalidIssuer { // the other filter may not know the issuer of a token of ours
		if ours, why := g.bearer(r, d); ours || d.Verdict == Wait {
			return ours, why
		}
	}
	return found, bad
}

// external takes the claims that another filter has verified.
func (g *Gate) external(r *Request, d *Decision) (found bool, bad reason.Reason) {
	if r.External == nil {
		return false, reason.None
	}
	for i := range g.cfg.Tokens.Providers {
		if g.cfg.Tokens.Providers[i].ClaimsFrom == nil {
			continue
		}
		f := r.External(i)
		failure := f.Failure
		if f.Present {
			res := g.verifier.CheckClaims(i, f.Claims, r.Wall)
			switch res.Reason {
			case reason.None:
				d.Principal = g.newPrincipal(&res)
				return true, reason.None
			case reason.InvalidIssuer: // another provider that reads the same metadata may have this issuer
				failure = reason.InvalidIssuer
			default:
				d.failed, d.refused = i, g.holderOf(&res)
				return true, res.Reason
			}
		}
		if bad == reason.None || bad == reason.InvalidIssuer && failure != reason.None {
			bad = failure
			d.failed = g.failedExternal(i, failure)
		}
	}
	return bad != reason.None, bad
}

// failedExternal is the provider of a token that another filter refused. It is -1 if the token was
// refused before its issuer was known: that filter checks a token's form first, then its issuer.
func (g *Gate) failedExternal(provider int, why reason.Reason) int {
	if why == reason.MalformedToken || why == reason.InvalidIssuer {
		return -1
	}
	from := g.cfg.Tokens.Providers[provider].ClaimsFrom
	for i := range g.cfg.Tokens.Providers {
		other := g.cfg.Tokens.Providers[i].ClaimsFrom
		if i != provider && other != nil && *other == *from {
			return -1 // several providers read this filter's verdict
		}
	}
	return provider
}

// bearer verifies the token that the request itself carries.
func (g *Gate) bearer(r *Request, d *Decision) (found bool, bad reason.Reason) {
	if !g.verifies() {
		return false, reason.None
	}
	token, bad := findToken(r, g.cfg.Tokens.From)
	if token == "" || bad != reason.None {
		return bad != reason.None, bad
	}
	keys := keySource{g}
	if p, ok := g.cache.Get(token, keys); ok {
		g.Count(g.metrics.CacheHit(), 1)
		if why := g.verifier.Times(p.Provider, p.NotBefore, p.Expires, r.Wall); why != reason.None {
			d.failed, d.refused = p.Provider, holder{p.UserID, p.ClientID, p.Issuer}
			return true, why
		}
		d.Principal = p
		return true, reason.None
	}
	res := g.verifier.VerifyNewKeys(token, d.tried, r.Wall)
	switch res.Reason {
	case reason.None:
		g.Count(g.metrics.CacheMiss(), 1)
		p := g.newPrincipal(&res)
		d.Principal = p
		g.cache.Put(token, p.Provider, res.Key, res.Set, g.cacheCost(p), p)
		return true, reason.None
	case reason.KeysUnavailable, reason.UnknownKey, reason.InvalidSignature:
		if g.requestFetch(&res, r.Mono) && !d.resumed {
			d.Verdict, d.WaitFor, d.WaitWhy = Wait, res.Provider, res.Reason
			if res.Reason == reason.InvalidSignature {
				d.tried = res.Set
			}
			return false, reason.None
		}
	}
	g.Count(g.metrics.CacheMiss(), 1)
	d.failed = res.Provider
	if res.Claims.Raw() != "" {
		d.refused = g.holderOf(&res)
	}
	return true, res.Reason
}

// verifies reports whether the Gate itself verifies the tokens of a provider.
func (g *Gate) verifies() bool {
	for i := range g.cfg.Tokens.Providers {
		if g.cfg.Tokens.Providers[i].ClaimsFrom == nil {
			return true
		}
	}
	return false
}

// requestFetch asks for other keys of a remote provider, and reports whether a fetch is starting or
// under way.
func (g *Gate) requestFetch(res *jwt.Result, mono clock.Mono) bool {
	return res.Provider >= 0 && g.cfg.Tokens.Providers[res.Provider].Remote != nil && g.host.Remote != nil &&
		g.host.Remote.RequestFetch(res.Provider, res.Reason, mono)
}

// cacheCost estimates the memory of a cached principal without its token: the claims twice (raw and
// indexed), the lists and headers that are derived from them, and the keys of limits.
func (g *Gate) cacheCost(p *Principal) int {
	cost := 1024 + 4*len(p.Claims.Raw()) + int(unsafe.Sizeof(limitKey{}))*len(g.cfg.Limits)
	cost += int(unsafe.Sizeof("")) * (cap(p.Scopes) + cap(p.Groups))
	for i := range p.headers {
		cost += len(p.headers[i].Value)
	}
	return cost
}
