package core

import (
	"slices"

	"gatehouse/core/caller"
	"gatehouse/core/policy"
	"gatehouse/core/reason"

	"github.com/go-json-experiment/json/jsontext"
)

// authorize applies what the route requires to the caller. One of the route's alternatives must
// hold. If none does, the reason is that of the alternative that got furthest, of equal ones the
// first.
func (g *Gate) authorize(_ *Request, d *Decision) reason.Reason {
	route := g.table.Route(d.Route)
	if d.exempt {
		return reason.None
	}
	if d.Principal == nil {
		if slices.ContainsFunc(route.AnyOf, func(r policy.Requirement) bool { return r.Empty() }) {
			return reason.None
		}
		return reason.MissingToken
	}
	for i := range route.AnyOf {
		s := d.Principal.lacks(&route.AnyOf[i])
		if s.why == reason.None {
			d.lack = lack{}
			return reason.None
		}
		if i == 0 || s.step > d.lack.step {
			d.lack = s
		}
	}
	return d.lack.why
}

// lack is what a caller lacks of a requirement.
type lack struct {
	why    reason.Reason // None for nothing
	step   int           // how far the caller got: 0 caller, 1 scopes, 2 groups, 3 claims
	field  string        // the requirement's field that failed; "" for caller
	values []string      // the field's values; of claims, those of the claim
	claim  string        // the claim's name, if field is "claims"
}

// lacks compares the caller with a requirement, in the order caller, scopes, groups, claims.
func (p *Principal) lacks(r *policy.Requirement) lack {
	switch {
	case !r.Caller.Admits(p.Kind) && r.Caller == caller.Human:
		return lack{why: reason.HumanRequired}
	case !r.Caller.Admits(p.Kind):
		return lack{why: reason.MachineRequired}
	case !containsAll(p.Scopes, r.ScopesAll):
		return lack{reason.InsufficientScope, 1, "scopes_all", r.ScopesAll, ""}
	case len(r.ScopesAny) > 0 && !containsAny(p.Scopes, r.ScopesAny):
		return lack{reason.InsufficientScope, 1, "scopes_any", r.ScopesAny, ""}
	case len(r.GroupsAny) > 0 && !containsAny(p.Groups, r.GroupsAny):
		return lack{reason.GroupRequired, 2, "groups_any", r.GroupsAny, ""}
	}
	for i := range r.Claims {
		if c := &r.Claims[i]; !p.Claims.HasAny(c.Name, c.Values) {
			return lack{reason.ClaimRequired, 3, "claims", c.Values, c.Name}
		}
	}
	return lack{}
}

// appendJSON appends what failed as metadata.required has it: {"scopes_all":["a"]}. It appends
// nothing if no field of the requirement's failed, or only caller.
func (l *lack) appendJSON(dst []byte) []byte {
	if l.field == "" {
		return dst
	}
	dst = append(dst, `{"`...)
	dst = append(dst, l.field...)
	dst = append(dst, `":`...)
	if l.claim != "" {
		dst = appendQuoted(append(dst, '{'), l.claim)
		dst = append(dst, ':')
	}
	for i, v := range l.values {
		separator := byte(',')
		if i == 0 {
			separator = '['
		}
		dst = appendQuoted(append(dst, separator), v)
	}
	dst = append(dst, "]}"...)
	if l.claim != "" {
		dst = append(dst, '}')
	}
	return dst
}

// appendQuoted appends a JSON string. The configuration's strings are UTF-8: nothing else passes
// the parser.
func appendQuoted(dst []byte, s string) []byte {
	quoted, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		return append(dst, `""`...)
	}
	return quoted
}

// contains and those below aren't inlined, which would cost the module 2 kB.
//
//go:noinline
func contains(list []string, s string) bool { return s != "" && slices.Contains(list, s) }

//go:noinline
func containsAny(have, want []string) bool {
	for _, w := range want {
		if contains(have, w) {
			return true
		}
	}
	return false
}

//go:noinline
func containsAll(have, want []string) bool {
	for _, w := range want {
		if !contains(have, w) {
			return false
		}
	}
	return true
}
