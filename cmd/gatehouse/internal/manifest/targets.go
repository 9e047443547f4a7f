package manifest

// target is what a policy is attached to.
type target struct {
	kind, namespace, name string
	section               string // a listener or a rule of it; "" for all
	at                    *value
}

// targetsOf lists the targets of a policy's spec. They are in the policy's own namespace.
func targetsOf(spec *value) (out []target) {
	refs := spec.get("targetRefs").elements()
	if ref := spec.get("targetRef"); ref != nil {
		refs = append(refs[:len(refs):len(refs)], ref)
	}
	for _, ref := range refs {
		out = append(out, target{kind: ref.get("kind").text(), name: ref.get("name").text(), section: ref.get("sectionName").text(), at: ref})
	}
	return out
}

// policyTargets lists the targets of a policy.
func policyTargets(policy *value) []target {
	targets := targetsOf(policy.get("spec"))
	for i := range targets {
		targets[i].namespace = namespaceOf(policy)
	}
	return targets
}

// namespaceOf is a resource's namespace; "" where the file leaves it to kubectl.
func namespaceOf(resource *value) string { return resource.get("metadata").get("namespace").text() }

// checkDisplaced finds policies of the file that take the place of the one with the gate: Envoy
// Gateway applies the policy whose target is the most specific, and no other.
func (c *companions) checkDisplaced(p *Plugin) {
	for _, policy := range c.extensions {
		if policy == p.resource || !displaces(policy) {
			continue
		}
		for _, narrow := range policyTargets(policy) {
			for _, wide := range policyTargets(p.resource) {
				if c.within(narrow, wide) {
					p.warn(narrow.at, "", title(policy)+" takes the gate's place on "+narrow.String()+
						", whose requests pass unchecked: put the gate into its spec.wasm too")
					break
				}
			}
		}
	}
}

// displaces reports whether a policy leaves its targets without a gate. With a mergeType it is
// applied in addition, but a list of plugins replaces the other policy's.
func displaces(policy *value) bool {
	plugins := policy.get("spec").get("wasm").elements()
	for _, plugin := range plugins {
		if looksLikeOurs(plugin, plugin.get("config")) {
			return false
		}
	}
	return policy.get("spec").get("mergeType") == nil || len(plugins) > 0
}

// within reports whether a policy's target is a part of another's: a route of a Gateway, or a
// section of the same resource. A route that isn't in the file may be any Gateway's.
func (c *companions) within(narrow, wide target) bool {
	if narrow.kind == wide.kind {
		return narrow.name == wide.name && narrow.namespace == wide.namespace && narrow.section != "" && wide.section == ""
	}
	if wide.kind != "Gateway" || narrow.kind != "HTTPRoute" && narrow.kind != "GRPCRoute" {
		return false
	}
	for _, route := range c.routes {
		if route.get("kind").text() == narrow.kind && route.get("metadata").get("name").text() == narrow.name && namespaceOf(route) == narrow.namespace {
			return attached(route, wide)
		}
	}
	return true
}

// meet reports whether a gate stands on what a policy for listeners is attached to. A policy
// without a list of targets selects them by labels, which aren't looked at.
func (c *companions) meet(listeners, gates []target) bool {
	for _, listener := range listeners {
		for _, gate := range gates {
			same := gate.kind == listener.kind && gate.name == listener.name && gate.namespace == listener.namespace
			if same && (gate.section == listener.section || gate.section == "" || listener.section == "") || c.within(gate, listener) {
				return true
			}
		}
	}
	return len(listeners) == 0 || len(gates) == 0
}

// attached reports whether a route belongs to a Gateway, or to the listener of it that a policy is
// attached to.
func attached(route *value, gateway target) bool {
	for _, parent := range route.get("spec").get("parentRefs").elements() {
		namespace := parent.get("namespace").text()
		if namespace == "" {
			namespace = namespaceOf(route)
		}
		section := parent.get("sectionName").text()
		if parent.get("name").text() == gateway.name && namespace == gateway.namespace &&
			(section == "" || gateway.section == "" || section == gateway.section) {
			return true
		}
	}
	return false
}

// String is "HTTPRoute shop/orders", with the section behind it.
func (t target) String() string {
	name := t.name
	if t.namespace != "" {
		name = t.namespace + "/" + name
	}
	if t.section != "" {
		name += ", section " + t.section
	}
	return t.kind + " " + name
}
