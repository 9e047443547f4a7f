package manifest

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func indented(by, text string) string {
	return by + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by) + "\n"
}

func titles(t *testing.T, text string) (out []string) {
	t.Helper()
	plugins, err := Read([]byte(text))
	require.NoError(t, err)
	for _, p := range plugins {
		assert.Equal(t, want, string(p.Config), p.Title)
		out = append(out, p.Title)
	}
	return out
}

const listener = `{"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": "in", "filter_chains": [{"filters": [{"name": "hcm",
  "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", "use_remote_address": true,
  "stat_prefix": "in", "http_filters": [{"name": "gate", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
  "config": {"name": "gate", "vm_config": {"vm_id": "v"}, "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": CONFIG}}}}]}}]}]}`

func listenerWith(config string) string {
	return strings.Replace(listener, "CONFIG", `"`+strings.ReplaceAll(config, `"`, `\"`)+`"`, 1)
}

func TestAPluginIsNamedByKindNamespaceAndName(t *testing.T) {
	namespaced := func(text string) string {
		return strings.Replace(text, "metadata: {", "metadata: {namespace: shop, ", 1)
	}
	plugin := strings.SplitAfter(istio, "---\n")[1]
	for name, test := range map[string]struct {
		text   string
		titles []string
	}{
		"bare":              {bare, []string{""}},
		"a listener":        {"resources:\n- " + listenerWith(want), []string{"Listener in: gate"}},
		"a WasmPlugin":      {namespaced(plugin), []string{"WasmPlugin shop/gate"}},
		"a policy":          {namespaced(gateway), []string{"EnvoyExtensionPolicy shop/policy: gate"}},
		"a nameless plugin": {strings.Replace(gateway, "- name: gate\n    code", "- code", 1), []string{"EnvoyExtensionPolicy policy: wasm[1]"}},
		"two policies with one wasm name": {gateway + "---" + strings.Replace(gateway, "name: policy", "name: other", 1),
			[]string{"EnvoyExtensionPolicy policy: gate", "EnvoyExtensionPolicy other: gate"}},
		"a List": {"apiVersion: v1\nkind: List\nitems:\n-" + indented("  ", plugin)[1:] + "-" + indented("  ", gateway)[1:],
			[]string{"WasmPlugin gate", "EnvoyExtensionPolicy policy: gate"}},
		"a list of its own kind": {"apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPluginList\nitems:\n-" +
			indented("  ", strings.NewReplacer("apiVersion: extensions.istio.io/v1alpha1\n", "", "kind: WasmPlugin\n", "").Replace(plugin))[1:], []string{"WasmPlugin gate"}},
		"a ConfigMap with envoy.yaml": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: proxy, namespace: shop}\ndata:\n  notes: routes and such\n  envoy.yaml: |\n" +
			indented("    ", envoy(stringValue)), []string{"ConfigMap shop/proxy: envoy.yaml: gate"}},
		"a ConfigMap with a bare configuration": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  gate.json: '" + want + "'\n  other.json: '{\"a\": \"routes\"}'\n",
			[]string{"ConfigMap c: gate.json"}},
		"binary data": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\nbinaryData:\n  gate.yaml: " + base64.StdEncoding.EncodeToString([]byte(bare)) + "\n",
			[]string{"ConfigMap c: gate.yaml"}},
		"a Secret": {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  gate.json: " + base64.StdEncoding.EncodeToString([]byte(want)) +
			"\n  tls.crt: AAEC\n  junk: '%'\nstringData:\n  more.yaml: |\n    " + bare + "\n", []string{"Secret s: gate.json", "Secret s: more.yaml"}},
		"a List of ConfigMaps": {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {x: '" + want + "'}}\n", []string{"ConfigMap c: x"}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.titles, titles(t, test.text)) })
	}
}

