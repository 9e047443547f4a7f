package manifest

import (
	"strconv"
	"strings"
)

const (
	typePrefix = "type.googleapis.com/"
	wasmType   = "envoy.extensions.filters.http.wasm.v3.Wasm"
	jwtType    = "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
)

// message is a typed_config: its type, and the message itself. A TypedStruct stands for the type it
// names.
func message(v *value) (typeName string, body *value) {
	name := strings.TrimPrefix(v.get("@type").text(), typePrefix)
	if strings.HasSuffix(name, ".TypedStruct") {
		return strings.TrimPrefix(v.at("type_url").text(), typePrefix), v.get("value")
	}
	return name, v
}

// envoyPlugins finds the Wasm filters in Envoy's configuration, wherever they stand.
func envoyPlugins(doc *value) []Plugin {
	var out []Plugin
	seen := map[*value]bool{}
	add := func(filter *value, before []*value) {
		if p, ours := wasmPlugin(filter, before); ours && !seen[filter] {
			out = append(out, p)
		}
		seen[filter] = true
	}
	doc.walk(func(v *value) {
		var before []*value // the JWT filters in front
		for _, f := range v.at("http_filters").elements() {
			switch name, body := message(f.at("typed_config")); name {
			case jwtType:
				before = append(before, body)
			case wasmType:
				add(body, before)
			}
		}
	})
	doc.walk(func(v *value) { // those outside of a list of filters, as in Istio's EnvoyFilter
		if name, body := message(v); name == wasmType {
			add(body, nil)
		}
	})
	return out
}

// wasmPlugin reads one Wasm filter, and says whether its plugin is Gatehouse.
func wasmPlugin(filter *value, before []*value) (p Plugin, ours bool) {
	plugin := filter.get("config")
	p = Plugin{Name: plugin.get("name").text(), Environment: environment(plugin.at("vm_config", "environment_variables"))}
	if s := plugin.at("failure_policy").text(); s == "FAIL_OPEN" || s == "3" {
		p.Problems = append(p.Problems, "failure_policy: "+failsOpen)
	}
	if isOpen(plugin.at("fail_open")) {
		p.Problems = append(p.Problems, "fail_open: "+failsOpen)
	}
	if v := plugin.at("allow_on_headers_stop_iteration"); isOpen(v) || isOpen(v.get("value")) {
		p.Problems = append(p.Problems, "allow_on_headers_stop_iteration: "+failsOpenHeld)
	}
	config := plugin.get("configuration")
	switch name, _ := message(config); name {
	case "google.protobuf.StringValue":
		// The text goes to the parser as it is. It is read here only to tell whether it is
		// Gatehouse's.
		p.Config = []byte(config.get("value").text())
		mentions := strings.Contains(string(p.Config), `"routes"`)
		config = nil
		if docs, err := documents(p.Config); err == nil && len(docs) == 1 {
			config = docs[0]
		}
		ours = mentions && config == nil
	case "google.protobuf.Struct":
		config = config.get("value")
		p.configure(config, "configuration.value")
	default:
		p.Problems = append(p.Problems, "configuration: want a google.protobuf.StringValue with JSON, or a google.protobuf.Struct")
	}
	for _, jwt := range before {
		p.Problems = append(p.Problems, hiddenFailures(jwt, config)...)
	}
	return p, ours || looksLikeOurs(plugin, config)
}

func environment(v *value) *Environment {
	env := &Environment{Values: map[string]string{}, Host: map[string]bool{}}
	for _, key := range v.at("host_env_keys").elements() {
		env.Host[key.text()] = true
	}
	for _, m := range v.at("key_values").fields() {
		env.Values[m.name] = m.value.text()
	}
	return env
}

const looksLikeNone = "without it a bad token looks like none"

// hiddenFailures finds jwt_authn filters behind which a bad token looks like no token. With
// allow_missing_or_failed, jwt_authn must leave its status in the metadata, and Gatehouse must read
// it there.
func hiddenFailures(jwt, config *value) []string {
	lenient := false
	jwt.walk(func(v *value) { lenient = lenient || v.at("allow_missing_or_failed") != nil })
	if !lenient {
		return nil
	}
	var out []string
	looksAt := map[string]bool{}
	for i, p := range config.get("tokens").get("providers").elements() {
		from := p.get("claims_from")
		if from == nil {
			continue
		}
		key := from.get("failed_status_key").text()
		if looksAt[key] = true; key == "" {
			out = append(out, "tokens.providers["+strconv.Itoa(i)+"].claims_from.failed_status_key: required where jwt_authn has "+
				"allow_missing_or_failed: "+looksLikeNone)
		}
	}
	if len(looksAt) == 0 {
		return nil
	}
	for _, m := range jwt.at("providers").fields() {
		path := "jwt_authn.providers." + m.name + ".failed_status_in_metadata: "
		switch key := m.value.at("failed_status_in_metadata").text(); {
		case key == "":
			out = append(out, path+"required with allow_missing_or_failed: "+looksLikeNone)
		case !looksAt[key] && !looksAt[""]: // the latter has been reported
			out = append(out, path+"want the failed_status_key of a provider in tokens.providers, got "+key+": "+looksLikeNone)
		}
	}
	return out
}
