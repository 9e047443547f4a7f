package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
)

const (
	good = `{"routes": [{"path": "/**", "auth": "none"}]}`
	bad  = `{"routes": [{"path": "/**", "auth": "nein"}], "rate_limits": [{"name": "l", "max_requests": 1, "window_seconds": 0}]}`
)

func TestAGoodConfigurationIsOK(t *testing.T) {
	path := file(t, "config.json", good)
	assert.Equal(t, result{0, path + ": ok\n", ""}, gatehouse(t, "", "check", path))
	assert.Equal(t, result{0, "-: ok\n", ""}, gatehouse(t, good, "check", "-"))
	assert.Equal(t, result{0, "-: ok\n", ""}, gatehouse(t, "routes:\n- path: /**\n  auth: none\n", "check", "-"))
	assert.Equal(t, result{0, "../../envoy.yaml: ok\n", ""}, gatehouse(t, "", "check", "../../envoy.yaml"))
}

func TestEveryErrorIsALineWithItsFileAndPath(t *testing.T) {
	path := file(t, "config.json", bad)
	assert.Equal(t, result{1, "-: ok\n", path + `:1:37: routes[0].auth: want "required", "optional" or "none", got "nein"` + "\n" +
		path + ":1:114: rate_limits[0].window_seconds: want 1..86400, got 0\n"}, gatehouse(t, good, "check", path, "-"))

	assert.Equal(t, result{1, "", "-:1:13: not JSON: unexpected end\n"}, gatehouse(t, `{"routes": [`, "check", "-"))
	assert.Equal(t, result{1, "", "-:2:1: duplicate key \"routes\"\n"}, gatehouse(t, "routes: []\nroutes: []\n", "check", "-"))
	assert.Equal(t, result{1, "", "-:1:47: routes: duplicate key\n"}, gatehouse(t, good[:len(good)-1]+`, "routes": []}`, "check", "-"))
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	assert.Equal(t, result{1, "", missing + ": no such file or directory\n"}, gatehouse(t, "", "check", missing))
}

func TestWarningsAreNoErrors(t *testing.T) {
	r := gatehouse(t, `{"routes": [{"path": "/**", "auth": "none"}, {"path": "/late", "auth": "none"}]}`, "check", "-")
	assert.Equal(t, result{0, "-: ok\n", "-:1:46: routes[1]: warning: never reached: routes[0] takes every request\n"}, r)
}

