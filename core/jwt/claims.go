package jwt

import (
	"math"
	"slices"

	"gatehouse/core/claims"
	"gatehouse/core/reason"
)

// checkClaims applies the rules for claims to res.Claims, which are verified. now is in Unix nanoseconds.
func (r *Rules) checkClaims(res *Result, now int64, audience bool) {
	c := res.Claims
	var present, ok bool
	switch {
	case c.Get("cnf").Exists():
		res.Reason = reason.TokenType
		return
	case !c.Has("exp"):
		res.Reason = reason.MissingClaim
		return
	}
	if res.Expires, _, ok = c.Date("exp"); !ok {
		res.Reason = reason.MalformedToken
		return
	}
	if r.expired(res.Expires, now) {
		res.Reason = reason.ExpiredToken
		return
	}
	if res.NotBefore, present, ok = c.Date("nbf"); present && !ok {
		res.Reason = reason.MalformedToken
		return
	}
	if r.early(res.NotBefore, now) {
		res.Reason = reason.NotYetValid
		return
	}
	if audience && !r.audience(c) {
		res.Reason = reason.InvalidAudience
		return
	}
	for _, name := range r.RequiredClaims {
		if !c.Has(name) {
			res.Reason = reason.MissingClaim
			return
		}
	}
}

// times checks the validity period: nbf - skew <= now < exp + skew.
func (r *Rules) times(notBefore, expires, now int64) reason.Reason {
	switch {
	case r.expired(expires, now):
		return reason.ExpiredToken
	case r.early(notBefore, now):
		return reason.NotYetValid
	}
	return reason.None
}

func (r *Rules) expired(expires, now int64) bool { return saturatingAdd(now, -r.skew()) >= expires }

func (r *Rules) early(notBefore, now int64) bool { return notBefore > saturatingAdd(now, r.skew()) }

// skew is in nanoseconds.
func (r *Rules) skew() int64 { return r.SkewSeconds * 1_000_000_000 }

// saturatingAdd is a + b, or the nearest int64 if that overflows.
func saturatingAdd(a, b int64) int64 {
	sum := a + b
	switch {
	case a > 0 && b > 0 && sum < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && sum >= 0:
		return math.MinInt64
	}
	return sum
}

// audience reports whether the token is for one of the audiences (RFC 7519 §4.1.3). The first of
// AudienceClaims that the token has decides.
func (r *Rules) audience(c claims.Set) bool {
	for _, name := range r.AudienceClaims {
		if !c.Has(name) {
			continue
		}
		v := c.Get(name)
		if text, ok := v.Text(); ok {
			return slices.Contains(r.Audiences, text)
		}
		found := false
		for _, e := range v.Elements() {
			text, ok := e.Text()
			if !ok {
				return false
			}
			found = found || slices.Contains(r.Audiences, text)
		}
		return found
	}
	return false
}
