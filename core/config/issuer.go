package config

import "gatehouse/core/jwt"

// anyValue stands for any value of a claim: of the one that the issuer has in braces, and nowhere
// else.
const anyValue = "*"

// issuers finds providers whose tokens can't be told apart.
type issuers struct {
	exact    map[string]*node
	patterns []issuerPattern
}

type issuerPattern struct {
	jwt.IssuerPattern
	at *node
}

// add reads a provider's issuer and reports what it has in common with an earlier one.
func (s *issuers) add(p *parser, n *node) {
	if !n.usable() {
		return
	}
	if first := s.exact[n.text]; first != nil {
		p.problem(n, "the same as "+first.path())
		return
	}
	pattern, isPattern, ok := jwt.ParseIssuer(n.text)
	if !ok {
		p.problem(n, "want one {claim} in place of one whole segment of the path of a URL, as https://idp.example/{tid}/v2.0, got "+quote(n.text))
		return
	}
	s.exact[n.text] = n
	if !isPattern {
		return
	}
	for _, earlier := range s.patterns {
		if pattern.Overlaps(earlier.IssuerPattern) {
			p.problem(n, "some issuer fits this and "+earlier.at.path())
			return
		}
	}
	s.patterns = append(s.patterns, issuerPattern{pattern, n})
}

// claimRules reads a provider's claims and the values that each may have. The claim that the issuer
// has in braces must be among them.
func (p *parser) claimRules(provider *node) []jwt.ClaimRule {
	n, issuer := provider.get("claims"), provider.get("issuer")
	if issuer != nil && issuer.bad {
		return nil // that mistake is reported already
	}
	pattern, _, _ := jwt.ParseIssuer(provider.str("issuer"))
	if pattern.Claim != "" && (n == nil || n.usable() && n.get(pattern.Claim) == nil) {
		p.missing(provider, "claims", "want the values of "+pattern.Claim+`, which is in the issuer: {"`+pattern.Claim+`": [...]}, or ["*"] for any`)
	}
	if !n.usable() {
		return nil
	}
	var out []jwt.ClaimRule
	for _, kid := range n.kids {
		rule := jwt.ClaimRule{Name: kid.name, Values: n.strs(kid.name)}
		if kid.name == pattern.Claim {
			if rule.Any = p.anyValue(kid); rule.Any {
				rule.Values = nil
			}
		} else {
			p.noAnyValue(kid)
		}
		out = append(out, rule)
	}
	return out
}

// anyValue reports whether a list of values is ["*"].
func (p *parser) anyValue(values *node) bool {
	for _, v := range values.kids {
		if v.kind == isText && v.text == anyValue {
			if len(values.kids) > 1 {
				p.problem(v, `want "*" alone, or the values`)
			}
			return true
		}
	}
	return false
}

// noAnyValue refuses "*" among the values of a claim. Whoever writes it there means any value, and
// would get none.
func (p *parser) noAnyValue(values *node) {
	for _, v := range values.kids {
		if v.kind == isText && v.text == anyValue {
			p.problem(v, `want a value: "*" is for the claim in braces in a provider's issuer; required_claims asks for any value`)
		}
	}
}
