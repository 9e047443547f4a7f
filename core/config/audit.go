package config

import (
	"slices"
	"strings"

	"gatehouse/core/audit"
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
	a.Chain = p.chain(n.get("chain"))
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
			p.problem(kid, auditNever)
		}
	}
}

// chain reads audit.chain; nil if there is none.
func (p *parser) chain(n *node) *Chain {
	key := n.get("hmac_key")
	if key == nil || !p.secret(key) {
		return nil
	}
	bytes, err := audit.ParseKey(key.text)
	if err != nil {
		p.problem(key, err.Error())
		return nil
	}
	return &Chain{KeyID: n.str("key_id"), Key: bytes}
}

const auditNever = "want none of authorization, proxy-authorization, cookie and the headers in tokens.token_from"

func (p *parser) auditHeader(n *node, earlier []string) string {
	name := strings.ToLower(n.text)
	switch {
	case p.carriesToken(name):
		p.problem(n, auditNever)
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
