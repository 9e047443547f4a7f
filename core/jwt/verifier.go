package jwt

import (
	"slices"
	"sync/atomic"

	"gatehouse/core/claims"
	"gatehouse/core/clock"
	"gatehouse/core/jwks"
	"gatehouse/core/reason"
)

// Rules say which tokens of one provider are valid. The caller must not change them after New.
type Rules struct {
	Name   string
	Issuer string // "iss": compared exactly, or an IssuerPattern; unique among the rules

	Audiences      []string // one common value suffices
	AnyAudience    bool     // the audience is not checked
	AudienceClaims []string // the first that the token has decides; nil is {"aud"}

	Algorithms     AlgSet
	Types          []string // allowed "typ" in lower case without "application/", "" if absent; nil is {"", "jwt", "at+jwt"}
	SkewSeconds    int64    // tolerance for "exp" and "nbf"
	RequiredClaims []string // names or dotted paths, beside "exp"
	Claims         []ClaimRule
}

// ClaimRule requires that a claim is one of some values, or a list that has one of them.
type ClaimRule struct {
	Name   string // a member's name or a dotted path
	Values []string
	Any    bool // any value will do, in place of Values
}

var (
	defaultTypes  = []string{"", "jwt", "at+jwt"}
	defaultClaims = []string{"aud"}
)

// Keys is where a Verifier gets keys from.
type Keys interface {
	// Keys is a provider's current JWK Set; nil while there is none.
	Keys(provider int) *jwks.Set
}

// Verifier verifies tokens of several providers. It is safe for concurrent use if its Keys and its
// HostVerify are.
type Verifier struct {
	rules    []Rules
	byIssuer map[string]int
	patterns []IssuerPattern // by rule; the zero value for an exact issuer
	keys     Keys
	checker  checker
	maxBytes int
	headers  []atomic.Pointer[header] // by rule: of the last token whose signature held
}

// New makes a Verifier. It refuses tokens longer than maxTokenBytes without reading them. host may
// be nil; it verifies the algorithms that pass SelfTest. Of several rules with the same issuer the
// first counts; an exact issuer precedes a pattern. Rules without an issuer are for CheckClaims
// only.
func New(rules []Rules, keys Keys, host HostVerify, maxTokenBytes int) *Verifier {
	v := &Verifier{
		rules:    slices.Clone(rules),
		byIssuer: make(map[string]int, len(rules)),
		patterns: make([]IssuerPattern, len(rules)),
		keys:     keys,
		checker:  checker{host, SelfTest(host)},
		maxBytes: maxTokenBytes,
		headers:  make([]atomic.Pointer[header], len(rules)),
	}
	for i := range v.rules {
		r := &v.rules[i]
		if r.Types == nil {
			r.Types = defaultTypes
		}
		if r.AudienceClaims == nil {
			r.AudienceClaims = defaultClaims
		}
		pattern, isPattern, _ := ParseIssuer(r.Issuer)
		if v.patterns[i] = pattern; isPattern {
			r.requireClaim(pattern.Claim)
			continue
		}
		if _, taken := v.byIssuer[r.Issuer]; r.Issuer != "" && !taken {
			v.byIssuer[r.Issuer] = i
		}
	}
	return v
}

// requireClaim makes sure that a rule asks for a claim.
func (r *Rules) requireClaim(name string) {
	if !slices.ContainsFunc(r.Claims, func(c ClaimRule) bool { return c.Name == name }) {
		r.Claims = append(slices.Clip(r.Claims), ClaimRule{Name: name, Any: true})
	}
}

// HostAlgorithms are the algorithms whose signatures the host verifies.
func (v *Verifier) HostAlgorithms() AlgSet { return v.checker.hostAlgs }

// Result is the outcome of verifying a token. The token is valid only if Reason is None.
type Result struct {
	Reason   reason.Reason
	Provider int // index in the rules; -1 while unknown
	Key      *jwks.Key
	Set      *jwks.Set  // the set that Key is from, or none of whose keys made the signature
	Claims   claims.Set // empty unless the signature holds
	// "nbf" and "exp" in Unix nanoseconds, without skew (see claims.Set.Date). NotBefore is 0 if
	// absent.
	NotBefore, Expires clock.Wall
	Issuer             string // "iss", once it has chosen the provider
	Segment            string // of Issuer, where the provider's issuer is an IssuerPattern
}

