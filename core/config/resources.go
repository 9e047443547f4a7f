package config

import (
	"strings"

	"gatehouse/core/policy"
)

// Resource is a protected resource whose metadata the Gate publishes (RFC 9728).
type Resource struct {
	Scheme               string               // https, or http for a loopback host; "" with Hosts, where the host decides
	Authority            string               // as configured; "" with Hosts
	Host                 string               // the authority's host in canonical form; "" with Hosts
	Port                 string               // the authority's, or the scheme's; "" with Hosts
	Hosts                []policy.HostPattern // the hosts of a resource whose authority is the request's
	Path                 string               // "" or begins with a slash
	Scopes               []string
	AuthorizationServers []string
}

// parseResource reads an identifier with an authority of its own.
func parseResource(s string) (r Resource, ok bool) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found || strings.ContainsAny(rest, "?#") {
		return r, false
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		slash = len(rest)
	}
	r.Scheme, r.Authority, r.Path = scheme, rest[:slash], rest[slash:]
	if r.Host, ok = policy.NormalizeHost(r.Authority); !ok {
		return r, false
	}
	r.Port = PortOf(r.Authority, scheme)
	return r, scheme == "https" || scheme == "http" && IsLoopback(r.Host)
}

// isResourceURL is the shape of such an identifier; what a host may be is left to parseResource.
func isResourceURL(s string) bool {
	visible := every(s, func(c byte) bool { return c > ' ' && c <= '~' && c != '?' && c != '#' })
	if rest, https := strings.CutPrefix(s, "https://"); https {
		return visible && rest != "" && rest[0] != '/'
	}
	rest, http := strings.CutPrefix(s, "http://")
	authority, _, _ := strings.Cut(rest, "/")
	host := authority
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && i < len(authority)-1 && strings.Trim(authority[i+1:], "0123456789") == "" {
		host = authority[:i]
	}
	return visible && http && (IsLoopback(host) && host != "127." || IsLoopback(authority) && authority != "127.")
}

// resourceURL reads a URL that a resource names. It reports one whose authority can't be.
func (p *parser) resourceURL(n *node) Resource {
	r, ok := parseResource(n.text)
	if !ok {
		p.problem(n, "want "+resourceFormat.Want+", got "+quote(n.text))
	}
	return r
}

// PortOf is an authority's port, or its scheme's.
func PortOf(authority, scheme string) string {
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		return authority[i+1:]
	}
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// IsLoopback reports whether a host in canonical form names this machine.
func IsLoopback(host string) bool {
	return host == "localhost" || host == "[::1]" || strings.HasPrefix(host, "127.") && strings.Trim(host, "0123456789.") == ""
}

func (p *parser) resources(n *node) {
	list := n.list("resources")
	places := map[string]*node{}
	for _, kid := range list {
		r := p.resource(kid)
		p.config.Tokens.Resources = append(p.config.Tokens.Resources, r)
		for _, place := range r.places() {
			if first := places[place]; first != nil {
				p.problem(kid, "its metadata has the same address as that of "+first.path())
				break
			}
			places[place] = kid
		}
	}
}

func (p *parser) resource(n *node) Resource {
	identifier := n.get("identifier")
	var r Resource
	where := identifier
	if identifier.usable() && identifier.kind == isText {
		r = p.resourceURL(identifier)
	} else {
		where = identifier.get("path")
		r.Path = strings.TrimSuffix(identifier.str("path"), "/")
		for _, kid := range identifier.list("hosts") {
			if host, err := policy.ParseHost(kid.text); err != nil && kid.usable() {
				p.problem(kid, err.Error()+", got "+quote(kid.text))
			} else {
				r.Hosts = append(r.Hosts, host)
			}
		}
	}
	if r.Path != "" && where.usable() {
		if normal, safe := policy.NormalizePath(r.Path); !safe || normal != r.Path {
			p.problem(where, "want a path as requests have it once it is decoded, without dot segments, empty segments and escapes")
		}
	}
	r.Scopes = n.strs("scopes")
	r.AuthorizationServers = n.strs("authorization_servers")
	for _, kid := range n.list("authorization_servers") {
		if kid.usable() {
			p.resourceURL(kid)
		}
	}
	if !n.has("authorization_servers") {
		r.AuthorizationServers = p.httpsIssuers()
		if len(r.AuthorizationServers) == 0 {
			p.missing(n, "authorization_servers", "required: no provider has an https issuer")
		}
	}
	return r
}

// httpsIssuers are the providers' issuers that a client can ask for their metadata.
func (p *parser) httpsIssuers() (out []string) {
	for i := range p.config.Tokens.Providers {
		issuer := p.config.Tokens.Providers[i].Issuer
		if strings.HasPrefix(issuer, "https://") && !strings.Contains(issuer, "{") {
			out = append(out, issuer)
		}
	}
	return out
}

// places are where a resource's metadata is, as text that is the same for the same place.
func (r *Resource) places() (out []string) {
	path := strings.TrimSuffix(r.Path, "/")
	if r.Host != "" {
		return []string{r.Host + ":" + r.Port + path}
	}
	for _, h := range r.Hosts {
		out = append(out, h.String()+path)
	}
	return out
}
