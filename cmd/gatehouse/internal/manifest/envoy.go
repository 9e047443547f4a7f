package manifest

import (
	"encoding/base64"
	"strconv"
	"strings"
)

const (
	typePrefix = "type.googleapis.com/"
	wasmType   = "envoy.extensions.filters.http.wasm.v3.Wasm"
	jwtType    = "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
	corsType   = "envoy.extensions.filters.http.cors.v3.Cors"
)

// message is a typed_config: its type, and the message itself. A TypedStruct stands for the type it
// names.
func message(v *value) (typeName string, body *value) {
	name := strings.TrimPrefix(v.get("@type").text(), typePrefix)
	if strings.HasSuffix(name, ".TypedStruct") {
		return strings.TrimPrefix(v.field("type_url").text(), typePrefix), v.get("value")
	}
	return name, v
}

// filter is an HTTP filter in a list of them.
type filter struct {
	entry    *value // with name, typed_config, disabled
	typeName string
	body     *value
	plugin   *Plugin // ours; else nil
}

// name is the filter's, by which routes configure it.
func (f *filter) name() string { return f.entry.get("name").text() }

// chain is a list of HTTP filters, the connection manager that has it, and the listener around
// that; nil where the file has none.
type chain struct {
	listener *value
	manager  *value
	filters  []filter
}

// envoyPlugins finds the Wasm filters in Envoy's configuration, wherever they stand. resource names
// the Kubernetes resource around it, if there is one.
func envoyPlugins(doc *value, resource string) []Plugin {
	doc = inForce(doc)
	var found []*Plugin
	seen := map[*value]bool{}
	var chains []*chain
	eachManager(doc, nil, func(listener, manager *value) {
		c := &chain{listener: listener, manager: manager}
		for _, f := range manager.field("http_filters").elements() {
			name, body := message(f.field("typed_config"))
			c.filters = append(c.filters, filter{entry: f, typeName: name, body: body})
			last := &c.filters[len(c.filters)-1]
			if name != wasmType || seen[body] {
				continue
			}
			seen[body] = true
			if p, ours := wasmPlugin(body); ours {
				p.Title = envoyTitle(resource, listener.get("name").text(), p.Name)
				found = append(found, &p)
				last.plugin = &p
			}
		}
		chains = append(chains, c)
	})
	doc.walk(func(v *value) { // those outside of a list of filters, as in Istio's EnvoyFilter
		name, body := message(v)
		if name != wasmType || seen[body] {
			return
		}
		seen[body] = true
		if p, ours := wasmPlugin(body); ours {
			p.Title = envoyTitle(resource, "", p.Name)
			found = append(found, &p)
		}
	})
	around := surroundingsOf(doc)
	for _, c := range chains {
		c.check(around)
	}
	var out []Plugin
	for _, p := range found {
		around.check(p)
		out = append(out, *p)
	}
	return out
}

