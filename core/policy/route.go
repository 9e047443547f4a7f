// Package policy has the routes: which paths, methods and hosts they match, and what they require
// of a caller.
package policy

import (
	"slices"

	"gatehouse/core/caller"
)

// Auth says whether a route requires a token.
type Auth uint8

// The zero value is the strictest.
const (
	Required Auth = iota // a valid token is required
	Optional             // no token, or a valid one
	None                 // tokens are ignored
)

// ClaimRule requires that a claim is one of some values, or a list that has one of them.
type ClaimRule struct {
	Name   string // a literal member first, then a dotted path
	Values []string
}

// Requirement is what a caller must have: all of it.
type Requirement struct {
	Caller    caller.Kind // the only kind that is admitted, or caller.Any
	ScopesAll []string    // every one of them
	ScopesAny []string    // one of them
	GroupsAny []string    // one of them
	Claims    []ClaimRule
}

// Empty reports whether nothing is required, so that an anonymous caller meets the requirement too.
func (r *Requirement) Empty() bool {
	return r.Caller == caller.Any && len(r.ScopesAll)+len(r.ScopesAny)+len(r.GroupsAny)+len(r.Claims) == 0
}

// Route is one entry of the configuration's routes. Names are resolved to indexes.
type Route struct {
	Name    string // label of metrics and audit events
	Pattern Pattern
	Methods []string      // compared with case (RFC 9110 §9.1); none: all. GET does not include HEAD
	Hosts   []HostPattern // none: all

	Auth  Auth
	AnyOf []Requirement // one of them must hold; there is at least one

	RateLimits []int  // indexes of the limits that apply, in configuration order
	Cost       uint64 // what a request charges to each of them
	Audit      bool
	AuditOpen  bool // one more event when a request is admitted

	CORSPass        bool  // CORS preflights pass unauthenticated
	PreflightLimits []int // those of RateLimits that a preflight charges if it passes
}

// admits reports whether the route matches a request whose path matches.
func (r *Route) admits(host, method string) bool {
	return r.admitsMethod(method) && r.admitsHost(host)
}

func (r *Route) admitsMethod(method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method)
}

func (r *Route) admitsHost(host string) bool {
	for _, h := range r.Hosts {
		if h.Match(host) {
			return true
		}
	}
	return len(r.Hosts) == 0
}
