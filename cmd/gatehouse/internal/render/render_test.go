package render

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/cmd/gatehouse/internal/manifest"
)

var forms = map[string]func(Options) ([]byte, error){
	"envoy": Envoy, "wasmplugin": WasmPlugin, "extensionpolicy": ExtensionPolicy, "json": JSON,
}

func TestAFormHoldsTheSameConfiguration(t *testing.T) {
	text := rapid.StringOf(rapid.RuneFrom([]rune("aZ9 .:-#&*!|>'\"\\{}[],%@`~$\n\t\r\x00\x7f\u0085\u2028\ufeffé€😀")))
	word := rapid.OneOf(text, rapid.SampledFrom([]string{"yes", "no", "on", "~", "null", "true", "1", "1e3", "0x1F", "2026-01-31", "12:30", "=", "<<", "", "y"}))
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		return rapid.Custom(func(t *rapid.T) any {
			switch rapid.IntRange(0, 5-min(depth, 1)*2).Draw(t, "kind") {
			case 0:
				return word.Draw(t, "text")
			case 1:
				return rapid.Bool().Draw(t, "bool")
			case 2:
				return rapid.IntRange(-5, 1e9).Draw(t, "int")
			case 3:
				return nil
			case 4:
				return rapid.SliceOfN(value(depth+1), 0, 3).Draw(t, "list")
			}
			return rapid.MapOfN(word, value(depth+1), 0, 3).Draw(t, "object")
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		config, err := json.Marshal(map[string]any{"routes": value(0).Draw(t, "routes"), "tokens": value(0).Draw(t, "tokens")})
		require.NoError(t, err)
		for name, form := range forms {
			out, err := form(Options{Config: config, Image: "r/gatehouse:1", Env: []string{"A"}})
			require.NoError(t, err, name)
			plugins, err := manifest.Read(out)
			require.NoError(t, err, "%s: %s", name, out)
			require.Len(t, plugins, 1, name)
			assert.Empty(t, plugins[0].Errors, name)
			assert.JSONEq(t, string(config), string(plugins[0].Config), "%s: %s", name, out)
			if name != "json" {
				assert.True(t, plugins[0].Environment.Host["A"], name)
			}
		}
	})
}

func TestIntegersAreWrittenAsIntegers(t *testing.T) {
	out, err := WasmPlugin(Options{Config: []byte(`{"routes":[],"x":[60.0,6e1,-0,1.5,1e300]}`), Image: "i"})
	require.NoError(t, err)
	assert.Contains(t, string(out), "x: [60, 60, 0, 1.5, 1e300]\n")
}

func TestThePhaseIsThatOfWhoeverVerifies(t *testing.T) {
	for claims, phase := range map[bool]string{true: "phase: AUTHZ\n", false: "phase: AUTHN\n"} {
		out, err := WasmPlugin(Options{Config: []byte(`{}`), ClaimsFrom: claims})
		require.NoError(t, err)
		assert.Contains(t, string(out), phase)
	}
}
