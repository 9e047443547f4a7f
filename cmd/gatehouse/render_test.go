package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const secretive = `
tokens:
  providers:
  - {name: m, issuer: https://i, audiences: [a], algorithms: [HS256], jwks: {inline: {keys: [{kty: oct, k: {env: GATEHOUSE_TEST_KEY}}]}}}
routes:
- {path: /**}
`

func TestWhatIsRenderedPassesCheck(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_KEY", strings.Repeat("A", 43))
	config := file(t, "gate.yaml", secretive)
	for _, form := range []string{"envoy", "wasmplugin", "extensionpolicy", "json"} {
		args := []string{"render", "--config", config, "--as", form}
		if form == "wasmplugin" || form == "extensionpolicy" {
			args = append(args, "--image", "oci://registry.example/gatehouse:1")
		}
		r := gatehouse(t, "", args...)
		require.Equal(t, 0, r.code, r.err)
		assert.Empty(t, r.err)
		assert.NotContains(t, r.out, strings.Repeat("A", 43), "the secret stays a name")
		assert.Equal(t, result{0, "-: ok\n", ""}, gatehouse(t, r.out, "check", "-"), form)
		if form != "json" {
			assert.Contains(t, r.out, "GATEHOUSE_TEST_KEY", form)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	config := file(t, "gate.yaml", secretive)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--config", config, "--as", "wasm-plugin"}, `--as: want envoy, wasmplugin, extensionpolicy or json, got "wasm-plugin"; did you mean "wasmplugin"?`},
		{[]string{"--config", config, "--as", "json", "--image", "x"}, "--image: only with --as wasmplugin or extensionpolicy, got json"},
		{[]string{"--config", config, "--as", "envoy", "--namespace", "shop"}, "--namespace: only with --as wasmplugin or extensionpolicy, got envoy"},
		{[]string{"--config", config, "--as", "extensionpolicy", "--selector", "app=orders"}, "--selector: only with --as wasmplugin, got extensionpolicy"},
		{[]string{"--config", config, "--as", "extensionpolicy", "--inbound"}, "--inbound: only with --as wasmplugin, got extensionpolicy"},
		{[]string{"--config", config, "--as", "wasmplugin", "--gateway", "eg"}, "--gateway: only with --as extensionpolicy, got wasmplugin"},
		{[]string{"--config", config, "--as", "wasmplugin", "--namespace", "Shop"}, `--namespace: want letters a to z, digits and -, got "Shop"`},
		{[]string{"--config", config, "--as", "wasmplugin", "--namespace", ""}, `--namespace: want letters a to z, digits and -, got ""`},
		{[]string{"--config", config, "--as", "wasmplugin", "--selector", "app"}, `--selector: want NAME=VALUE,… with different names, got "app"`},
		{[]string{"--config", config, "--as", "wasmplugin", "--selector", "a=b,a=c"}, `--selector: want NAME=VALUE,… with different names, got "a=b,a=c"`},
		{[]string{"--config", config, "--as", "wasmplugin", "--selector", ""}, "--selector: want NAME=VALUE,…, got none: that would select all workloads"},
		{[]string{"--config", config, "--as", "extensionpolicy", "--gateway", "eg/"}, `--gateway: want NAME or NAME/LISTENER, got "eg/"`},
		{[]string{"--config", config}, `required flag(s) "as" not set`},
		{[]string{"--config", file(t, "bad.yaml", "routes: [{path: x, auth: none}]"), "--as", "json"}, "bad.yaml:1:17: routes[0].path: want a path that begins with '/', got \"x\"; write /x"},
	} {
		r := gatehouse(t, "", append([]string{"render"}, test.args...)...)
		assert.Equal(t, 2, r.code)
		assert.Empty(t, r.out)
		assert.True(t, strings.HasSuffix(r.err, test.want+"\n"), r.err)
	}
}

func TestAnImageThatIsNotGivenIsNamed(t *testing.T) {
	r := gatehouse(t, "", "render", "--config", file(t, "gate.yaml", secretive), "--as", "wasmplugin")
	assert.Equal(t, 0, r.code)
	assert.Contains(t, r.out, "oci://"+placeholderImage)
	assert.Equal(t, "gatehouse: no --image: replace "+placeholderImage+"\n", r.err)
}

func TestTheResourceNamesWhatItStandsOn(t *testing.T) {
	config := file(t, "gate.yaml", good)
	for _, test := range []struct {
		form, flags, want string
	}{
		{"wasmplugin", "--namespace shop --selector app=orders,version=v=2 --inbound", `
metadata:
  name: gatehouse
  namespace: "shop"
spec:
  selector:
    matchLabels: {"app": "orders", "version": "v=2"}
  match:
    - {mode: SERVER}
  url: "oci://r/gatehouse:1"
`},
		{"wasmplugin", "", `
metadata:
  name: gatehouse
spec:
  url: "oci://r/gatehouse:1"
`},
		{"extensionpolicy", "--namespace shop --gateway public/https", `
metadata:
  name: gatehouse
  namespace: "shop"
spec:
  targetRefs:
    - group: gateway.networking.k8s.io
      kind: Gateway
      name: "public"
      sectionName: "https"
`},
		{"extensionpolicy", "", `
metadata:
  name: gatehouse
spec:
  targetRefs:
    - group: gateway.networking.k8s.io
      kind: Gateway
      name: eg # your Gateway's name
  wasm:
`},
	} {
		args := append([]string{"render", "--config", config, "--as", test.form, "--image", "r/gatehouse:1"}, strings.Fields(test.flags)...)
		r := gatehouse(t, "", args...)
		assert.Equal(t, 0, r.code, r.err)
		assert.Contains(t, r.out, test.want)
		assert.Equal(t, result{0, "-: ok\n", ""}, gatehouse(t, r.out, "check", "-"))
	}
}
