package check

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const chartDir = "../helm/gatehouse"

// render is `helm template gatehouse deploy/helm/gatehouse --namespace shop` with values in YAML.
func render(t *testing.T, values string) (docs []string, err error) {
	t.Helper()
	return renderAs(t, common.ReleaseOptions{Name: "gatehouse", Namespace: "shop", IsInstall: true, Revision: 1}, values)
}

func renderAs(t *testing.T, options common.ReleaseOptions, values string) (docs []string, err error) {
	t.Helper()
	chart, err := loader.Load(chartDir)
	require.NoError(t, err)
	var given map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(values), &given))
	capabilities := common.DefaultCapabilities.Copy()
	all, err := util.ToRenderValues(chart, given, options, capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if path.Ext(name) == ".yaml" {
			docs = append(docs, documents(files[name])...)
		}
	}
	return docs, nil
}

// installations are values that people may have.
var installations = map[string]string{
	"envoy":                `{mode: envoy}`,
	"envoy, admin":         `{mode: envoy, admin: {enabled: true}}`,
	"istio":                `{mode: istio}`,
	"istio, admin":         `{mode: istio, admin: {enabled: true, port: 9912}, istio: {failStrategy: FAIL_RELOAD}}`,
	"envoy-gateway":        `{mode: envoy-gateway}`,
	"envoy-gateway, admin": `{mode: envoy-gateway, admin: {enabled: true}}`,
	"istio, a waypoint": `
mode: istio
istio: {selector: {}, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]}
`,
	"istio, a gateway": `{mode: istio, istio: {selector: {istio: ingressgateway}, gateway: true}}`,
	"istio verifies": `
mode: istio
clusters: []
config:
  tokens: {providers: [{name: main, issuer: "https://idp.example", claims_from: {envoy_metadata: {filter: envoy.filters.http.jwt_authn, key: payload}}}]}
istio: {jwtRules: [{issuer: "https://idp.example", jwksUri: "https://idp.example/jwks.json", fromHeaders: [{name: Authorization, prefix: "Bearer "}]}]}
`,
	"a busy service": `
mode: envoy
image: {repository: "registry.example:5000/team/gatehouse", tag: v1.2.3, pullSecrets: [pull]}
config:
  mode: observe
  rate_limits: [{name: burst, max_requests: 100000000, window_seconds: 86400}]
  audit: {http: {cluster: sink, path: /events}}
clusters:
- {name: idp, host: idp.example, port: 443}
- {name: sink, host: sink.example, port: 8443, tls: false}
envoy:
  filterPath: /opt/gatehouse.wasm
  xffNumTrustedHops: 1
  replicas: 12
  concurrency: 8
  drainSeconds: 60
  service: {type: LoadBalancer, port: 8080}
  nodeSelector: {disk: fast}
  tolerations: [{key: proxy, operator: Exists}]
  networkPolicy: {enabled: false}
check: {enabled: false}
`,
	"a gateway with a sink": `
mode: envoy-gateway
image: {pullSecrets: [pull]}
config: {audit: {http: {cluster: sink, path: /events}}}
clusters:
- {name: idp, host: idp.example, port: 443, path: /keys}
- {name: sink, host: sink.example, port: 8443, tls: false}
envoyGateway: {gateway: public, listener: https, envoyProxy: false, clientTrafficPolicy: false}
check: {enabled: false}
`,
	"no tokens": `{mode: envoy, config: {tokens: null, routes: [{path: "/**", auth: none}], rate_limits: [{name: ip, max_requests: 5, window_seconds: 1, identifier: [ip]}]}, clusters: []}`,
}

func TestTheChartPassesLint(t *testing.T) {
	for name, values := range installations {
		var given map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(values), &given))
		for _, message := range lint.RunAll(chartDir, given, "shop").Messages {
			if message.Severity > support.InfoSev { // the only hint: an icon is recommended
				t.Errorf("%s: %s", name, message)
			}
		}
	}
}

func TestTheChartsOutputIsCheckedLikeTheManifests(t *testing.T) {
	for name, values := range installations {
		docs, err := render(t, values)
		require.NoError(t, err, name)
		require.NotEmpty(t, docs, name)
		for _, doc := range docs {
			assert.Empty(t, checkObject(t, doc), "%s:\n%s", name, doc)
		}
		findings, ok := gatehouseCheck(strings.Join(docs, "\n---\n"))
		assert.True(t, ok, "%s: %v", name, findings)
		for _, finding := range findings {
			switch {
			case strings.Contains(finding, "EnvoyFilter") && strings.Contains(finding, "vm_config.vm_id: warning: not set"):
			case name == "no tokens" && strings.Contains(finding, "warning"):
			default:
				t.Errorf("%s: %s", name, finding)
			}
		}
	}
}