func TestPluginsOfOneFileAreToldApart(t *testing.T) {
	const two = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata: {name: p}
spec:
  wasm:
  - {name: a, failOpen: true, config: {routes: [{path: /**, auth: none}]}}
  - {name: b, config: {routes: []}}
`
	assert.Equal(t, result{1, "", "-:7:25: EnvoyExtensionPolicy p: a: spec.wasm[0].failOpen: a plugin that fails open lets everyone in, unchecked, when it crashes\n" +
		"-:8:32: EnvoyExtensionPolicy p: b: routes: want a list of 1..1000, got 0\n"}, gatehouse(t, two, "check", "-"))
	assert.Equal(t, result{1, "", "-:3:9: configuration 2: routes: want a list of 1..1000, got 0\n"},
		gatehouse(t, "routes: [{path: /**, auth: none}]\n---\nroutes: []\n", "check", "-"), "nameless ones by their place")
}

// place is what precedes the path in a finding.
var place = regexp.MustCompile(`(?m)^-(:[0-9]+:[0-9]+)?: (WasmPlugin gate: )?`)

func TestSecretsComeFromWhereTheVMWouldSeeThem(t *testing.T) {
	const config = `{"tokens":{"providers":[{"name":"m","issuer":"i","audiences":["a"],"algorithms":["HS512"],` +
		`"jwks":{"inline":{"keys":[{"kty":"oct","k":{"env":"GATEHOUSE_TEST_KEY"}}]}}}]},"routes":[{"path":"/**"}]}`
	plugin := func(env string) string {
		return `{"apiVersion":"extensions.istio.io/v1alpha1","kind":"WasmPlugin","metadata":{"name":"gate"},"spec":{"vmConfig":{"env":[` + env + `]},"pluginConfig":` + config + `}}`
	}
	const (
		unknown = "environment variable GATEHOUSE_TEST_KEY: warning: not set here, so its value was not checked\n"
		unset   = "tokens.providers[0].jwks.inline.keys[0].k.env: the environment variable GATEHOUSE_TEST_KEY is not set\n"
		short   = "tokens.providers[0].jwks.inline: want at least one key that fits the provider's algorithms; keys[0]: secret below 32 bytes\n"
	)
	assertFinding := func(want result, in string) {
		t.Helper()
		got := gatehouse(t, in, "check", "-")
		got.err = place.ReplaceAllString(got.err, "")
		assert.Equal(t, want, got)
	}
	assertFinding(result{0, "-: ok\n", unknown}, config)
	assertFinding(result{0, "-: ok\n", unknown}, plugin(`{"name":"GATEHOUSE_TEST_KEY","valueFrom":"HOST"}`))
	assertFinding(result{1, "", unset}, plugin(``))
	assertFinding(result{1, "", short}, plugin(`{"name":"GATEHOUSE_TEST_KEY","value":"c2hvcnQ"}`))
	t.Setenv("GATEHOUSE_TEST_KEY", "c2hvcnQ")
	assertFinding(result{1, "", short}, config)
	assertFinding(result{1, "", unset}, plugin(``))
}

// A secret that isn't at hand is taken for a good one, whatever its variable's name.
func TestNoNameOfAVariableMakesItsSecretABadOne(t *testing.T) {
	for i := range 50 {
		name := fmt.Sprintf("GATEHOUSE_TEST_KEY_%d", i)
		secret := `{"env":"` + name + `"}`
		for _, config := range []string{
			`{"tokens":{"providers":[{"name":"m","issuer":"i","audiences":["a"],"algorithms":["HS512"],` +
				`"jwks":{"inline":{"keys":[{"kty":"oct","k":` + secret + `}]}}}]},"routes":[{"path":"/**"}]}`,
			`{"routes":[{"path":"/**","auth":"none"}],"audit":{"chain":{"key_id":"k1","hmac_key":` + secret + `}}}`,
			`{"routes":[{"path":"/**","auth":"none"}],"audit":{"http":{"cluster":"c","headers":{"authorization":` + secret + `}}}}`,
			`{"routes":[{"path":"/**","auth":"none"}],"admin":{"token":` + secret + `}}`,
		} {
			warning := "-: environment variable " + name + ": warning: not set here, so its value was not checked\n"
			assert.Equal(t, result{0, "-: ok\n", warning}, gatehouse(t, config, "check", "-"), config)
		}
	}
}

func TestCheckSaysWhatToWriteInstead(t *testing.T) {
	const config = `{
  "routes": [
    {"path": "/users/{id}", "auth": "nonne"},
    {"path": "/api/**", "auth": "none"}
  ],
  "rate_limits": [{"name": "a", "max_requests": 5, "window_seconds": "60s"}]
}`
	const star = "want * as a whole segment, for any one segment, and ** as the last segment only, for all below"
	assert.Equal(t, result{1, "", `-:3:14: routes[0].path: ` + star + `, got "/users/{id}"; write /users/*` + "\n" +
		`-:3:37: routes[0].auth: want "required", "optional" or "none", got "nonne"; did you mean "none"?` + "\n" +
		`-:6:70: rate_limits[0].window_seconds: want 1..86400, got "60s"; write 60` + "\n"}, gatehouse(t, config, "check", "-"))
}

func TestCheckWarnsOfWhatCannotBeMeant(t *testing.T) {
	const config = `routes:
- {path: /api/**, auth: none}
- {path: /api/admin/**, auth: none}
`
	assert.Equal(t, result{0, "-: ok\n", "-:3:3: routes[1]: warning: never reached: routes[0] takes all of its requests; put the narrower route first\n"},
		gatehouse(t, config, "check", "-"))
}
