package manifest

import (
	"net/netip"
	"strconv"
	"strings"
)

const looksLikeNone = "without it a bad token looks like none"

// check looks at what a chain of filters, and the connection manager that has it, do to the gates
// in it.
func (c *chain) check(around *surroundings) {
	states := map[string]*filter{}
	for i := range c.filters {
		f := &c.filters[i]
		if f.plugin == nil {
			continue
		}
		if f.plugin.tree.get("admin") != nil {
			c.checkAdmin(f.plugin)
			continue // no gate
		}
		c.checkJWT(f.plugin, i)
		c.checkDisabled(f, around)
		c.checkAddress(f.plugin)
		c.checkQUIC(f.plugin)
		c.checkRedirects(f.plugin, around)
		for _, behind := range c.filters[i+1:] {
			if behind.typeName == corsType {
				f.plugin.warn(behind.entry, "http_filters", "the cors filter stands behind the gate, which refuses its preflights: put it in front")
			}
		}
		if state := f.plugin.auditState(); state != "" {
			if first := states[state]; first != nil {
				f.plugin.warn(f.entry, "audit.access_log", "two gates in one chain write the filter state wasm."+state+
					", and the last one overwrites the other's event: give one a name of its own")
			}
			states[state] = f
		}
	}
}

// checkAdmin looks for an admin API that others than this machine can reach.
func (c *chain) checkAdmin(p *Plugin) {
	address := c.listener.field("address", "socket_address", "address")
	if address == nil {
		return // a pipe, or a part of a listener
	}
	if ip, err := netip.ParseAddr(address.text()); err != nil || !ip.IsLoopback() {
		p.warn(address, "admin", "the admin API's listener isn't bound to loopback: want address 127.0.0.1 or ::1, got "+address.text())
	}
}

// checkJWT looks at jwt_authn filters around the gate at index at.
func (c *chain) checkJWT(p *Plugin, at int) {
	from := p.claimsFrom()
	inFront, behind := false, false
	for i := range c.filters {
		f := &c.filters[i]
		if f.typeName != jwtType {
			continue
		}
		if i > at {
			behind = true
			continue
		}
		inFront = true
		p.hiddenFailures(f.body)
		for _, m := range f.body.field("providers").fields() {
			p.checkJWTProvider(m, from)
		}
		p.checkPayload(f.body, f.name(), from)
	}
	for _, s := range from {
		switch {
		case s.filter != "envoy.filters.http.jwt_authn" || inFront:
		case behind:
			p.warn(s.at, s.path, "jwt_authn stands behind the gate, which never sees its claims: put it in front")
		default:
			p.warn(s.at, s.path, "there is no jwt_authn in front of the gate, which so never sees claims")
		}
	}
}

// claimSource is a provider's claims_from.
type claimSource struct {
	path        string
	at          *value
	filter, key string
	failed      string // failed_status_key
}

// claimsFrom lists the providers whose tokens Envoy verifies.
func (p *Plugin) claimsFrom() (out []claimSource) {
	for i, provider := range p.tree.get("tokens").get("providers").elements() {
		from := provider.get("claims_from")
		if from == nil {
			continue
		}
		meta := from.get("envoy_metadata")
		out = append(out, claimSource{"tokens.providers[" + strconv.Itoa(i) + "].claims_from", from,
			meta.get("filter").text(), meta.get("key").text(), from.get("failed_status_key").text()})
	}
	return out
}

// checkJWTProvider looks at where a provider of jwt_authn takes tokens from, and whether it leaves
// them for providers of the gate's own.
func (p *Plugin) checkJWTProvider(m member, from []claimSource) {
	path := "jwt_authn.providers." + m.name
	headers, params, cookies := m.value.field("from_headers"), m.value.field("from_params"), m.value.field("from_cookies")
	if len(from) > 0 {
		switch {
		case len(params.elements()) > 0:
			p.warn(params, path+".from_params", "takes tokens from the query, which ends up in logs (RFC 9700): want from_headers alone")
		case len(headers.elements()) == 0 && len(cookies.elements()) == 0:
			p.warn(m.value, path, "takes tokens from the query, too (access_token): set from_headers")
		}
	}
	if m.value.get("forward").text() == "true" {
		return
	}
	issuer := m.value.get("issuer").text()
	for i, provider := range p.tree.get("tokens").get("providers").elements() {
		if provider.get("jwks") != nil && (issuer == "" || issuer == provider.get("issuer").text()) {
			p.warn(m.value, path+".forward", "without forward: true it removes the token that tokens.providers["+strconv.Itoa(i)+"] verifies")
		}
	}
}

// checkPayload looks for the claims where the gate does.
func (p *Plugin) checkPayload(jwt *value, filter string, from []claimSource) {
	for _, s := range from {
		if s.filter != "envoy.filters.http.jwt_authn" && s.filter != filter {
			continue
		}
		var keys []string
		found := false
		for _, m := range jwt.field("providers").fields() {
			if key := m.value.field("payload_in_metadata").text(); key != "" {
				found = found || key == s.key
				keys = append(keys, key)
			}
		}
		switch {
		case found:
		case len(keys) == 0:
			p.warn(jwt, "jwt_authn.providers", "want payload_in_metadata: "+s.key+" in the provider that "+s.path+" reads: without it the gate never sees claims")
		default:
			p.warn(s.at, s.path+".envoy_metadata.key", "jwt_authn has no payload_in_metadata of this name, only "+strings.Join(keys, ", ")+": the gate never sees claims")
		}
	}
}

