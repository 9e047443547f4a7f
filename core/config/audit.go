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
		State:         n.str("access_log"),
		Claims:        n.strs("claims"),
		MaxFieldBytes: int(n.num("max_field_bytes")),
	}
	if n.yes("access_log") {
		a.State = defaultState
	}
	a.HTTP = p.auditHTTP(n.get("http"))
	a.Chain = p.chain(n.get("chain"))
	p.openEvents(root)
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

// openEvents makes sure that the events of routes with "audit": "open" go somewhere.
func (p *parser) openEvents(root *node) {
	a := &p.config.Audit
	for i, n := range root.list("routes") {
		open := n.get("audit")
		if n.str("audit") != "open" {
			continue
		}
		p.config.Routes[i].AuditOpen = true
		switch {
		case a.Log == LogNone && a.HTTP == nil:
			p.problem(open, `"open" needs audit.log or audit.http: an access log has one line a request, at its end`)
		case a.Chain != nil && a.State != "":
			p.warn(open, "the access log lacks these events, so its chain has holes: verify audit.log or audit.http")
		}
	}
}

// auditHTTP reads audit.http; nil if there is none.
func (p *parser) auditHTTP(n *node) *AuditHTTP {
	if !n.usable() {
		return nil
	}
	h := &AuditHTTP{
		Cluster:        n.str("cluster"),
		Authority:      n.str("cluster"),
		Path:           n.str("path"),
		BatchEvents:    int(n.num("batch_events")),
		QueueEvents:    int(n.num("queue_events")),
		FlushSeconds:   n.num("flush_seconds"),
		TimeoutSeconds: n.num("timeout_seconds"),
	}
	if queue := n.get("queue_events"); queue.usable() && h.QueueEvents < h.BatchEvents {
		p.problem(queue, "want at least batch_events, "+itoa(int64(h.BatchEvents))+", got "+itoa(int64(h.QueueEvents)))
	}
	headers := n.get("headers")
	if !headers.usable() {
		return h
	}
	seen := map[string]bool{}
	for _, kid := range headers.kids {
		name := strings.ToLower(kid.name)
		switch {
		case slices.Contains(ownHeaders, name):
			p.problem(kid, "Gatehouse sets this header itself")
		case seen[name]:
			p.problem(kid, "the same header twice")
		case !p.secret(kid):
		case !every(kid.text, func(c byte) bool { return c >= ' ' && c <= '~' }):
			p.problem(kid, "want a header value of visible ASCII characters and spaces")
		case name == "host":
			h.Authority = kid.text
		default:
			h.Headers = append(h.Headers, HTTPHeader{name, kid.text})
		}
		seen[name] = true
	}
	return h
}

// ownHeaders are headers of an audit request that the configuration can't set.
var ownHeaders = []string{"connection", "content-length", "content-type", "te", "trailer", "transfer-encoding", "upgrade"}

// defaultState is the filter state of events unless the configuration names another one.
const defaultState = "gatehouse_audit"

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
