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