// hiddenFailures finds jwt_authn filters behind which a bad token looks like no token. With
// allow_missing_or_failed, jwt_authn must leave its status in the metadata, and Gatehouse must read
// it there.
func (p *Plugin) hiddenFailures(jwt *value) {
	lenient := false
	jwt.walk(func(v *value) { lenient = lenient || v.field("allow_missing_or_failed") != nil })
	if !lenient {
		return
	}
	looksAt := map[string]bool{}
	for _, s := range p.claimsFrom() {
		if looksAt[s.failed] = true; s.failed == "" {
			p.fail(s.at, s.path+".failed_status_key", "required where jwt_authn has allow_missing_or_failed: "+looksLikeNone)
		}
	}
	if len(looksAt) == 0 {
		return
	}
	for _, m := range jwt.field("providers").fields() {
		path := "jwt_authn.providers." + m.name + ".failed_status_in_metadata"
		switch v := m.value.field("failed_status_in_metadata"); {
		case v.text() == "":
			p.fail(m.value, path, "required with allow_missing_or_failed: "+looksLikeNone)
		case !looksAt[v.text()] && !looksAt[""]: // the latter has been reported
			p.fail(v, path, "want the failed_status_key of a provider in tokens.providers, got "+v.text()+": "+looksLikeNone)
		}
	}
}

const unstripped = "there identity headers pass unstripped: leave it on and use a route with auth: none"

// checkDisabled finds places where the gate is switched off.
func (c *chain) checkDisabled(f *filter, around *surroundings) {
	if v := f.entry.get("disabled"); isOpen(v) {
		f.plugin.warn(v, "http_filters", "the gate is disabled unless a route enables it; "+unstripped)
	}
	if v := f.entry.field("is_optional"); isOpen(v) {
		f.plugin.warn(v, "http_filters", "is_optional: an Envoy without Wasm would leave the gate out")
	}
	around.routing(c.manager, func(v *value) {
		own := v.field("typed_per_filter_config").get(f.name())
		if _, config := message(own); isOpen(config.get("disabled")) {
			f.plugin.warn(own, "typed_per_filter_config", "the gate is disabled on a route; "+unstripped)
		}
	})
}

// checkAddress finds a connection manager whose clients choose their own address.
func (c *chain) checkAddress(p *Plugin) {
	if c.manager.field("stat_prefix") == nil && c.manager.field("route_config") == nil && c.manager.get("rds") == nil {
		return // a part of one
	}
	extensions := c.manager.field("original_ip_detection_extensions").elements()
	for _, e := range extensions {
		if name, _ := message(e.field("typed_config")); strings.HasSuffix(name, ".CustomHeaderConfig") {
			p.warn(e, "original_ip_detection_extensions", "a client that sends this header chooses its address, in limits and audit events, "+
				"unless a proxy in front always sets it")
		}
	}
	if len(extensions) > 0 {
		return
	}
	if v := c.manager.field("use_remote_address"); !isOpen(v) && !isOpen(v.get("value")) {
		at := v
		if v == nil {
			at = c.manager
		}
		p.warn(at, "use_remote_address", "not true: clients choose their address, in limits and audit events, by x-forwarded-for, "+
			"unless a proxy in front always sets it")
	}
}

// checkQUIC finds HTTP/3 in front of a gate.
func (c *chain) checkQUIC(p *Plugin) {
	if v := c.listener.field("udp_listener_config", "quic_options"); v != nil {
		p.checkHTTP3(v, "udp_listener_config.quic_options")
	} else if v := c.manager.field("codec_type"); v.text() == "HTTP3" || v.text() == "3" {
		p.checkHTTP3(v, "codec_type")
	}
}

// checkHTTP3 warns a gate that writes events of what it learns too late about HTTP/3 requests.
func (p *Plugin) checkHTTP3(at *value, path string) {
	if p.tree == nil || p.tree.get("audit").get("enabled").text() == "false" {
		return
	}
	p.warn(at, path, "Envoy 1.40 asks no filter for its event when an HTTP/3 request ends, so events say how its response began, "+
		"not how it ended, and a worker's first one has no status: where that matters serve HTTP/2, or keep Envoy's own access log too")
}

// checkRedirects finds internal redirects, which run the gate again over a request without its
// token.
func (c *chain) checkRedirects(p *Plugin, around *surroundings) {
	if p.tree.get("tokens").field("forward_token").text() != "false" {
		return
	}
	around.routing(c.manager, func(v *value) {
		if at := v.field("internal_redirect_policy"); at != nil {
			p.warn(at, "internal_redirect_policy", "a redirected request passes the gate again, without the token that tokens.forward_token: false removed")
		}
	})
}

// auditState is the filter state that the plugin writes events to; "" for none.
func (p *Plugin) auditState() string {
	audit := p.tree.get("audit")
	if p.tree == nil || audit.get("enabled").text() == "false" {
		return ""
	}
	switch v := audit.get("access_log").text(); v {
	case "false":
		return ""
	case "true", "":
		return "gatehouse_audit"
	default:
		return v
	}
}
