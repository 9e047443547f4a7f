package envoy_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// shipped loads the repository's envoy.yaml.
func shipped(t *testing.T) envoy.Bootstrap {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	b, err := envoy.Load(filepath.Join(root, "envoy.yaml"))
	require.NoError(t, err)
	return b
}

// plugin returns the plugin configuration of a listener.
func plugin(t *testing.T, b envoy.Bootstrap, listener string) map[string]any {
	t.Helper()
	text, err := b.PluginConfig(listener)
	require.NoError(t, err)
	var config map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &config))
	return config
}

func TestMergingAPluginConfigurationFollowsRFC7396(t *testing.T) {
	b := shipped(t)
	const listener = "gate"
	// The examples of RFC 7396, appendix A, as members, since a plugin's configuration is an
	// object.
	for _, test := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		require.NoError(t, envoy.PluginConfig(listener, test.target)(b))
		require.NoError(t, envoy.MergePluginConfig(listener, test.patch)(b))
		got, err := json.Marshal(plugin(t, b, listener))
		require.NoError(t, err)
		assert.JSONEq(t, test.want, string(got), "%s + %s", test.target, test.patch)
	}
}

func TestACopiedListenerIsEditedAlone(t *testing.T) {
	b := shipped(t)
	before := plugin(t, b, "gate")
	require.NoError(t, envoy.CopyListener("gate", "copy")(b))
	require.NoError(t, envoy.PluginConfig("copy", `{"routes":[]}`)(b))
	require.NoError(t, envoy.AccessLog("copy", "/tmp/copy.log")(b))
	assert.Equal(t, before, plugin(t, b, "gate"))
	assert.Equal(t, map[string]any{"routes": []any{}}, plugin(t, b, "copy"))

	// access_log is an alias in envoy.yaml: both listeners of the file must keep their own.
	for _, listener := range []string{"gate", "gate_envoy_jwt"} {
		manager, err := b.ConnectionManager(listener)
		require.NoError(t, err)
		text, err := json.Marshal(manager["access_log"])
		require.NoError(t, err)
		assert.Contains(t, string(text), `"/dev/stdout"`)
	}
	require.NoError(t, envoy.RemoveListener("copy")(b))
	_, err := b.Listener("copy")
	require.Error(t, err)
}

func TestEditsOfWhatIsNotThereAreErrors(t *testing.T) {
	for name, edit := range map[string]envoy.Edit{
		"cluster":         envoy.Endpoint("nobody", "127.0.0.1:1"),
		"endpoint":        envoy.Endpoint("idp", "127.0.0.1"),
		"port":            envoy.Endpoint("idp", "127.0.0.1:65536"),
		"listener":        envoy.PluginConfig("nobody", `{}`),
		"patch":           envoy.MergePluginConfig("gate", `{`),
		"patch target":    envoy.MergePluginConfig("nobody", `{}`),
		"copy":            envoy.CopyListener("nobody", "copy"),
		"remove":          envoy.RemoveListener("nobody"),
		"access log":      envoy.AccessLog("nobody", "/tmp/x"),
		"listener's YAML": envoy.AddListener(`{`),
		"cluster's YAML":  envoy.AddCluster(`- x`),
	} {
		t.Run(name, func(t *testing.T) { require.Error(t, edit(shipped(t))) })
	}
}

func TestTheShippedAddressesAreReadBack(t *testing.T) {
	b := shipped(t)
	addresses, err := b.Addresses()
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"": "127.0.0.1:9901", "gate": "127.0.0.1:10000", "gate_envoy_jwt": "127.0.0.1:10001"}, addresses)
	endpoint, err := b.EndpointOf("idp")
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1:10080", endpoint)
	_, err = b.EndpointOf("nobody")
	require.Error(t, err)
	require.NoError(t, envoy.AddCluster(`{name: empty}`)(b))
	_, err = b.EndpointOf("empty")
	require.EqualError(t, err, "cluster empty has no endpoint")
	b["admin"] = nil
	_, err = b.Addresses()
	require.EqualError(t, err, "admin: want a socket_address with address and port_value")
}

func TestAddressesMoveInTextsAndNowhereElse(t *testing.T) {
	b := shipped(t)
	clusters, err := b.Clusters()
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"idp": "127.0.0.1:10080", "upstream": "127.0.0.1:10081"}, clusters)
	require.NoError(t, envoy.MoveAddresses(map[string]string{"127.0.0.1:10080": "127.0.0.1:7", "127.0.0.1:1008": "127.0.0.1:8"})(b))
	provider := plugin(t, b, "gate")["tokens"].(map[string]any)["providers"].([]any)[0].(map[string]any)
	assert.Equal(t, "http://127.0.0.1:7", provider["issuer"])
	assert.Equal(t, "http://127.0.0.1:7/jwks.json", provider["jwks"].(map[string]any)["uri"])
	jwt, err := b.HTTPFilter("gate_envoy_jwt", "JwtAuthentication")
	require.NoError(t, err)
	assert.Equal(t, "http://127.0.0.1:7", jwt["providers"].(map[string]any)["main"].(map[string]any)["issuer"])
	after, err := b.Clusters()
	require.NoError(t, err)
	assert.Equal(t, clusters, after)
}

func TestTheVariablesOfTheVMsAreFound(t *testing.T) {
	b := shipped(t)
	assert.Empty(t, b.HostEnv())
	for _, listener := range []string{"gate", "gate_envoy_jwt"} {
		filter, err := b.HTTPFilter(listener, "Wasm")
		require.NoError(t, err)
		vm := filter["config"].(map[string]any)["vm_config"].(map[string]any)
		vm["environment_variables"] = map[string]any{"host_env_keys": []any{"B", "A"}}
	}
	assert.Equal(t, []string{"A", "B"}, b.HostEnv())
}
