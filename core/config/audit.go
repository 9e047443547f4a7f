package config

import (
	"slices"
	"strings"
)

func (p *parser) audit(root *node) {
	n := root.get("audit")
	a := &p.config.Audit
	*a = Audit{
		Enabled:       n.yes("enabled"),
		Log:           LogLevel(max(0, slices.Index(logLevels, n.str("log")))),
		AccessLog:     n.yes("access_log"),
		Claims:        n.strs("claims"),
		MaxFieldBytes: int(n.num("max_field_bytes")),
	}
	for _, kid := range n.list("exclude_paths") {
		a.Exclude = append(a.Exclude, p.pattern(kid))
	}
	for _, kid := range n.list("headers") {
		if kid.usable() {
			a.Headers = append(a.Headers, p.auditHeader(kid, a.Headers))
		}
	}
	for _, kid := range n.list("claims") {
		if kid.usable() && p.carriesToken(kid.text) {
			p.problem(kid, wantNoToken)
		}
	}
}

const wantNoToken = "want none of authorization, cookie and the headers in tokens.token_from"

func (p *parser) auditHeader(n *node, earlier []string) string {
	name := strings.ToLower(n.text)
	switch {
	case p.carriesToken(name):
		p.problem(n, wantNoToken)
	case slices.Contains(earlier, name):
		p.problem(n, quote(name)+" is already in the list")
	}
	return name
}

// carriesToken reports whether a header may hold a credential.
func (p *parser) carriesToken(name string) bool {
	if name == "authorization" || name == "proxy-authorization" || name == "cookie" {
		return true
	}
	return slices.ContainsFunc(p.config.Tokens.From, func(s Source) bool { return s.Header == name })
}

// pattern's paths and the routes' are one grammar; what follows is about the headers that the upstream gets.

func (p *parser) identity(root *node) {
	n := root.get("identity_headers")
	if !n.usable() || n.kind == isText {
		return
	}
	id := &p.config.Identity
	*id = Identity{Prefix: n.str("prefix"), Claims: n.strs("claims")}
	p.identityPrefix(n.get("prefix"))
	names := map[string]*node{}
	for _, kid := range n.list("claims") {
		if !kid.usable() {
			continue
		}
		name := IdentityHeader(kid.text)
		if first := names[name]; first != nil {
			p.problem(kid, "the same header as "+first.path()+": "+id.Prefix+"claim-"+name)
			continue
		}
		names[name] = kid
	}
}

// IdentityHeader is a claim's name as the end of a header's: in lower case, all but ASCII letters and digits as "-".
func IdentityHeader(claim string) string {
	b := []byte(strings.ToLower(claim))
	for i, c := range b {
		if !isAlnum(c) {
			b[i] = '-'
		}
	}
	return string(b)
}

// standing are beginnings of headers that requests need on their way.
var standing = []string{"accept-", "content-", "grpc-", "if-", "sec-", "x-b3-", "x-envoy-", "x-forwarded-", "x-ratelimit-", "x-request-"}

// identityPrefix refuses prefixes that would take other people's headers away: what begins with the prefix is removed from
// every request.
func (p *parser) identityPrefix(n *node) {
	if !n.usable() {
		return
	}
	for _, s := range standing {
		if strings.HasPrefix(s, n.text) || strings.HasPrefix(n.text, s) {
			p.problem(n, "want a prefix of your own: "+quote(n.text)+" would remove the headers "+s+"*")
			return
		}
	}
	for _, s := range p.config.Tokens.From {
		if strings.HasPrefix(strings.ReplaceAll(s.Header, "_", "-"), n.text) {
			p.problem(n, "want a prefix of your own: "+quote(n.text)+" would remove the token's header "+s.Header)
			return
		}
	}
}
