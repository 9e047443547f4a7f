package jwt

import (
	"slices"

	"gatehouse/core/claims"
	"gatehouse/core/jwks"
)

// Rules are what one provider wants of a token. They are not changed once given to New.
type Rules struct {
	Name   string
	Issuer string // "iss", compared exactly; unique among the rules

	Audiences      []string // one common value suffices
	AnyAudience    bool     // the audience isn't checked
	AudienceClaims []string // the first that the token has decides; nil is {"aud"}

	Algorithms     AlgSet
	Types          []string // allowed "typ" in lower case, without "application/"; "" is an absent one; nil is {"", "jwt", "at+jwt"}
	SkewSeconds    int64    // how far the issuer's clock may be off
	RequiredClaims []string // names, literal or dotted paths, beside "exp"
}

var (
	defaultTypes  = []string{"", "jwt", "at+jwt"}
	defaultClaims = []string{"aud"}
)

// Keys gives a provider's current JWK Set; nil while there is none.
type Keys interface {
	Keys(provider int) *jwks.Set
}

// Verifier verifies tokens of several providers. It may be used by several goroutines if its Keys and HostVerify may.
type Verifier struct {
	rules    []Rules
	byIssuer map[string]int
	keys     Keys
	checker  checker
	maxBytes int
}

// New makes a verifier. Tokens above maxTokenBytes are refused unread. A host, if not nil, is put through SelfTest and
// used for the algorithms that it gets right. Of rules with the same issuer the first counts; those without one are only
// for CheckClaims.
func New(rules []Rules, keys Keys, host HostVerify, maxTokenBytes int) *Verifier {
	v := &Verifier{
		rules:    slices.Clone(rules),
		byIssuer: make(map[string]int, len(rules)),
		keys:     keys,
		checker:  checker{host, SelfTest(host)},
		maxBytes: maxTokenBytes,
	}
	for i := range v.rules {
		r := &v.rules[i]
		if r.Types == nil {
			r.Types = defaultTypes
		}
		if r.AudienceClaims == nil {
			r.AudienceClaims = defaultClaims
		}
		if _, taken := v.byIssuer[r.Issuer]; r.Issuer != "" && !taken {
			v.byIssuer[r.Issuer] = i
		}
	}
	return v
}

// HostAlgorithms are those whose signatures the host verifies.
func (v *Verifier) HostAlgorithms() AlgSet { return v.checker.via }

// Result is what a token was found to be. Only with Reason OK may its claims be trusted; up to the signature there are
// none.
type Result struct {
	Reason   Reason
	Provider int // index in the rules; -1 while unknown
	Key      *jwks.Key
	Set      *jwks.Set // which the key was found in
	Claims   claims.Set
	// Unix nanoseconds as the token has them, without skew; what an int64 can't hold is cut to its ends. NotBefore is 0
	// when absent.
	NotBefore, Expires int64
	Issuer             string // once it has chosen the provider
}

// Verify judges a token at now (Unix nanoseconds). Nothing in the result refers to the token's own memory.
func (v *Verifier) Verify(token string, now int64) Result {
	res := Result{Provider: -1}
	if len(token) > v.maxBytes {
		res.Reason = TokenTooLarge
		return res
	}
	c, ok := parse(token)
	if !ok {
		res.Reason = MalformedToken
		return res
	}
	set, err := claims.Parse(c.payload)
	if err != nil {
		res.Reason = MalformedToken
		return res
	}
	iss, _ := set.Get("iss").Text()
	provider, ok := v.byIssuer[iss]
	if !ok {
		res.Reason = InvalidIssuer
		return res
	}
	rules := &v.rules[provider]
	res.Provider, res.Issuer = provider, rules.Issuer
	keys := v.keys.Keys(provider)
	res.Key, res.Reason = v.checker.judge(&c, keys, rules.Algorithms)
	if res.Reason != OK {
		return res
	}
	res.Set, res.Claims = keys, set
	typ := mediaType(c.typ)
	if !slices.Contains(rules.Types, typ) || typ == "" && c.header.Get("typ").Exists() { // empty isn't absent
		res.Reason = TokenType
		return res
	}
	rules.judge(&res, now, !rules.AnyAudience)
	return res
}

// CheckClaims applies the rules that don't need the token itself to claims that somebody else has verified: issuer
// and audience where the rules name any, cnf, exp, nbf and required claims.
func (v *Verifier) CheckClaims(provider int, c claims.Set, now int64) Result {
	rules := &v.rules[provider]
	res := Result{Provider: provider, Claims: c}
	iss, _ := c.Get("iss").Text()
	if rules.Issuer != "" && iss != rules.Issuer {
		res.Reason = InvalidIssuer
		return res
	}
	res.Issuer = iss
	rules.judge(&res, now, !rules.AnyAudience && len(rules.Audiences) > 0)
	return res
}

// Times judges exp and nbf of an earlier result anew.
func (v *Verifier) Times(provider int, notBefore, expires, now int64) Reason {
	return v.rules[provider].times(notBefore, expires, now)
}
