package jwt

import (
	"math"
	"slices"

	"gatehouse/core/claims"
	"gatehouse/core/clock"
	"gatehouse/core/reason"
)

// wellTyped reports whether the registered claims (RFC 7519 §4.1) and the client's id have the JSON
// types of their specifications; null counts as absent. A claim of another type must not count as
// absent: the token would pass as one of a less specific identity. "auth_time" and other claims
// that only add evidence need no check: of a wrong type they prove nothing.
func wellTyped(c claims.Set) bool {
	for _, name := range [...]string{"iss", "sub", "jti", "azp", "client_id"} {
		if k := c.Get(name).Kind(); k > claims.Null && k != claims.String {
			return false
		}
	}
	for _, name := range [...]string{"exp", "nbf", "iat"} {
		if k := c.Get(name).Kind(); k > claims.Null && k != claims.Number {
			return false
		}
	}
	aud := c.Get("aud")
	if !aud.All(func(e claims.Value) bool { return e.Kind() == claims.String }) {
		return false
	}
	k := aud.Kind()
	return k <= claims.Null || k == claims.String || k == claims.List
}

// checkClaims applies the rules for claims to res.Claims, which are verified and well typed.
func (r *Rules) checkClaims(res *Result, now clock.Wall, audience bool) reason.Reason {
	c := res.Claims
	if c.Has("cnf") {
		return reason.TokenType
	}
	var ok bool
	if res.Expires, ok = c.Date("exp"); !ok {
		return reason.MissingClaim
	}
	res.NotBefore, _ = c.Date("nbf")
	if why := r.times(res.NotBefore, res.Expires, now); why != reason.None {
		return why
	}
	if audience && !r.audience(c) {
		return reason.InvalidAudience
	}
	for _, name := range r.RequiredClaims {
		if !c.Has(name) {
			return reason.MissingClaim
		}
	}
	for i := range r.Claims {
		rule := &r.Claims[i]
		if rule.Any && !c.Has(rule.Name) || !rule.Any && !c.HasAny(rule.Name, rule.Values) {
			return reason.InvalidClaim
		}
	}
	return reason.None
}

// times checks the validity period: nbf - skew <= now < exp + skew.
func (r *Rules) times(notBefore, expires, now clock.Wall) reason.Reason {
	switch {
	case r.expired(expires, now):
		return reason.ExpiredToken
	case r.early(notBefore, now):
		return reason.NotYetValid
	}
	return reason.None
}

func (r *Rules) expired(expires, now clock.Wall) bool {
	return saturatingAdd(now, -r.skew()) >= expires
}

func (r *Rules) early(notBefore, now clock.Wall) bool {
	return notBefore > saturatingAdd(now, r.skew())
}

// skew is in nanoseconds.
func (r *Rules) skew() int64 { return r.SkewSeconds * 1_000_000_000 }

// saturatingAdd is a + b, or the nearest moment if that overflows.
func saturatingAdd(a clock.Wall, b int64) clock.Wall {
	sum := a + clock.Wall(b)
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
		texts := v.All(func(e claims.Value) bool {
			text, ok := e.Text()
			found = found || ok && slices.Contains(r.Audiences, text)
			return ok
		})
		return found && texts
	}
	return false
}
