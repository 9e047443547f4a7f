package core

import (
	"gatehouse/core/caller"
	"gatehouse/core/config"
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

// JWTStatus translates the failure code of Envoy's JWT filter (google::jwt_verify::Status). The one for no token at all
// is no failure; one that isn't known here is a bad token all the same.
func JWTStatus(code float64) Reason {
	switch code {
	case 0, 1:
		return None
	case 2:
		return NotYetValid
	case 3:
		return ExpiredToken
	case 26:
		return InvalidSignature
	}
	return MalformedToken
}