// plain gives the manifests that a mode's chart stands for, by kind and name.
func plain(t *testing.T, files ...string) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, file := range files {
		for _, doc := range documents(read(t, file)) {
			add(t, out, doc)
		}
	}
	return out
}

// add adds an object without what only the chart gives it.
func add(t *testing.T, out map[string]any, doc string) {
	t.Helper()
	var object map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(doc), &object))
	out[kindOf(object)+" "+nameOf(object)] = bare(t, object)
}

// bare removes the chart's labels and checksums, and reads texts that hold YAML or JSON.
func bare(t *testing.T, node any) any {
	t.Helper()
	switch v := node.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, child := range v {
			if slices.Contains([]string{"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "helm.sh/chart", "checksum/config"}, name) {
				continue
			}
			child = bare(t, child)
			if labels, ok := child.(map[string]any); ok && name == "labels" {
				// Plain manifests label what is selected, the chart labels everything.
				if len(labels) == 0 || len(labels) == 1 && labels["app.kubernetes.io/name"] == "gatehouse" {
					continue
				}
			}
			out[name] = child
		}
		return out
	case []any:
		out := []any{}
		for _, child := range v {
			out = append(out, bare(t, child))
		}
		return out
	case string:
		var inner any
		if strings.Contains(v, "\n") && yaml.Unmarshal([]byte(v), &inner) == nil {
			return bare(t, inner)
		}
	}
	return node
}

// TestTheChartMakesThePlainManifests holds the chart's output for the values that it comes with
// against the manifests beside it.
func TestTheChartMakesThePlainManifests(t *testing.T) {
	for _, c := range []struct {
		values string
		files  []string
	}{
		{`{mode: envoy, admin: {enabled: true}}`, []string{"../kubernetes/gatehouse.yaml"}},
		{`{mode: istio, admin: {enabled: true}}`, []string{"../istio/verify.yaml", "../istio/admin.yaml"}},
		{`{mode: envoy-gateway, admin: {enabled: true}}`, []string{"../envoy-gateway/gateway.yaml", "../envoy-gateway/gatehouse.yaml", "../envoy-gateway/admin.yaml"}},
	} {
		docs, err := render(t, c.values)
		require.NoError(t, err)
		got := map[string]any{}
		for _, doc := range docs {
			if !strings.Contains(doc, "helm.sh/hook") {
				add(t, got, doc)
			}
		}
		want := plain(t, c.files...)
		for _, theirs := range []string{"GatewayClass eg", "Gateway eg", "HTTPRoute orders"} { // the chart makes none
			delete(want, "gateway.networking.k8s.io/v1 "+theirs)
		}
		assert.Empty(t, cmp.Diff(want, got), c.values)
	}
}

// TestAGatewayHasTheGateOnAllItsListeners holds what Istio does with `match`: a gateway's listeners
// count as CLIENT, so that with SERVER there would be no gate.
func TestAGatewayHasTheGateOnAllItsListeners(t *testing.T) {
	for values, want := range map[string]bool{
		`{mode: istio}`:                         true,
		`{mode: istio, istio: {gateway: true}}`: false,
		`{mode: istio, istio: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]}}`: false,
	} {
		docs, err := render(t, values)
		require.NoError(t, err)
		assert.Equal(t, want, strings.Contains(strings.Join(docs, ""), "- mode: SERVER"), values)
	}
	_, err := render(t, `{mode: istio, admin: {enabled: true}, istio: {gateway: true}}`)
	assert.ErrorContains(t, err, "admin.enabled: in mode istio want istio.selector")
}

func TestNamesFollowTheRelease(t *testing.T) {
	for mode, want := range map[string][]string{
		"envoy-gateway": {`"cluster": "httproute/prod/edge-gatehouse-idp/rule/0"`, "name: edge-gatehouse-idp", "name: edge-gatehouse-check"},
		"istio":         {`"cluster": "outbound|443||idp.example"`, "name: edge-gatehouse"},
		"envoy":         {`"cluster": "idp"`, "configMap: {name: edge-gatehouse}", "app.kubernetes.io/instance: edge"},
	} {
		docs, err := renderAs(t, common.ReleaseOptions{Name: "edge", Namespace: "prod", IsInstall: true, Revision: 1}, "mode: "+mode)
		require.NoError(t, err)
		all := strings.Join(docs, "\n---\n")
		for _, text := range want {
			assert.Contains(t, all, text, mode)
		}
		assert.NotContains(t, all, "namespace: shop")
		_, ok := gatehouseCheck(all)
		assert.True(t, ok)
	}
}

