package config

import (
	"strings"

	"gatehouse/core/ascii"
)

func (p *parser) identity(root *node) {
	n := root.get("identity_headers")
	if !n.usable() || n.kind == isText {
		return
	}
	id := &p.config.Identity
	*id = Identity{Prefix: n.str("prefix"), Fields: n.strs("fields"), Claims: n.strs("claims")}
	p.identityPrefix(n.get("prefix"))
	names := map[string]*node{}
	for _, kid := range n.list("claims") {
		if !kid.usable() {
			continue
		}
		name := IdentityHeader(kid.text)
		if first := names[name]; first != nil {
			p.problem(kid, "the same header as "+first.path()+": claim-"+name)
			continue
		}
		names[name] = kid
	}
}

// IdentityHeader turns a claim's name into the end of a header's name: lower case, with "-" for
// everything but ASCII letters and digits.
func IdentityHeader(claim string) string {
	b := []byte(strings.ToLower(claim))
	for i, c := range b {
		if !ascii.IsAlnum(c) {
			b[i] = '-'
		}
	}
	return string(b)
}

// needed are the headers that requests need: names, or prefixes of names, which end in "-". A name
// without "-" is not listed, because no identity prefix can match it.
var needed = []string{
	"x-forwarded-", "x-request-", "x-envoy-", "x-ratelimit-", "x-b3-", "accept-", "access-control-", "content-", "grpc-", "if-", "proxy-", "sec-",
	"cache-control", "keep-alive", "max-forwards", "transfer-encoding", "user-agent",
}

// identityPrefix refuses a prefix that matches headers which requests need: every client header
// with the prefix is removed.
func (p *parser) identityPrefix(n *node) {
	if !n.usable() {
		return
	}
	for _, s := range needed {
		what := "the header " + s
		family := strings.HasSuffix(s, "-")
		if family {
			what = "the headers " + s + "*"
		}
		if strings.HasPrefix(s, n.text) || family && strings.HasPrefix(n.text, s) {
			p.problem(n, "want a prefix of your own: "+quote(n.text)+" would remove "+what)
			return
		}
	}
	for _, s := range p.config.Tokens.From {
		if strings.HasPrefix(IdentityHeader(s.Header), n.text) {
			p.problem(n, "want a prefix of your own: "+quote(n.text)+" would remove the token's header "+s.Header)
			return
		}
	}
}