func TestAConfigDumpHasWhatIsInForce(t *testing.T) {
	old := strings.Replace(want, "/**", "/old", 1)
	dump := func(cluster, static string) string {
		config := strings.Replace(static, `"routes"`, `"tokens":{"providers":[{"jwks":{"cluster":"idp","uri":"https://idp/"}}]},"routes"`, 1)
		return `{"configs": [
 {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {"static_resources": {"listeners": [` + listenerWith(static) + `]}, "stats_config": {"stats_tags": [{"regex": "gatehouse_"}]}}},
 {"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "dynamic_active_clusters": [{"cluster": {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "` + cluster + `"}}]},
 {"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
  "static_listeners": [{"listener": ` + listenerWith(static) + `}],
  "dynamic_listeners": [{"name": "in", "active_state": {"listener": ` + strings.Replace(listenerWith(config), `"in"`, `"dynamic"`, 1) + `},
    "draining_state": {"listener": ` + listenerWith(old) + `}, "error_state": {"failed_configuration": ` + listenerWith(old) + `}}]}
]}`
	}
	read := func(text string) []Plugin {
		plugins, err := Read([]byte(text))
		require.NoError(t, err)
		require.Len(t, plugins, 2)
		assert.Equal(t, "Listener in: gate", plugins[0].Title)
		assert.Equal(t, want, string(plugins[0].Config))
		assert.Equal(t, "Listener dynamic: gate", plugins[1].Title)
		return plugins
	}
	assert.Equal(t, []string{"tokens.providers[0].jwks.cluster: there is no cluster idp in this file"}, texts(read(dump("other", want))[1].Warnings))
	plugins := read(dump("idp", want))
	require.Len(t, plugins[1].Warnings, 1)
	assert.Contains(t, plugins[1].Warnings[0].Message, "no TLS")
	assert.NotZero(t, plugins[1].Place("routes[0].auth", "want").Column)
}

func TestAHelmTemplateIsToBeRenderedFirst(t *testing.T) {
	for _, text := range []string{
		strings.Replace(istio, "metadata: {name: gate}", "metadata:\n  name: {{ .Values.name }}", 1),
		strings.Replace(istio, "phase: AUTHZ", "phase: \"{{ .Values.phase }}\"", 1),
		"{{- if .Values.gate.enabled }}\n" + gateway + "{{- end }}\n",
		"{{- include \"gate.config\" . | nindent 4 }}\n",
		"apiVersion: v1\n{{- with $x }}\nkind: ConfigMap\n{{ end }}",
	} {
		_, err := Read([]byte(text))
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), "a Helm template: render it first")
		assert.NotContains(t, err.Error(), "\n")
	}
	lua := envoy(stringValue, `x: "local t = {{name = 1}, {end_ = 2}}"`)
	assert.Equal(t, []string{"gate"}, titles(t, lua), "braces of Lua")
}

func TestWhatASecretHoldsIsNotRepeated(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte("routes: [hunter2: *hunter2"))
	for text, message := range map[string]string{
		"stringData:\n  a.yaml: 'routes: [hunter2: *hunter2'\n":    "want JSON or YAML, got a text of 26 bytes that isn't",
		"data:\n  a.yaml: " + encoded + "\n":                       "want JSON or YAML, got a text of 26 bytes that isn't",
		"data:\n  a.yaml: 'hunter2%'\n":                            "data: want base64, got a string of 8 characters that isn't",
		"stringData:\n  a.yaml: \"routes: []\\nhmac_key: 0123\"\n": "readers of YAML disagree about a number or date of 4 characters: quote it if it is a string",
	} {
		plugins, err := Read([]byte("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n" + text))
		require.NoError(t, err, text)
		require.Len(t, plugins, 1, text)
		assert.Equal(t, []string{message}, texts(plugins[0].Errors))
		assert.Equal(t, "Secret s: a.yaml", plugins[0].Title)
		assert.Equal(t, 5, plugins[0].Errors[0].Place.Line)
	}
}