// TestTheMetricsLabelsAreThoseOfEnvoyYAML holds each copy of the stats_tags against the shipped
// ones.
func TestTheMetricsLabelsAreThoseOfEnvoyYAML(t *testing.T) {
	var shipped, bootstrap struct {
		Stats map[string]any `json:"stats_config"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "../../envoy.yaml")), &shipped))
	require.NotEmpty(t, shipped.Stats["stats_tags"])
	var config struct {
		Data map[string]string `json:"data"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(documents(read(t, "../kubernetes/gatehouse.yaml"))[0]), &config))
	require.NoError(t, yaml.Unmarshal([]byte(config.Data["envoy.yaml"]), &bootstrap))
	assert.Equal(t, shipped, bootstrap)

	rendered, err := render(t, `{mode: envoy-gateway}`)
	require.NoError(t, err)
	found := 0
	for _, doc := range append(documents(read(t, "../envoy-gateway/gateway.yaml")), rendered...) {
		var proxy struct {
			Kind string `json:"kind"`
			Spec struct {
				Bootstrap struct {
					Value string `json:"value"`
				} `json:"bootstrap"`
			} `json:"spec"`
		}
		require.NoError(t, yaml.Unmarshal([]byte(doc), &proxy))
		if proxy.Kind != "EnvoyProxy" {
			continue
		}
		found++
		bootstrap.Stats = nil
		require.NoError(t, yaml.Unmarshal([]byte(proxy.Spec.Bootstrap.Value), &bootstrap))
		assert.Equal(t, shipped, bootstrap)
	}
	assert.Equal(t, 2, found)
}

func TestValuesThatCannotBeAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		`{mode: kong}`: "value must be one of 'istio', 'envoy-gateway', 'envoy'",
		`{mode: istio, istio: {failStrategy: FAIL_OPEN}}`:                          "at '/istio/failStrategy': value must be one of 'FAIL_CLOSE', 'FAIL_RELOAD'",
		`{envoy: {replica: 3}}`:                                                    "at '/envoy': additional properties 'replica' not allowed",
		`{envoy: {upstream: {host: "orders:8080", port: 8080}}}`:                   "at '/envoy/upstream/host'",
		`{clusters: [{name: idp, host: idp.example, port: 0}]}`:                    "at '/clusters/0/port': minimum: got 0, want 1",
		`{clusters: [{name: idp, host: "https://idp.example", port: 443}]}`:        "at '/clusters/0/host'",
		`{config: {rate_limits: [{name: a, max_requests: 1, window_seconds: 0}]}}`: "at '/config/rate_limits/0/window_seconds': minimum: got 0, want 1",
		`{config: {route: []}}`:                                                    "at '/config': additional properties 'route' not allowed",
		`{config: {routes: [{path: /**, caller: robot}]}}`:                         "at '/config/routes/0/caller'",
		`{image: {tag: "a b"}}`:                                                    "at '/image/tag'",
		`{envoyGateway: {xffNumTrustedHops: -1}}`:                                  "at '/envoyGateway/xffNumTrustedHops'",
	} {
		_, err := render(t, values)
		assert.ErrorContains(t, err, want, values)
	}
}

func TestTheReadmesValuesRender(t *testing.T) {
	_, after, ok := strings.Cut(read(t, chartDir+"/README.md"), "```\nconfig:")
	require.True(t, ok)
	values, _, ok := strings.Cut(after, "```")
	require.True(t, ok)
	docs, err := render(t, "mode: istio\nconfig:"+values)
	require.NoError(t, err)
	findings, ok := gatehouseCheck(strings.Join(docs, "\n---\n"))
	assert.True(t, ok)
	assert.Empty(t, findings)
}

// TestTheHookChecksWhatIsInstalled holds the resource that the hook checks against the installed
// one.
func TestTheHookChecksWhatIsInstalled(t *testing.T) {
	for mode, kind := range map[string]string{"istio": "WasmPlugin", "envoy-gateway": "EnvoyExtensionPolicy"} {
		docs, err := render(t, `{mode: `+mode+`, config: {rate_limits: [{name: a, max_requests: 1, window_seconds: 1}, {name: a, max_requests: 2, window_seconds: 1}]}}`)
		require.NoError(t, err)
		var checked, installed any
		for _, doc := range docs {
			var object map[string]any
			require.NoError(t, yaml.Unmarshal([]byte(doc), &object))
			switch {
			case object["kind"] == kind:
				installed = object
			case object["kind"] == "ConfigMap":
				require.Contains(t, doc, "helm.sh/hook: pre-install,pre-upgrade")
				text, _ := object["data"].(map[string]any)["gate.yaml"].(string)
				require.NoError(t, yaml.Unmarshal([]byte(text), &checked))
				findings, ok := gatehouseCheck(text)
				assert.False(t, ok, "two limits of one name: %v", findings)
			}
		}
		assert.NotNil(t, installed)
		assert.Equal(t, installed, checked)
	}
}
