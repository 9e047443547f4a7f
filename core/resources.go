package core

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse/core/config"
	"gatehouse/core/metrics"
	"gatehouse/core/policy"
	"gatehouse/core/reason"
)

// wellKnown stands between a resource's authority and its path in the address of its metadata (RFC
// 9728 §3.1).
const wellKnown = "/.well-known/oauth-protected-resource"

// AnswerDetails are the response code details of an answer (Verdict Answer).
const AnswerDetails = "gatehouse_" + metrics.RouteMetadata

// published is a protected resource (RFC 9728) as the Gate publishes it.
type published struct {
	*config.Resource
	path string // as requests are matched: letters are folded if the configuration ignores their case
	tree string // the path without a slash at its end: all at or below it belongs to the resource
	tail string // the metadata document behind the value of "resource"
}

// prepareResources writes the documents, as far as they don't depend on a request.
func (g *Gate) prepareResources() {
	for i := range g.cfg.Tokens.Resources {
		r := &g.cfg.Tokens.Resources[i]
		tail := append([]byte(`,"authorization_servers":`), jsonList(r.AuthorizationServers)...)
		if len(r.Scopes) > 0 { // an empty list must be left out (RFC 9728 §3.2)
			tail = append(append(tail, `,"scopes_supported":`...), jsonList(r.Scopes)...)
		}
		tail = append(append(tail, `,"bearer_methods_supported":`...), jsonList(g.bearerMethods())...)
		p := published{Resource: r, tail: string(append(tail, '}'))}
		if r.Path != "" {
			p.path, _, _ = g.cfg.Paths.Read(r.Path)
		}
		p.tree = strings.TrimSuffix(p.path, "/")
		g.published = append(g.published, p)
	}
}

// bearerMethods are the ways to send a token that RFC 6750 has a name for. A cookie has none.
func (g *Gate) bearerMethods() []string {
	for i := range g.cfg.Tokens.From {
		if g.cfg.Tokens.From[i].Header != "" {
			return []string{"header"}
		}
	}
	return nil
}

func jsonList(list []string) []byte {
	out := []byte{'['}
	for i, s := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, s) // the configuration's strings are UTF-8
	}
	return append(out, ']')
}

// answerMetadata answers a request for a resource's metadata, and reports whether r is one.
func (g *Gate) answerMetadata(r *Request, d *Decision) bool {
	t := &r.target
	if len(g.published) == 0 || t.unsafe != reason.None || len(t.otherPaths) > 0 {
		return false
	}
	preflight := r.preflightMethod() != ""
	suffix, ok := strings.CutPrefix(t.path, wellKnown)
	if !ok || r.Method != "GET" && r.Method != "HEAD" && !preflight {
		return false
	}
	for i := range g.published {
		if p := &g.published[i]; (p.path == suffix || p.path == "/" && suffix == "") && p.isAt(t.host, r.Host) {
			d.Verdict, d.metadata, d.identified = Answer, true, true
			g.writeMetadata(p, r, d, preflight)
			g.Count(g.metrics.MetadataRequests(), 1)
			g.Count(g.metrics.Callers(d.callerKind()), 1)
			return true
		}
	}
	return false
}

// writeMetadata is the answer. Pages of all origins may read it: it is public.
func (g *Gate) writeMetadata(p *published, r *Request, d *Decision, preflight bool) {
	d.Status = 200
	d.respond("access-control-allow-origin", "*")
	d.respond("access-control-allow-headers", "*")
	if p.Host == "" { // the next request for another host gets another document
		d.respond("cache-control", "no-store")
	}
	if preflight {
		d.Status = 204
		return
	}
	d.respond("content-type", "application/json")
	start := len(d.text)
	d.text = append(d.text, `{"resource":"`...)
	d.text = p.appendOrigin(d.text, r.Host)
	d.text = append(append(append(d.text, p.Path...), '"'), p.tail...)
	d.Body = d.textFrom(start)
}

// appendOrigin appends the scheme and authority of the resource in a request for host. An authority
// and a path in normal form have no characters that JSON or a quoted string must escape.
func (p *published) appendOrigin(dst []byte, host string) []byte {
	scheme, authority := p.Scheme, p.Authority
	if p.Host == "" {
		scheme, authority = "https", host
		if name, _ := policy.NormalizeHost(host); config.IsLoopback(name) {
			scheme = "http"
		}
	}
	return append(append(append(dst, scheme...), "://"...), authority...)
}

// isAt reports whether a request is for the resource's authority. host is the request's, in
// canonical form.
func (p *published) isAt(host, authority string) bool {
	if p.Host != "" {
		return p.Host == host && p.Port == config.PortOf(authority, p.Scheme)
	}
	for i := range p.Hosts {
		if p.Hosts[i].Match(host) {
			return true
		}
	}
	return false
}

// metadataParam is the challenge parameter that leads to the metadata of the resource to which a
// refused request belongs, "" if there is none. Of several resources it is the one with the longest
// path.
func (g *Gate) metadataParam(r *Request, d *Decision, why reason.Reason) string {
	if len(g.published) == 0 || why.Status() != 401 && why != reason.InsufficientScope {
		return ""
	}
	t := &r.target
	if t.unsafe != reason.None {
		return ""
	}
	var found *published
	for i := range g.published {
		p := &g.published[i]
		rest, below := strings.CutPrefix(t.path, p.tree)
		if below && (rest == "" || rest[0] == '/') && (found == nil || len(p.tree) > len(found.tree)) && p.isAt(t.host, r.Host) {
			found = p
		}
	}
	if found == nil {
		return ""
	}
	start := len(d.text)
	d.text = append(d.text, `, resource_metadata="`...)
	d.text = append(found.appendOrigin(d.text, r.Host), wellKnown...)
	if found.Path != "/" { // the slash of a bare host is left out (RFC 9728 §3.1)
		d.text = append(d.text, found.Path...)
	}
	d.text = append(d.text, '"')
	return d.textFrom(start)
}
