package core

import (
	"slices"
	"strings"

	"gatehouse/core/caller"
	"gatehouse/core/claims"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/jwt"
	"gatehouse/core/ratelimit"
)

// Principal is what a verified token says about its bearer. All requests with the same token share
// it, and what it says never changes.
type Principal struct {
	Provider  int
	Issuer    string
	UserID    string // the subject; a machine without one has its client's id, anybody else ""
	ClientID  string
	Kind      caller.Kind
	Evidence  string // the name of the rule that decided Kind
	Scopes    []string
	Groups    []string
	Claims    claims.Set
	NotBefore clock.Wall // 0 for none
	Expires   clock.Wall

	namespace    string   // of user ids, client ids and claims: the provider, and the tenant where it has many
	userIsClient bool     // UserID is the client's id, as the token has no subject
	headers      []Header // identity headers for the upstream
	limitKeys    []limitKey
}

// limitKey is the key under which a limit counts all requests of a principal.
type limitKey struct {
	id    ratelimit.ID
	known bool
}

func (g *Gate) newPrincipal(res *jwt.Result) *Principal {
	provider := &g.cfg.Tokens.Providers[res.Provider]
	verdict := caller.Classify(provider.Profile, res.Claims)
	p := &Principal{
		Provider: res.Provider, Issuer: res.Issuer,
		ClientID: caller.ClientID(res.Claims),
		Kind:     verdict.Kind, Evidence: verdict.Evidence,
		Scopes: caller.Scopes(res.Claims, provider.ScopesClaims),
		Groups: caller.Groups(res.Claims, provider.GroupsClaims, provider.GroupObjects),
		Claims: res.Claims, NotBefore: res.NotBefore, Expires: res.Expires,
		namespace: provider.Name,
	}
	if res.Segment != "" {
		p.namespace += "/" + res.Segment // a provider's name has no slash, nor has a segment
	}
	p.UserID, p.userIsClient = caller.UserID(res.Claims, p.Kind)
	p.headers = identityHeaders(&g.cfg.Identity, p)
	return p
}

// holder is whom a token names that was refused although its signature holds: the event says so.
type holder struct{ userID, clientID, issuer string }

func (g *Gate) holderOf(res *jwt.Result) holder {
	kind := caller.Classify(g.cfg.Tokens.Providers[res.Provider].Profile, res.Claims).Kind
	userID, _ := caller.UserID(res.Claims, kind)
	issuer := res.Issuer
	if issuer == "" {
		issuer, _ = res.Claims.String("iss")
	}
	// Copies, as these are parts of all the claims, which a refused request need not keep.
	return holder{strings.Clone(userID), strings.Clone(caller.ClientID(res.Claims)), strings.Clone(issuer)}
}

// identityHeaders are the headers that tell the upstream who is calling. A property that the token
// lacks has no header.
func identityHeaders(id *config.Identity, p *Principal) []Header {
	if id.Prefix == "" {
		return nil
	}
	out := identityFields{prefix: id.Prefix, fields: id.Fields, headers: make([]Header, 0, 6+len(id.Claims))}
	out.addText("user-id", p.UserID)
	out.addText("client-id", p.ClientID)
	out.addText("caller", p.Kind.String())
	out.addText("issuer", p.Issuer)
	out.add("scopes", joined(p.Scopes))
	out.add("groups", joined(p.Groups))
	out.all = true
	for _, name := range id.Claims {
		out.add("claim-"+config.IdentityHeader(name), string(appendClaim(nil, p.Claims.Get(name))))
	}
	return out.headers
}

type identityFields struct {
	prefix  string
	fields  []string // those that are sent
	all     bool     // the others too
	headers []Header
}

//go:noinline
func (f *identityFields) addText(name, value string) { f.add(name, escaped(value, false)) }

// add, like addText, isn't inlined: that would cost the module 10 kB.
//
//go:noinline
func (f *identityFields) add(name, value string) {
	if len(value) > 0 && (f.all || slices.Contains(f.fields, name)) {
		f.headers = append(f.headers, Header{f.prefix + name, value})
	}
}

// appendClaim writes a claim as the value of a header: a string as text, a number or boolean as
// JSON writes it, a list as a list of these. It writes nothing for an object or null.
func appendClaim(dst []byte, v claims.Value) []byte {
	switch v.Kind() {
	case claims.String:
		text, _ := v.Text()
		return appendEscaped(dst, text, false)
	case claims.Number, claims.Bool:
		return append(dst, v.Raw()...)
	case claims.List:
		for i, e := range v.Elements() {
			if i > 0 {
				dst = append(dst, ',')
			}
			if text, ok := e.Text(); ok {
				dst = appendEscaped(dst, text, true)
			} else if k := e.Kind(); k == claims.Number || k == claims.Bool {
				dst = append(dst, e.Raw()...)
			}
		}
	}
	return dst
}

// joined is a list as a header's value.
func joined(list []string) string {
	var out []byte
	for i, s := range list {
		if out == nil {
			if len(list) == 1 {
				return escaped(s, true)
			}
			out = make([]byte, 0, 64)
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = appendEscaped(out, s, true)
	}
	return string(out)
}

// escaped is what appendEscaped writes: s itself, where nothing needs to be encoded.
func escaped(s string, inList bool) string {
	for i := range len(s) {
		if mustEscape(s[i], inList) {
			return string(appendEscaped(make([]byte, 0, 2*len(s)), s, inList))
		}
	}
	return s
}

func mustEscape(c byte, inList bool) bool {
	return c <= ' ' || c >= 0x7f || c == '%' || inList && c == ','
}

// appendEscaped percent-encodes every byte that a header can't carry or that would be ambiguous:
// "%", bytes outside visible ASCII and, in lists, commas.
//
//go:noinline
func appendEscaped(dst []byte, s string, inList bool) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if mustEscape(c, inList) {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
