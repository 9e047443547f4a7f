package manifest

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// resourcePlugins finds the plugins of a Kubernetes resource.
func resourcePlugins(doc *value) []Plugin {
	switch kind := doc.get("kind").text(); {
	case kind == "WasmPlugin":
		return istioPlugin(doc)
	case kind == "EnvoyExtensionPolicy":
		return gatewayPlugins(doc)
	case kind == "ConfigMap" || kind == "Secret":
		return filesIn(doc, kind == "Secret")
	case strings.HasSuffix(kind, "List"):
		var out []Plugin
		for _, item := range items(doc) {
			out = append(out, pluginsOf(item, true)...)
		}
		return out
	}
	return envoyPlugins(doc, title(doc)) // an EnvoyFilter carries Envoy's configuration; most other kinds carry none
}

// items are the resources of a List. Those of a typed one may come without a kind of their own.
func items(list *value) (out []*value) {
	api, kind := list.get("apiVersion"), strings.TrimSuffix(list.get("kind").text(), "List")
	for _, item := range list.get("items").elements() {
		if item.get("apiVersion") == nil && api != nil && api.scalar != nil && kind != "" {
			item = withKind(item, api, kind)
		}
		out = append(out, item)
	}
	return out
}

func withKind(item, apiVersion *value, kind string) *value {
	named := *item
	k := *apiVersion
	node := *k.scalar
	node.Value = kind
	k.scalar = &node
	named.members = append([]member{{"apiVersion", apiVersion.at, apiVersion}, {"kind", apiVersion.at, &k}}, item.members...)
	return &named
}

// title names a resource: kind, namespace and name.
func title(doc *value) string {
	meta := doc.get("metadata")
	name := meta.get("name").text()
	if name == "" {
		name = meta.get("generateName").text()
	}
	if namespace := meta.get("namespace").text(); namespace != "" {
		name = namespace + "/" + name
	}
	return strings.TrimSpace(doc.get("kind").text() + " " + name)
}

// istioRoot is Istio's root namespace, unless a mesh names another. What is in it holds for all
// namespaces.
const istioRoot = "istio-system"

// selectsAll reports whether a WasmPlugin names no workloads.
func selectsAll(spec *value) bool {
	return len(spec.get("selector").get("matchLabels").fields()) == 0 && len(targetsOf(spec)) == 0
}

// istioPlugin reads extensions.istio.io/v1alpha1 WasmPlugin.
func istioPlugin(doc *value) []Plugin {
	spec := doc.get("spec")
	if !looksLikeOurs(spec, spec.get("pluginConfig")) {
		return nil
	}
	p := Plugin{Name: doc.get("metadata").get("name").text(), Title: title(doc), resource: doc,
		Environment: &Environment{Values: map[string]string{}, Host: map[string]bool{}}}
	if s := spec.get("failStrategy"); s.text() == "FAIL_OPEN" || s.text() == "1" {
		p.fail(s, "spec.failStrategy", failsOpen)
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
	if namespace := doc.get("metadata").get("namespace"); namespace.text() == istioRoot && selectsAll(spec) {
		p.warn(namespace, "metadata.namespace", istioRoot+" is Istio's root namespace: without a spec.selector or targetRefs the gate stands on "+
			"every workload of the mesh, and on the requests that they send: want the namespace of what it protects")
	}
	p.phase = spec.get("phase").text()
	if phase := spec.get("phase"); p.phase == "AUTHN" {
		for _, from := range p.claimsFrom() {
			p.warn(phase, "spec.phase", "AUTHN runs before Istio's jwt_authn, so "+from.path+" never sees claims: want AUTHZ")
		}
	}
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
		p := Plugin{Name: w.get("name").text(), Title: title(doc), resource: doc, Environment: &Environment{Host: map[string]bool{}}}
		if p.Name != "" {
			p.Title += ": " + p.Name
		} else {
			p.Title += ": wasm[" + strconv.Itoa(i) + "]"
		}
		if v := w.get("failOpen"); isOpen(v) {
			p.fail(v, path+".failOpen", failsOpen)
		}
		for _, key := range w.get("env").get("hostKeys").elements() {
			p.Environment.Host[key.text()] = true
		}
		p.configure(w.get("config"), path+".config")
		out = append(out, p)
	}
	return out
}

// filesIn reads the files that a ConfigMap or a Secret holds.
func filesIn(doc *value, secret bool) (out []Plugin) {
	for _, field := range []struct {
		name    string
		encoded bool
	}{{"data", secret}, {"stringData", false}, {"binaryData", true}} {
		for _, m := range doc.get(field.name).fields() {
			if m.value.scalar == nil {
				continue
			}
			src := m.value.inner()
			src.secret = secret
			if field.encoded {
				text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(m.value.text()), ""))
				if err != nil {
					if strings.HasSuffix(m.name, ".json") || strings.HasSuffix(m.name, ".yaml") || strings.HasSuffix(m.name, ".yml") {
						p := Plugin{Title: title(doc) + ": " + m.name}
						p.fail(m.value, field.name, fmt.Sprintf("want base64, got a string of %d characters that isn't", len(m.value.text())))
						out = append(out, p)
					}
					continue
				}
				src = m.value.decoded(string(text), secret)
			}
			out = append(out, fileIn(src, title(doc)+": "+m.name, m.value)...)
		}
	}
	return out
}

// fileIn reads one file. One that mentions none of our fields is none of ours.
func fileIn(src *source, title string, at *value) []Plugin {
	if !strings.Contains(src.text, "routes") && !strings.Contains(src.text, "gatehouse") {
		return nil
	}
	if isJSONObject(src) && !isManifest([]byte(src.text)) {
		p := bareJSON(src)
		p.Title = title
		if p.tree != nil && !looksLikeConfig(p.tree) {
			return nil
		}
		return []Plugin{p}
	}
	docs, err := documents(src)
	if err != nil {
		p := Plugin{Title: title}
		p.refuse(err)
		if src.secret {
			p.Errors = []Finding{{at.place(), "", fmt.Sprintf("want JSON or YAML, got a text of %d bytes that isn't", len(src.text))}}
		}
		return []Plugin{p}
	}
	var out []Plugin
	for _, doc := range docs {
		for _, p := range pluginsOf(doc, true) {
			p.Title = strings.TrimSuffix(title+": "+p.Title, ": ")
			out = append(out, p)
		}
	}
	return out
}
