// Package explain compares a request, its token or its audit event with the configuration that
// decides it: what was seen against what is configured, and the route that nearly matched.
package explain

import (
	"encoding/json"
	"strings"
)

// Configured is what a valid configuration says about tokens and routes.
type Configured struct {
	PathCase string `json:"path_case"`
	Tokens   struct {
		Providers []Provider
	}
	Routes []Route
	Limits []struct{ Name string } `json:"rate_limits"`
}

// Provider is an entry of tokens.providers.
type Provider struct {
	Name           string
	Issuer         string
	Audiences      []string
	AnyAudience    bool     `json:"any_audience"`
	AudienceClaims []string `json:"audience_claims"`
	Algorithms     []string
	Types          []string
	RequiredClaims []string            `json:"required_claims"`
	Claims         map[string][]string `json:"claims"`
	ClockSkew      int64               `json:"clock_skew_seconds"`
	ClaimsFrom     json.RawMessage     `json:"claims_from"`
}

// Route is an entry of routes.
type Route struct {
	Name    string
	Path    string
	Methods []string
	Hosts   []string
	Auth    string
	Requirements
	AnyOf []Requirements `json:"any_of"`
}

// Requirements are what a route, or an alternative of its any_of, requires of a caller.
type Requirements struct {
	Caller    string
	ScopesAll []string            `json:"scopes_all"`
	ScopesAny []string            `json:"scopes_any"`
	GroupsAny []string            `json:"groups_any"`
	Claims    map[string][]string `json:"claims"`
}

// Read reads a configuration that the parser has accepted.
func Read(config []byte) (*Configured, error) {
	c := &Configured{}
	if err := json.Unmarshal(config, c); err != nil {
		return nil, err
	}
	for i := range c.Routes {
		if r := &c.Routes[i]; r.Name == "" {
			r.Name = r.Path
		}
	}
	for i := range c.Tokens.Providers {
		p := &c.Tokens.Providers[i]
		if p.AudienceClaims == nil {
			p.AudienceClaims = []string{"aud"}
		}
		if p.Types == nil {
			p.Types = []string{"JWT", "at+jwt"}
		}
	}
	return c, nil
}

// provider finds the provider of an issuer, an exact one before one with a placeholder; nil if
// there is none.
func (c *Configured) provider(issuer string) *Provider {
	var found *Provider
	for i := range c.Tokens.Providers {
		p := &c.Tokens.Providers[i]
		if p.Issuer == issuer {
			return p
		}
		if found == nil && strings.Contains(p.Issuer, "{") && fits(p.Issuer, issuer) {
			found = p
		}
	}
	return found
}

// ProviderOf is the name of an issuer's provider; nil if there is none.
func (c *Configured) ProviderOf(issuer *string) *string {
	if issuer == nil {
		return nil
	}
	if p := c.provider(*issuer); p != nil {
		return &p.Name
	}
	return nil
}

// ProviderOfToken is the index of the provider that a token's issuer chooses; -1 if there is none.
func (c *Configured) ProviderOfToken(token string) int {
	_, claims, _ := decode(token)
	issuer, _ := claims["iss"].(string)
	for i := range c.Tokens.Providers {
		if &c.Tokens.Providers[i] == c.provider(issuer) {
			return i
		}
	}
	return -1
}

// issuers are those of the providers that name one.
func (c *Configured) issuers() (out []string) {
	for _, p := range c.Tokens.Providers {
		if p.Issuer != "" {
			out = append(out, p.Issuer)
		}
	}
	return out
}

// fits reports whether an issuer is that of a configured one with a {claim} in place of a segment.
func fits(configured, issuer string) bool {
	want, got := strings.Split(configured, "/"), strings.Split(issuer, "/")
	if len(want) != len(got) {
		return false
	}
	for i, segment := range want {
		placeholder := strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}")
		if segment != got[i] && (!placeholder || got[i] == "" || strings.ContainsAny(got[i], "?#%")) {
			return false
		}
	}
	return true
}
