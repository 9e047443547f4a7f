package manifest

import (
	"slices"
	"strconv"
	"strings"
)

// companions are the resources of a file that change what a gate of Istio's or Envoy Gateway's gets
// to see.
type companions struct {
	rules      []*value // spec.jwtRules of Istio's RequestAuthentications
	policies   []*value // spec.jwt of Envoy Gateway's SecurityPolicies
	http3      []*value // Envoy Gateway's ClientTrafficPolicies with spec.http3
	extensions []*value // Envoy Gateway's EnvoyExtensionPolicies
	routes     []*value // the Gateway API's HTTPRoutes and GRPCRoutes
}

func companionsOf(docs []*value) companions {
	var c companions
	c.add(docs)
	return c
}

func (c *companions) add(docs []*value) {
	for _, doc := range docs {
		spec := doc.get("spec")
		switch kind := doc.get("kind").text(); {
		case kind == "RequestAuthentication":
			c.rules = append(c.rules, spec.get("jwtRules").elements()...)
		case kind == "SecurityPolicy" && spec.get("jwt") != nil:
			c.policies = append(c.policies, spec.get("jwt"))
		case kind == "ClientTrafficPolicy" && spec.get("http3") != nil:
			c.http3 = append(c.http3, doc)
		case kind == "EnvoyExtensionPolicy":
			c.extensions = append(c.extensions, doc)
		case kind == "HTTPRoute" || kind == "GRPCRoute":
			c.routes = append(c.routes, doc)
		case strings.HasSuffix(kind, "List"):
			c.add(items(doc))
		}
	}
}

// check looks at what these resources do to a plugin of the same file. Which workloads the first
// two select isn't looked at.
func (c *companions) check(p *Plugin) {
	from := p.claimsFrom()
	switch {
	case strings.HasPrefix(p.Title, "WasmPlugin "):
		for _, rule := range c.rules {
			p.checkRule(rule, from)
		}
	case strings.HasPrefix(p.Title, "EnvoyExtensionPolicy "):
		for _, jwt := range c.policies {
			p.checkSecurityPolicy(jwt, from)
		}
		for _, policy := range c.http3 {
			if c.meet(policyTargets(policy), policyTargets(p.resource)) {
				p.checkHTTP3(policy.get("spec").get("http3"), title(policy)+" spec.http3")
			}
		}
		c.checkDisplaced(p)
	}
}

// checkRule looks at a rule of Istio's RequestAuthentication.
func (p *Plugin) checkRule(rule *value, from []claimSource) {
	if len(from) > 0 {
		switch {
		case len(rule.get("fromParams").elements()) > 0:
			p.warn(rule.get("fromParams"), "jwtRules.fromParams", "takes tokens from the query, which ends up in logs (RFC 9700): want fromHeaders alone")
		case len(rule.get("fromHeaders").elements()) == 0 && len(rule.get("fromCookies").elements()) == 0:
			p.warn(rule, "jwtRules", "takes tokens from the query, too (access_token): set fromHeaders")
		}
	}
	if rule.get("forwardOriginalToken").text() == "true" || p.phase == "AUTHN" {
		return
	}
	for i, provider := range p.tree.get("tokens").get("providers").elements() {
		if provider.get("jwks") != nil && rule.get("issuer").text() == provider.get("issuer").text() {
			p.warn(rule, "jwtRules.forwardOriginalToken", "without forwardOriginalToken: true it removes the token that tokens.providers["+
				strconv.Itoa(i)+"] verifies; or set spec.phase: AUTHN")
		}
	}
}

// checkSecurityPolicy looks at the JWT part of Envoy Gateway's SecurityPolicy. Its claims stand
// under the name of its provider.
func (p *Plugin) checkSecurityPolicy(jwt *value, from []claimSource) {
	var names []string
	for _, provider := range jwt.get("providers").elements() {
		names = append(names, provider.get("name").text())
		extract := provider.get("extractFrom")
		switch {
		case len(from) == 0:
		case len(extract.get("params").elements()) > 0:
			p.warn(extract.get("params"), "jwt.providers.extractFrom.params", "takes tokens from the query, which ends up in logs (RFC 9700): want headers alone")
		case len(extract.get("headers").elements()) == 0 && len(extract.get("cookies").elements()) == 0:
			p.warn(provider, "jwt.providers.extractFrom", "takes tokens from the query, too (access_token): set extractFrom.headers")
		}
	}
	for _, s := range from {
		if s.filter == "envoy.filters.http.jwt_authn" && len(names) > 0 && !slices.Contains(names, s.key) {
			p.warn(s.at, s.path+".envoy_metadata.key", "the SecurityPolicy has no provider of this name, only "+strings.Join(names, ", ")+": the gate never sees claims")
		}
	}
}
