package explain

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Comparison is one thing that was seen, and what the configuration wants of it.
type Comparison struct {
	What       string   `json:"what"`
	Seen       []string `json:"seen"` // nil: it wasn't there, or isn't known
	Configured []string `json:"configured"`
	OK         bool     `json:"ok"`
}

// Caller is what is known about a caller.
type Caller struct {
	Kind           string
	Scopes, Groups []string
}

// Token compares a token with its provider, in the order in which a token is judged. It verifies
// nothing. keys are the ids of the provider's keys, nil if they aren't known; now is in Unix
// seconds.
func (c *Configured) Token(token string, keys []string, now int64) (out []Comparison) {
	header, claims, ok := decode(token)
	if !ok {
		return nil
	}
	add := func(what string, seen, configured []string, ok bool) {
		out = append(out, Comparison{what, seen, configured, ok})
	}
	issuer, _ := claims["iss"].(string)
	p := c.provider(issuer)
	if p == nil && issuer == "" && len(c.Tokens.Providers) == 1 && c.Tokens.Providers[0].Issuer == "" {
		p = &c.Tokens.Providers[0] // one that takes its claims from Envoy may leave the issuer out
	}
	if p == nil || p.Issuer != "" {
		add("issuer", present(claims["iss"]), c.issuers(), p != nil)
	}
	if p == nil {
		return out
	}
	if p.ClaimsFrom == nil {
		alg := texts(header["alg"])
		add("algorithm", alg, p.Algorithms, len(alg) == 1 && (slices.Contains(p.Algorithms, alg[0]) || isEdDSA(alg[0]) && slices.ContainsFunc(p.Algorithms, isEdDSA)))
		if keys != nil {
			kid := texts(header["kid"])
			add("key id", kid, keys, len(kid) == 0 || slices.Contains(keys, kid[0]))
		}
		typ := texts(header["typ"])
		add("type", typ, p.Types, len(typ) == 0 || slices.ContainsFunc(p.Types, func(t string) bool { return mediaType(t) == mediaType(typ[0]) }))
	}
	exp, hasExp := number(claims["exp"])
	add("expires", moments(claims["exp"]), []string{"after " + moment(now-p.ClockSkew)}, hasExp && float64(now-p.ClockSkew) < exp)
	if nbf, has := number(claims["nbf"]); has {
		add("not before", moments(claims["nbf"]), []string{"at or before " + moment(now+p.ClockSkew)}, nbf <= float64(now+p.ClockSkew))
	}
	c.compareAudience(p, claims, add)
	for _, name := range p.RequiredClaims {
		v := claim(claims, name)
		add("claim "+name, present(v), []string{"any"}, v != nil)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Claims)) {
		seen := texts(claim(claims, name))
		add("claim "+name, seen, p.Claims[name], slices.Contains(p.Claims[name], "*") && len(seen) > 0 || common(seen, p.Claims[name]))
	}
	return out
}

func (c *Configured) compareAudience(p *Provider, claims map[string]any, add func(string, []string, []string, bool)) {
	if len(p.Audiences) == 0 {
		return
	}
	what, seen := p.AudienceClaims[0], []string(nil)
	for _, name := range p.AudienceClaims {
		if v := claim(claims, name); v != nil {
			what, seen = name, texts(v)
			break
		}
	}
	name := "audience"
	if what != "aud" {
		name += " (" + what + ")"
	}
	add(name, seen, p.Audiences, common(seen, p.Audiences))
}

// Route compares a caller with what a route requires. claims are the verified token's.
func (c *Configured) Route(route int, caller Caller, claims []byte) (out []Comparison) {
	if route < 0 || route >= len(c.Routes) || c.Routes[route].Auth == "none" {
		return nil
	}
	var values map[string]any
	_ = json.Unmarshal(claims, &values) // without them each claim is absent
	r := &c.Routes[route]
	if len(r.AnyOf) == 0 {
		return r.compare("", caller, values)
	}
	for i, way := range r.AnyOf {
		out = append(out, way.compare("any_of["+strconv.Itoa(i)+"].", caller, values)...)
	}
	return out
}

func (q *Requirements) compare(prefix string, caller Caller, claims map[string]any) (out []Comparison) {
	if q.Caller != "" && q.Caller != "any" {
		out = append(out, Comparison{prefix + "caller", []string{caller.Kind}, []string{q.Caller}, caller.Kind == q.Caller})
	}
	if len(q.ScopesAll) > 0 {
		all := !slices.ContainsFunc(q.ScopesAll, func(s string) bool { return !slices.Contains(caller.Scopes, s) })
		out = append(out, Comparison{prefix + "scopes_all", caller.Scopes, q.ScopesAll, all})
	}
	if len(q.ScopesAny) > 0 {
		out = append(out, Comparison{prefix + "scopes_any", caller.Scopes, q.ScopesAny, common(caller.Scopes, q.ScopesAny)})
	}
	if len(q.GroupsAny) > 0 {
		out = append(out, Comparison{prefix + "groups_any", caller.Groups, q.GroupsAny, common(caller.Groups, q.GroupsAny)})
	}
	for _, name := range slices.Sorted(maps.Keys(q.Claims)) {
		seen := texts(claim(claims, name))
		out = append(out, Comparison{prefix + "claim " + name, seen, q.Claims[name], common(seen, q.Claims[name])})
	}
	return out
}

func common(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// decode reads a JWS without verifying it.
func decode(token string) (header, claims map[string]any, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, false
	}
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(text, into) != nil {
			return nil, nil, false
		}
	}
	return header, claims, true
}

// claim finds a claim: a literal member first, then a dotted path.
func claim(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	for i := range len(name) {
		if name[i] != '.' {
			continue
		}
		if below, ok := claims[name[:i]].(map[string]any); ok {
			if v := claim(below, name[i+1:]); v != nil {
				return v
			}
		}
	}
	return nil
}

// texts are a claim's values: a string, or a list's strings.
func texts(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case bool:
		return []string{strconv.FormatBool(v)}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case []any:
		for _, e := range v {
			out = append(out, texts(e)...)
		}
	}
	return out
}

// present is a claim's value as JSON, whatever its type; nil for none.
func present(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return []string{string(text)}
}

func number(v any) (float64, bool) {
	f, ok := v.(float64)
	return f, ok
}

// moments is a date claim in words a person can compare; another type as it is.
func moments(v any) []string {
	if f, ok := v.(float64); ok && math.Abs(f) < 1e11 {
		return []string{moment(int64(f))}
	}
	return present(v)
}

func moment(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

func mediaType(s string) string { return strings.TrimPrefix(strings.ToLower(s), "application/") }

func isEdDSA(alg string) bool { return alg == "EdDSA" || alg == "Ed25519" }