// envoyTitle tells plugins apart by what is around them.
func envoyTitle(resource, listener, plugin string) string {
	var parts []string
	for _, part := range []string{resource, prefixed("Listener ", listener), plugin} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// eachManager calls f for everything that has HTTP filters, with the listener around it.
func eachManager(v, listener *value, f func(listener, manager *value)) {
	if v.field("filter_chains") != nil || v.field("default_filter_chain") != nil {
		listener = v
	}
	if v.field("http_filters") != nil {
		f(listener, v)
	}
	for _, e := range v.list {
		eachManager(e, listener, f)
	}
	for _, m := range v.members {
		eachManager(m.value, listener, f)
	}
}

// inForce leaves out of a config dump what isn't, or is no longer, in force: configurations that
// drain or were refused, and the bootstrap's listeners and clusters, which are dumped once more.
func inForce(doc *value) *value {
	if doc.get("configs") == nil {
		return doc
	}
	listed := map[string]bool{}
	for _, c := range doc.get("configs").elements() {
		name, _ := message(c)
		listed[name[strings.LastIndexByte(name, '.')+1:]] = true
	}
	return doc.without(func(name string, inside string) bool {
		switch name {
		case "draining_state", "error_state", "drainingState", "errorState":
			return true
		case "listeners":
			return listed["ListenersConfigDump"] && strings.HasPrefix(inside, "static")
		case "clusters":
			return listed["ClustersConfigDump"] && strings.HasPrefix(inside, "static")
		}
		return false
	}, "")
}

// without is the value less the members that out names; inside is the name of what they stand in.
func (v *value) without(out func(name, inside string) bool, inside string) *value {
	if v.scalar != nil {
		return v
	}
	w := *v
	w.list, w.members = nil, nil
	for _, e := range v.list {
		w.list = append(w.list, e.without(out, inside))
	}
	for _, m := range v.members {
		if !out(m.name, inside) {
			w.members = append(w.members, member{m.name, m.at, m.value.without(out, m.name)})
		}
	}
	return &w
}

// wasmPlugin reads one Wasm filter, and says whether its plugin is Gatehouse.
func wasmPlugin(filter *value) (p Plugin, ours bool) {
	plugin := filter.get("config")
	p = Plugin{Name: plugin.get("name").text(), Environment: environment(plugin.field("vm_config", "environment_variables"))}
	if v := plugin.field("failure_policy"); v.text() == "FAIL_OPEN" || v.text() == "3" {
		p.fail(v, "failure_policy", failsOpen)
	}
	if v := plugin.field("fail_open"); isOpen(v) {
		p.fail(v, "fail_open", failsOpen)
	}
	if v := plugin.field("allow_on_headers_stop_iteration"); isOpen(v) || isOpen(v.get("value")) {
		p.fail(v, "allow_on_headers_stop_iteration", failsOpenHeld)
	}
	config := plugin.get("configuration")
	body := config.get("value")
	switch name, _ := message(config); {
	case name == "google.protobuf.StringValue" && body != nil && body.scalar != nil:
		p.configureText(body.inner())
		ours = strings.Contains(body.text(), `"routes"`) && p.tree == nil
	case name == "google.protobuf.BytesValue" && body != nil && body.scalar != nil:
		text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body.text()), ""))
		if err != nil {
			p.fail(body, "configuration.value", "want base64, got a string of "+strconv.Itoa(len(body.text()))+" characters that isn't")
			break
		}
		p.configureText(body.decoded(string(text), false))
		ours = strings.Contains(string(text), `"routes"`) && p.tree == nil
	case name == "google.protobuf.Struct":
		p.fail(config, "configuration", wantString+": Envoy hands the bytes of a Struct to the plugin, which are no JSON")
		ours = looksLikeConfig(body)
	default:
		p.fail(config, "configuration", wantString)
	}
	if p.text != nil && !hasVMID(plugin) {
		p.warn(plugin, "vm_config.vm_id", "not set: other plugins can write Gatehouse's shared data, and each VM fetches keys for itself")
	}
	return p, ours || looksLikeOurs(plugin, p.tree)
}

const wantString = "want a google.protobuf.StringValue with JSON"

// hasVMID reports whether the plugin's VM has a name.
func hasVMID(plugin *value) bool { return plugin.field("vm_config", "vm_id").text() != "" }

func environment(v *value) *Environment {
	env := &Environment{Values: map[string]string{}, Host: map[string]bool{}}
	for _, key := range v.field("host_env_keys").elements() {
		env.Host[key.text()] = true
	}
	for _, m := range v.field("key_values").fields() {
		env.Values[m.name] = m.value.text()
	}
	return env
}

const failsOpen = "a plugin that fails open lets everyone in, unchecked, when it crashes"

const failsOpenHeld = "the body of a request that is held until its issuer's keys have come would go on to the filters behind"

// isOpen reports whether some reader of YAML may read a boolean as true.
func isOpen(v *value) bool { return v != nil && v.text() != "false" && v.text() != "" }