// Verify verifies a token at now. The result doesn't refer to the token's memory.
func (v *Verifier) Verify(token string, now clock.Wall) Result {
	return v.VerifyNewKeys(token, nil, now)
}

// VerifyNewKeys verifies a token again after its provider's JWK Set was fetched again, because no
// key of the set tried made its signature. It tries only keys that tried lacks, so that a forged
// token costs little.
func (v *Verifier) VerifyNewKeys(token string, tried *jwks.Set, now clock.Wall) Result {
	res := Result{Provider: -1}
	if len(token) > v.maxBytes {
		res.Reason = reason.TokenTooLarge
		return res
	}
	c, ok := parse(token)
	if !ok || !c.isClaims {
		res.Reason = reason.MalformedToken
		return res
	}
	iss, _ := c.claims.Get("iss").Text()
	provider, segment := v.Provider(iss)
	h := v.knownHeader(provider, c.header)
	if h == nil {
		if h, ok = parseHeader(c.header); !ok {
			res.Reason = reason.MalformedToken
			return res
		}
	}
	if provider < 0 {
		res.Reason = reason.InvalidIssuer
		return res
	}
	rules := &v.rules[provider]
	res.Provider, res.Issuer, res.Segment = provider, iss, segment
	keys := v.keys.Keys(provider)
	res.Key, res.Reason = v.checker.verify(&c, h, keyChoice{keys, tried, segment}, rules.Algorithms)
	if res.Reason == reason.None || res.Reason == reason.InvalidSignature {
		res.Set = keys
	}
	if res.Reason != reason.None {
		return res
	}
	res.Claims = c.claims
	v.rememberHeader(provider, h, c.header)
	switch {
	case !v.namesSegment(&res):
		res.Reason = reason.InvalidIssuer
	case !wellTyped(c.claims):
		res.Reason = reason.MalformedToken
	case !slices.Contains(rules.Types, h.typ), h.emptyTyp: // an empty "typ" is not an absent one
		res.Reason = reason.TokenType
	default:
		res.Reason = rules.checkClaims(&res, now, !rules.AnyAudience)
	}
	return res
}

// Provider finds the rules for an issuer, and the segment that it has where theirs is an
// IssuerPattern. provider is -1 if there are none.
func (v *Verifier) Provider(iss string) (provider int, segment string) {
	if i, ok := v.byIssuer[iss]; ok {
		return i, ""
	}
	for i := range v.patterns {
		if segment, ok := v.patterns[i].Segment(iss); ok {
			return i, segment
		}
	}
	return -1, ""
}

// namesSegment reports whether the claim of an IssuerPattern is the segment of the token's issuer.
// A token without the claim fails later, at the rule for that claim.
func (v *Verifier) namesSegment(res *Result) bool {
	claim := v.patterns[res.Provider].Claim
	if claim == "" || !res.Claims.Has(claim) {
		return true
	}
	text, ok := res.Claims.Get(claim).Text()
	return ok && text == res.Segment
}

// CheckClaims checks claims that another filter has verified. It applies the rules that don't need
// the token itself: issuer and audience if the rules name any, cnf, exp, nbf, required claims and
// claims.
func (v *Verifier) CheckClaims(provider int, c claims.Set, now clock.Wall) Result {
	rules := &v.rules[provider]
	res := Result{Provider: provider, Claims: c}
	iss, _ := c.Get("iss").Text()
	if rules.Issuer != "" {
		issuer, segment := v.Provider(iss)
		if issuer != provider && iss != rules.Issuer {
			res.Reason = reason.InvalidIssuer
			return res
		}
		res.Segment = segment
	}
	res.Issuer = iss
	if !v.namesSegment(&res) {
		res.Reason = reason.InvalidIssuer
		return res
	}
	if !wellTyped(c) {
		res.Reason = reason.MalformedToken
		return res
	}
	res.Reason = rules.checkClaims(&res, now, !rules.AnyAudience && len(rules.Audiences) > 0)
	return res
}

// Times checks "exp" and "nbf" of an earlier result again.
func (v *Verifier) Times(provider int, notBefore, expires, now clock.Wall) reason.Reason {
	return v.rules[provider].times(notBefore, expires, now)
}
