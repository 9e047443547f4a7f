package core

import (
	"gatehouse/core/caller"
	"gatehouse/core/config"
	"gatehouse/core/reason"
)

// ClaimNames are the claims of a provider that any decision, header or event could ask for: what has to be read where
// claims come one by one. Each is there once.
func (g *Gate) ClaimNames(provider int) []string {
	p := &g.cfg.Tokens.Providers[provider]
	var names []string
	add := func(more ...string) {
		for _, name := range more {
			if !contains(names, name) {
				names = append(names, name)
			}
		}
	}
	add("iss", "sub", "exp", "nbf", "cnf")
	add(caller.ClaimNames()...)
	add(p.GroupsClaims...)
	add(p.RequiredClaims...)
	add(p.AudienceClaims...)
	for i := range p.Claims {
		add(p.Claims[i].Name)
	}
	for i := range g.cfg.Routes {
		for _, c := range g.cfg.Routes[i].Claims {
			add(c.Name)
		}
	}
	for i := range g.cfg.Limits {
		for _, alternatives := range g.cfg.Limits[i].Identifier {
			for _, e := range alternatives {
				if e.Kind == config.Claim {
					add(e.Name)
				}
			}
		}
	}
	add(g.cfg.Identity.Claims...)
	add(g.cfg.Audit.Claims...)
	return names
}

// JWTStatus translates the failure code of Envoy's JWT filter: the enumeration Status of jwt_verify_lib, the same in Envoy 1.36
// and 1.40. The code for no token at all is no failure. What is wrong with Envoy's own JWK Set is not the caller's
// fault. A code that isn't known here is a bad token all the same.
func JWTStatus(code float64) reason.Reason {
	switch code {
	case 0, 1: // Ok, JwtMissed
		return reason.None
	case 2: // JwtNotYetValid
		return reason.NotYetValid
	case 3: // JwtExpired
		return reason.ExpiredToken
	case 8: // JwtHeaderNotImplementedAlg
		return reason.UnsupportedAlgorithm
	case 24: // JwtUnknownIssuer
		return reason.InvalidIssuer
	case 25: // JwtAudienceNotAllowed
		return reason.InvalidAudience
	case 23, 26: // JwtEd25519SignatureWrongLength, JwtVerificationFail
		return reason.InvalidSignature
	case 32: // JwksKidAlgMismatch
		return reason.UnknownKey
	}
	// JwksParseError to JwksBioAllocError: no usable set, JwksFetchFail (40) among them.
	if code >= 28 && code <= 72 {
		return reason.KeysUnavailable
	}
	return reason.MalformedToken
}
