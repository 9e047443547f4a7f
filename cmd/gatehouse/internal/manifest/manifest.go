// Package manifest finds Gatehouse's configurations in the files that carry them: bare ones,
// Envoy's bootstrap or resources, Istio's WasmPlugin and Envoy Gateway's EnvoyExtensionPolicy. It
// also says what is wrong with the plugin around a configuration.
package manifest

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// Plugin is one configuration of Gatehouse, and what the file says about the plugin that gets it.
type Plugin struct {
	Name   string // the plugin's, where the file has one
	Config []byte // JSON
	// Problems of the plugin, each "path: message": it fails open, or its configuration can't be
	// read; then Config is nil.
	Problems []string
	// Environment is what the plugin's VM sees; nil where the file says nothing about it, as a bare
	// configuration does.
	Environment *Environment
}

// Environment are the variables that a plugin's VM sees.
type Environment struct {
	Values map[string]string // given in the file
	Host   map[string]bool   // passed on from the proxy's own environment
}

// Read finds the configurations in a file of JSON or YAML documents. It is an error if there are
// none.
func Read(text []byte) ([]Plugin, error) {
	if isJSONObject(text) && !isManifest(text) {
		return []Plugin{{Config: text}}, nil // as it is: the parser's errors give positions in it
	}
	docs, err := documents(text)
	if err != nil {
		return nil, err
	}
	var out []Plugin
	for _, doc := range docs {
		out = append(out, pluginsOf(doc)...)
	}
	if len(out) == 0 {
		return nil, errors.New("no configuration of Gatehouse in it")
	}
	return out, nil
}

// isJSONObject reports whether a file is meant as JSON, malformed or not: it begins with a brace
// and a quote, or with a brace and isn't YAML either. YAML forgives commas, comments and a byte
// order mark that the filter's parser will not.
func isJSONObject(text []byte) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(string(text), "\ufeff \t\r\n"), "{")
	if !ok {
		return false
	}
	if strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), `"`) {
		return true
	}
	_, err := documents(text)
	return err != nil
}

// isManifest reports whether a JSON document is more than a bare configuration.
func isManifest(text []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return false
	}
	for _, name := range manifestMembers {
		if members[name] != nil {
			return true
		}
	}
	return false
}

// manifestMembers are members of Kubernetes resources, and of Envoy's bootstrap, discovery
// responses and filters.
var manifestMembers = []string{"apiVersion", "static_resources", "staticResources", "dynamic_resources", "dynamicResources",
	"resources", "http_filters", "httpFilters", "typed_config", "typedConfig", "@type"}

func pluginsOf(doc *value) []Plugin {
	if doc.scalar != nil && doc.text() == "" {
		return nil // an empty document
	}
	if kind := doc.get("kind").text(); doc.get("apiVersion") != nil {
		switch {
		case kind == "WasmPlugin":
			return istioPlugin(doc)
		case kind == "EnvoyExtensionPolicy":
			return gatewayPlugins(doc)
		case strings.HasSuffix(kind, "List"):
			var out []Plugin
			for _, item := range doc.get("items").elements() {
				out = append(out, pluginsOf(item)...)
			}
			return out
		}
		return envoyPlugins(doc) // an EnvoyFilter carries Envoy's configuration; most other kinds carry none
	}
	for _, name := range manifestMembers {
		if doc.get(name) != nil {
			return envoyPlugins(doc)
		}
	}
	p := Plugin{}
	var err error
	if p.Config, err = doc.appendJSON(nil); err != nil {
		p.Problems = []string{err.Error()}
	}
	return []Plugin{p}
}

// looksLikeOurs tells Gatehouse from other plugins: by its configuration's members, or by what the
// plugin says of itself.
func looksLikeOurs(plugin, config *value) bool {
	ours := config.get("routes") != nil || config.get("tokens") != nil || config.get("rate_limits") != nil
	for _, m := range plugin.fields() {
		switch m.name {
		case "configuration", "pluginConfig", "config": // may mention anything
		default:
			m.value.walk(func(v *value) { ours = ours || strings.Contains(strings.ToLower(v.text()), "gatehouse") })
		}
	}
	return ours
}

// istioPlugin reads extensions.istio.io/v1alpha1 WasmPlugin.
func istioPlugin(doc *value) []Plugin {
	spec := doc.get("spec")
	if !looksLikeOurs(spec, spec.get("pluginConfig")) {
		return nil
	}
	p := Plugin{Name: doc.get("metadata").get("name").text(), Environment: &Environment{Values: map[string]string{}, Host: map[string]bool{}}}
	if s := spec.get("failStrategy").text(); s == "FAIL_OPEN" || s == "1" {
		p.Problems = append(p.Problems, "spec.failStrategy: "+failsOpen)
	}
	for _, e := range spec.get("vmConfig").get("env").elements() {
		name := e.get("name").text()
		if e.get("valueFrom").text() == "HOST" {
			p.Environment.Host[name] = true
		} else {
			p.Environment.Values[name] = e.get("value").text()
		}
	}
	p.configure(spec.get("pluginConfig"), "spec.pluginConfig")
	return []Plugin{p}
}

// gatewayPlugins reads gateway.envoyproxy.io/v1alpha1 EnvoyExtensionPolicy.
func gatewayPlugins(doc *value) []Plugin {
	var out []Plugin
	for i, w := range doc.get("spec").get("wasm").elements() {
		if !looksLikeOurs(w, w.get("config")) {
			continue
		}
		path := "spec.wasm[" + strconv.Itoa(i) + "]"
		p := Plugin{Name: w.get("name").text(), Environment: &Environment{Host: map[string]bool{}}}
		if isOpen(w.get("failOpen")) {
			p.Problems = append(p.Problems, path+".failOpen: "+failsOpen)
		}
		for _, key := range w.get("env").get("hostKeys").elements() {
			p.Environment.Host[key.text()] = true
		}
		p.configure(w.get("config"), path+".config")
		out = append(out, p)
	}
	return out
}

// configure gives a plugin its configuration, which stands at path.
func (p *Plugin) configure(config *value, path string) {
	if config == nil {
		p.Problems = append(p.Problems, path+": required: Gatehouse does nothing without a configuration")
		return
	}
	var err error
	if p.Config, err = config.appendJSON(nil); err != nil {
		p.Problems = append(p.Problems, path+": "+err.Error())
	}
}

const failsOpen = "a plugin that fails open lets everyone in, unchecked, when it crashes"

const failsOpenHeld = "the body of a request that is held until its issuer's keys have come would go on to the filters behind"

// isOpen reports whether some reader of YAML may read a boolean as true.
func isOpen(v *value) bool { return v != nil && v.text() != "false" && v.text() != "" }
