package manifest

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	bare = `routes: [{path: /**, auth: none}]`
	want = `{"routes":[{"path":"/**","auth":"none"}]}`

	stringValue = `{"@type": type.googleapis.com/google.protobuf.StringValue, value: '` + want + `'}`
	structForm  = `{"@type": type.googleapis.com/google.protobuf.Struct, value: {routes: [{path: /**, auth: none}]}}`
	bytesValue  = `{"@type": type.googleapis.com/google.protobuf.BytesValue, value: eyJyb3V0ZXMiOlt7InBhdGgiOiIvKioiLCJhdXRoIjoibm9uZSJ9XX0=}`
)

// envoy is a bootstrap with one Wasm filter; more are further lines of its plugin's config.
func envoy(configuration string, more ...string) string {
	return `
static_resources:
  listeners:
  - filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          http_filters:
          - name: other
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config: {name: coraza, configuration: {"@type": type.googleapis.com/google.protobuf.StringValue, value: "not ours"}, fail_open: yes}
          - name: gate
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: gate
                configuration: ` + configuration + `
` + indent(more, 16)
}

func indent(lines []string, by int) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.Repeat(" ", by) + l + "\n")
	}
	return b.String()
}

const istio = `
apiVersion: v1
kind: Service
metadata: {name: web}
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: gate}
spec:
  url: oci://registry.example/gatehouse:1
  phase: AUTHZ
  vmConfig:
    env:
    - {name: GIVEN, value: v}
    - {name: PASSED, valueFrom: HOST}
  pluginConfig:
    routes: [{path: /**, auth: none}]
`

