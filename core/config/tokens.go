package config

import (
	"strings"

	"gatehouse/core/ascii"
	"gatehouse/core/caller"
	"gatehouse/core/jwt"
	"gatehouse/core/metrics"
)

func (p *parser) tokens(root *node) {
	n := root.get("tokens")
	if n == nil {
		p.config.Tokens.Forward = true
		for _, r := range root.list("routes") {
			if auth := r.str("auth"); auth == "required" || auth == "optional" {
				p.missing(root, "tokens", `required, unless every route is "auth": "none"`)
				return
			}
		}
		return
	}
	t := &p.config.Tokens
	t.Forward = n.yes("forward_token")
	t.CacheEntries = int(n.num("cache_entries"))
	t.MaxTokenBytes = int(n.num("max_token_bytes"))
	p.sources(n)

	names, issuers := newLabels(), issuers{exact: map[string]*node{}}
	for _, kid := range n.list("providers") {
		if name := kid.get("name"); name.usable() {
			if metrics.LabelValue(name.text) == metrics.ProviderNone {
				p.problem(name, quote(name.text)+" is how metrics label the tokens of no provider")
			} else {
				names.add(p, name, name.text, false)
			}
		}
		issuers.add(p, kid.get("issuer"))
		t.Providers = append(t.Providers, p.provider(kid))
	}
	p.ambiguousMetadata(n.list("providers"))
	p.resources(n)
}

func (p *parser) sources(tokens *node) {
	seen := map[Source]*node{}
	for _, n := range tokens.list("token_from") {
		s := Source{Header: strings.ToLower(n.str("header")), Scheme: n.str("scheme"), Cookie: n.str("cookie")}
		p.config.Tokens.From = append(p.config.Tokens.From, s)
		if s.Header == "cookie" {
			p.problem(n.get("header"), `want {"cookie": NAME} for a token in a cookie`)
		}
		// Names that a server could take for each other are one place: a request with a token in
		// either would be refused.
		place := Source{Header: ascii.Fold(s.Header, ascii.FoldHeader), Cookie: ascii.Fold(s.Cookie, ascii.FoldCookie)}
		if first := seen[place]; first != nil && place != (Source{}) {
			p.problem(n, "the same place as "+first.path()+folded(n, first))
		} else {
			seen[place] = n
		}
	}
}

// folded says why two places of other names are one.
func folded(a, b *node) string {
	if strings.EqualFold(a.str("header"), b.str("header")) && a.str("cookie") == b.str("cookie") {
		return ""
	}
	return " to servers that fold names"
}

func (p *parser) provider(n *node) Provider {
	out := Provider{
		Rules: jwt.Rules{
			Name:           n.str("name"),
			Issuer:         n.str("issuer"),
			Audiences:      n.strs("audiences"),
			AnyAudience:    n.yes("any_audience"),
			AudienceClaims: n.strs("audience_claims"),
			Types:          types(n),
			SkewSeconds:    n.num("clock_skew_seconds"),
			RequiredClaims: n.strs("required_claims"),
			Claims:         p.claimRules(n),
		},
		ScopesClaims: n.strs("scopes_claims"),
		GroupsClaims: n.strs("groups_claims"),
		GroupObjects: n.has("groups_claims"),
	}
	out.Profile, _ = caller.ParseProfile(n.str("profile"))
	verifies := n.has("jwks")
	if verifies && !n.has("issuer") {
		p.missing(n, "issuer", "required with jwks")
	}
	switch {
	case n.has("audiences") && out.AnyAudience:
		p.problem(n.get("audiences"), "not together with any_audience")
	case verifies && !n.has("audiences") && n.get("any_audience").usable() && !out.AnyAudience:
		p.missing(n, "audiences", `required with jwks, unless "any_audience": true`)
	}
	out.Algorithms = p.algorithms(n)
	if c := n.get("claims_from"); c.usable() {
		meta := c.get("envoy_metadata")
		out.ClaimsFrom = &ClaimsFrom{meta.str("filter"), meta.str("key"), c.str("failed_status_key")}
	}
	if set := n.get("jwks"); set.usable() {
		if set.has("inline") {
			out.Inline = p.inline(set.get("inline"), out.Algorithms)
		} else {
			out.Remote = p.remote(set)
		}
	}
	return out
}

// types are the token types that a provider accepts, as jwt.Rules wants them (RFC 7515 §4.1.9).
func types(n *node) []string {
	var out []string
	for _, t := range n.strs("types") {
		out = append(out, strings.TrimPrefix(strings.ToLower(t), "application/"))
	}
	return out
}

func (p *parser) algorithms(n *node) jwt.AlgSet {
	var set jwt.AlgSet
	var first jwt.Alg
	for i, kid := range n.list("algorithms") {
		if !kid.usable() {
			continue
		}
		alg, _ := jwt.ParseAlg(kid.text)
		if i == 0 {
			first = alg
		}
		if set != 0 && alg.Symmetric() != first.Symmetric() {
			p.problem(kid, "HS* cannot be mixed with other algorithms in one provider")
		}
		set = set.With(alg)
	}
	return set
}

func (p *parser) remote(n *node) *Remote {
	r := &Remote{
		Cluster:           n.str("cluster"),
		URI:               n.str("uri"),
		RefreshSeconds:    n.num("refresh_seconds"),
		TimeoutSeconds:    n.num("timeout_seconds"),
		MaxStaleSeconds:   n.num("max_stale_seconds"),
		MinRefetchSeconds: n.num("min_refetch_seconds"),
	}
	if n.has("discovery") {
		r.URI, r.Discovery = n.str("discovery"), true
	}
	r.Authority, r.Path, _ = splitURI(r.URI)
	if stale := n.get("max_stale_seconds"); stale.usable() && r.MaxStaleSeconds < r.RefreshSeconds {
		p.problem(stale, "want at least refresh_seconds, "+itoa(r.RefreshSeconds)+", got "+itoa(r.MaxStaleSeconds))
	}
	return r
}

// splitURI splits an http or https URI (RFC 9110 §4.2) into authority and path. It refuses user
// information and fragments, which a request can't carry.
func splitURI(uri string) (authority, path string, ok bool) {
	rest, found := strings.CutPrefix(uri, "https://")
	if !found {
		if rest, found = strings.CutPrefix(uri, "http://"); !found {
			return "", "", false
		}
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 1 || strings.ContainsAny(rest[:slash], "?@") {
		return "", "", false
	}
	visible := every(rest, func(c byte) bool { return c > ' ' && c <= '~' && c != '#' })
	return rest[:slash], rest[slash:], visible
}

// ambiguousMetadata requires an issuer where several providers read the same metadata: only the
// issuer tells them apart.
func (p *parser) ambiguousMetadata(providers []*node) {
	type place struct{ filter, key string }
	at := func(n *node) place {
		meta := n.get("claims_from").get("envoy_metadata")
		return place{meta.str("filter"), meta.str("key")}
	}
	readers := map[place]int{}
	for _, n := range providers {
		readers[at(n)]++
	}
	for _, n := range providers {
		if from := at(n); from.filter != "" && readers[from] > 1 && !n.has("issuer") {
			p.missing(n, "issuer", "required where several providers read the same envoy_metadata")
		}
	}
}