const gateway = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata: {name: policy}
spec:
  wasm:
  - name: other
    failOpen: true
    config: {anything: true}
  - name: gate
    code: {type: Image, image: {url: registry.example/gatehouse:1}}
    env: {hostKeys: [PASSED]}
    config:
      routes: [{path: /**, auth: none}]
`

func read(t *testing.T, text string) Plugin {
	t.Helper()
	plugins, err := Read([]byte(text))
	require.NoError(t, err)
	require.Len(t, plugins, 1)
	return plugins[0]
}

// texts are the findings without their places.
func texts(findings []Finding) (out []string) {
	for _, f := range findings {
		out = append(out, f.String())
	}
	return out
}

func TestAConfigurationIsFoundInEveryKindOfFile(t *testing.T) {
	typedStruct := `
resources:
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  filters:
  - typedConfig:
      httpFilters:
      - typedConfig:
          "@type": type.googleapis.com/xds.type.v3.TypedStruct
          typeUrl: type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
          value: {config: {name: gate, configuration: ` + stringValue + `}}
`
	envoyFilter := `
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
spec:
  configPatches:
  - patch:
      value:
        name: gate
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
          config: {name: gate, configuration: ` + stringValue + `}
`
	list := "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(gateway), "\n", "\n  ")
	for name, text := range map[string]string{
		"bare YAML": bare, "bare JSON": want, "envoy, StringValue": envoy(stringValue), "envoy, BytesValue": envoy(bytesValue),
		"typed struct, camel case": typedStruct, "EnvoyFilter": envoyFilter, "Istio": istio, "Envoy Gateway": gateway, "List": list,
		"JSON manifest": `{"apiVersion":"extensions.istio.io/v1alpha1","kind":"WasmPlugin","metadata":{"name":"gate"},"spec":{"pluginConfig":` + want + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := read(t, text)
			assert.Equal(t, want, string(p.Config))
			assert.Empty(t, p.Errors)
			if !strings.HasPrefix(name, "bare") {
				assert.Equal(t, "gate", p.Name)
				assert.NotNil(t, p.Environment)
			}
		})
	}
}

func TestABareConfigurationKeepsItsBytes(t *testing.T) {
	text := "{\n  \"routes\": 1, \"routes\": 2,\n"
	assert.Equal(t, text, string(read(t, text).Config), "malformed JSON is the parser's to report")
	for _, text := range []string{
		`{"routes": [{"path": "/**", "auth": "none"},]}`, `{"routes": [{"path": "/**", "auth": none}]}`,
		"\ufeff{\"routes\": []}", "{}",
	} {
		assert.Equal(t, text, string(read(t, text).Config), "what YAML would forgive, too")
	}
	assert.Equal(t, `{"routes":[]}`, string(read(t, "{routes: []}").Config), "YAML in one line")
}

func TestAPluginThatFailsOpenIsRefused(t *testing.T) {
	for text, problem := range map[string]string{
		envoy(stringValue, "failure_policy: FAIL_OPEN"):                                     "failure_policy: ",
		envoy(stringValue, "failurePolicy: FAIL_OPEN"):                                      "failure_policy: ",
		envoy(stringValue, "failure_policy: 3"):                                             "failure_policy: ",
		envoy(stringValue, "fail_open: true"):                                               "fail_open: ",
		envoy(stringValue, "failOpen: yes"):                                                 "fail_open: ",
		strings.Replace(istio, "phase: AUTHZ", "failStrategy: FAIL_OPEN", 1):                "spec.failStrategy: ",
		strings.Replace(gateway, "- name: gate\n", "- name: gate\n    failOpen: true\n", 1): "spec.wasm[1].failOpen: ",
	} {
		assert.Equal(t, []string{problem + failsOpen}, texts(read(t, text).Errors), text)
	}
	for _, text := range []string{
		envoy(stringValue, "failure_policy: FAIL_RELOAD", "fail_open: false"), envoy(stringValue, "failure_policy: FAIL_CLOSED"),
		strings.Replace(istio, "phase: AUTHZ", "failStrategy: FAIL_CLOSE", 1), strings.Replace(gateway, "env:", "failOpen: false\n    env:", 1),
	} {
		assert.Empty(t, read(t, text).Errors, text)
	}
}

func TestAPluginThatLetsBodiesPassHeldHeadersIsRefused(t *testing.T) {
	for option, problems := range map[string][]string{
		"allow_on_headers_stop_iteration: true":          {"allow_on_headers_stop_iteration: " + failsOpenHeld},
		"allowOnHeadersStopIteration: true":              {"allow_on_headers_stop_iteration: " + failsOpenHeld},
		"allow_on_headers_stop_iteration: {value: true}": {"allow_on_headers_stop_iteration: " + failsOpenHeld},
		"allow_on_headers_stop_iteration: false":         nil,
	} {
		assert.Equal(t, problems, texts(read(t, envoy(stringValue, option)).Errors), option)
	}
}

func TestAPluginWithoutAReadableConfigurationIsRefused(t *testing.T) {
	for text, problem := range map[string]string{
		envoy(structForm): "configuration: want a google.protobuf.StringValue with JSON: Envoy hands the bytes of a Struct to the plugin, which are no JSON",
		envoy(`{"@type": type.googleapis.com/google.protobuf.Int32Value, value: 1}`, "vm_config: {vm_id: gatehouse}"):    "configuration: want a google.protobuf.StringValue with JSON",
		envoy(`{"@type": type.googleapis.com/google.protobuf.BytesValue, value: "{}"}`, "vm_config: {vm_id: gatehouse}"): "configuration.value: want base64, got a string of 2 characters that isn't",
		strings.Replace(istio, "  pluginConfig:\n    routes: [{path: /**, auth: none}]\n", "", 1):                        "spec.pluginConfig: required: Gatehouse does nothing without a configuration",
		strings.Replace(istio, "auth: none", "auth: no", 1):                                                              "readers of YAML disagree about no: quote it if it is a string",
		strings.Replace(bare, "auth: none", "auth: no", 1):                                                               "readers of YAML disagree about no: quote it if it is a string",
	} {
		p := read(t, text)
		assert.Equal(t, []string{problem}, texts(p.Errors), text)
		assert.Nil(t, p.Config)
	}
}

func TestAMalformedTextIsStillRecognised(t *testing.T) {
	text := envoy(`{"@type": type.googleapis.com/google.protobuf.StringValue, value: '{"routes": [}'}`)
	assert.Equal(t, `{"routes": [}`, string(read(t, text).Config))
}

func TestVariablesOfTheVMAreKnown(t *testing.T) {
	p := read(t, envoy(stringValue, "vm_config: {environment_variables: {host_env_keys: [PASSED], key_values: {GIVEN: v}}}"))
	assert.Equal(t, &Environment{Values: map[string]string{"GIVEN": "v"}, Host: map[string]bool{"PASSED": true}}, p.Environment)
	assert.Equal(t, &Environment{Values: map[string]string{"GIVEN": "v"}, Host: map[string]bool{"PASSED": true}}, read(t, istio).Environment)
	assert.Equal(t, &Environment{Host: map[string]bool{"PASSED": true}}, read(t, gateway).Environment)
	assert.Nil(t, read(t, bare).Environment)
}

func TestTheRepositorysEnvoyYAMLHasTwoPlugins(t *testing.T) {
	text, err := os.ReadFile("../../../../envoy.yaml")
	require.NoError(t, err)
	plugins, err := Read(text)
	require.NoError(t, err)
	require.Len(t, plugins, 2)
	assert.Equal(t, "gate", plugins[0].Name)
	assert.Equal(t, "gate_envoy_jwt", plugins[1].Name)
	for _, p := range plugins {
		assert.Empty(t, p.Errors)
		assert.Empty(t, p.Warnings)
	}
}

func TestBadTokensThatLookLikeNoneAreRefused(t *testing.T) {
	text, err := os.ReadFile("../../../../envoy.yaml")
	require.NoError(t, err)
	problems := func(old, replacement string) []string {
		t.Helper()
		require.Contains(t, string(text), old)
		plugins, err := Read([]byte(strings.Replace(string(text), old, replacement, 1)))
		require.NoError(t, err)
		require.Len(t, plugins, 2)
		assert.Empty(t, plugins[0].Errors, "it verifies tokens itself")
		return texts(plugins[1].Errors)
	}
	assert.Equal(t, []string{"jwt_authn.providers.main.failed_status_in_metadata: required with allow_missing_or_failed: without it a bad token looks like none"},
		problems("failed_status_in_metadata: fail", ""))
	const key = `"envoy_metadata": {"filter": "envoy.filters.http.jwt_authn", "key": "payload"},
                            "failed_status_key": "fail"`
	assert.Equal(t, []string{"tokens.providers[0].claims_from.failed_status_key: required where jwt_authn has allow_missing_or_failed: without it a bad token looks like none"},
		problems(key, `"envoy_metadata": {"filter": "envoy.filters.http.jwt_authn", "key": "payload"}`))
	assert.Equal(t, []string{"jwt_authn.providers.main.failed_status_in_metadata: want the failed_status_key of a provider in tokens.providers, got other: " +
		"without it a bad token looks like none"}, problems("failed_status_in_metadata: fail", "failed_status_in_metadata: other"))
	assert.Empty(t, problems("- allow_missing_or_failed: {}", "- allow_missing: {}"))
}

func TestAFileWithoutAConfigurationIsAnError(t *testing.T) {
	for text, message := range map[string]string{
		"":                              "no configuration of Gatehouse in it",
		"---\n---\n":                    "no configuration of Gatehouse in it",
		"apiVersion: v1\nkind: Pod":     "no configuration of Gatehouse in it",
		"static_resources: {}":          "no configuration of Gatehouse in it",
		"a: [":                          "line 1: not YAML: did not find expected node content",
		strings.Repeat("a", MaxBytes+1): "want at most 16777216 bytes, got 16777217",
	} {
		_, err := Read([]byte(text))
		assert.EqualError(t, err, message)
	}
}
