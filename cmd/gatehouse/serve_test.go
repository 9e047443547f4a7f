package main

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/config"
)

const openConfig = `{"routes": [{"path": "/**", "auth": "none"}]}`

// hmacConfig takes its key from the environment.
const hmacConfig = `{
	"tokens": {"providers": [{
		"name": "main", "issuer": "https://idp.example", "any_audience": true, "algorithms": ["HS256"],
		"jwks": {"inline": {"keys": [{"kty": "oct", "k": {"env": "GATEHOUSE_TEST_KEY"}}]}}
	}]},
	"routes": [{"path": "/**"}]
}`

func TestServeRefusesWhatItCannotServe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	busy := taken.Addr().String()
	open := file(t, "open.json", openConfig)
	bad := file(t, "bad.json", `{"routes": [{"path": "/**", "auth": "nobody"}], "rate_limit": []}`)
	remote := file(t, "remote.json", `{
		"tokens": {"providers": [{
			"name": "main", "issuer": "https://idp.example", "any_audience": true, "algorithms": ["RS256"],
			"jwks": {"cluster": "idp", "uri": "https://idp.example/jwks.json"}
		}]},
		"routes": [{"path": "/**"}]
	}`)
	hmac := file(t, "hmac.json", hmacConfig)
	// An empty module is enough, because all of these end before it is loaded.
	wasm := file(t, "filter.wasm", "")
	const any = "127.0.0.1:0"
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"no configuration", []string{"--listen", any, "--upstream", "http://u"}, `required flag(s) "config" not set`},
		{"no address", []string{"--config", open, "--upstream", "http://u"}, `required flag(s) "listen" not set`},
		{"no upstream", []string{"--config", open, "--listen", any}, `required flag(s) "upstream" not set`},
		{"a missing file", []string{"--config", open + "x", "--listen", any, "--upstream", "http://u"}, open + `x: no such file or directory`},
		{"a bad configuration, in the parser's words", []string{"--config", bad, "--listen", any, "--upstream", "http://u"},
			bad + `:1:37: routes[0].auth: want "required", "optional" or "none", got "nobody"; ` + bad + `:1:49: rate_limit: unknown field, want one of ` + topLevelFields() + `; did you mean rate_limits?`},
		{"an unset secret", []string{"--config", hmac, "--listen", any, "--upstream", "http://u"},
			hmac + `:4:60: tokens.providers[0].jwks.inline.keys[0].k.env: the environment variable GATEHOUSE_TEST_KEY is not set`},
		{"a missing cluster", []string{"--config", remote, "--listen", any, "--upstream", "http://u", "--cluster", "other=http://u"},
			`provider main: its cluster is unknown: give --cluster idp=URL`},
		{"a cluster without a URL", []string{"--config", remote, "--listen", any, "--upstream", "http://u", "--cluster", "idp"},
			`--cluster: want name=URL, got "idp"`},
		{"a cluster's bad URL", []string{"--config", remote, "--listen", any, "--upstream", "http://u", "--cluster", "idp=u:80"},
			`--cluster idp: want http://, https:// or h2c:// and a host, got "u:80"`},
		{"a cluster twice", []string{"--config", remote, "--listen", any, "--upstream", "http://u", "--cluster", "idp=http://u", "--cluster", "idp=http://v"},
			`--cluster idp is given twice`},
		{"an upstream with a path", []string{"--config", open, "--listen", any, "--upstream", "http://u/base"},
			`--upstream: want a scheme and a host, and nothing else`},
		{"an upstream with a password", []string{"--config", open, "--listen", any, "--upstream", "http://a:s3cret@u"},
			`--upstream: want a scheme and a host, and nothing else`},
		{"no workers", []string{"--config", open, "--listen", any, "--upstream", "http://u", "--workers", "0"}, `--workers: want 1 or more, got 0`},
		{"an address in use", []string{"--config", open, "--listen", busy, "--upstream", "http://u"},
			busy + ` can't be listened on: bind: address already in use`},
		{"an address in use, for the metrics", []string{"--config", open, "--listen", any, "--upstream", "http://u", "--metrics", busy},
			busy + ` can't be listened on: bind: address already in use`},
	} {
		r := gatehouse(t, "", append([]string{"serve", "--wasm", wasm}, test.args...)...)
		assert.Equal(t, result{2, "", "gatehouse: " + test.want + "\n"}, r, test.name)
	}
}

func TestServeGivesTheFilterTheSecretsItNamesAndNoOthers(t *testing.T) {
	const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"
	options := func(config string) serveFlags {
		return serveFlags{config: configFlags{file: config}, upstream: "http://u", workers: 1}
	}
	t.Setenv("GATEHOUSE_TEST_KEY", secret)
	bare := options(file(t, "hmac.json", hmacConfig))
	o, err := bare.options()
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"GATEHOUSE_TEST_KEY": secret}, o.Env)
	assert.False(t, o.LogInfo)

	// A file that says what the VM's environment is counts.
	envoyYAML := `{"http_filters": [{"name": "gatehouse", "typed_config": {
		"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
		"config": {"name": "gate", "vm_config": {"environment_variables": {"key_values": {"GATEHOUSE_TEST_KEY": "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI"}}},
			"configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": ` + quote(hmacConfig) + `}}}}]}`
	given := options(file(t, "envoy.json", envoyYAML))
	o, err = given.options()
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"GATEHOUSE_TEST_KEY": "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI"}, o.Env)

	withheld := options(file(t, "envoy.json", strings.Replace(envoyYAML, `"key_values": {"GATEHOUSE_TEST_KEY": "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI"}`, `"host_env_keys": ["HOME"]`, 1)))
	_, err = withheld.options()
	require.ErrorContains(t, err, "the environment variable GATEHOUSE_TEST_KEY is not set")
}

func TestServeLogsEventsThatTheAccessLogDoesNotGet(t *testing.T) {
	f := serveFlags{
		config:   configFlags{file: file(t, "log.json", `{"routes": [{"path": "/**", "auth": "none"}], "audit": {"access_log": false}}`)},
		upstream: "http://u", workers: 1,
	}
	o, err := f.options()
	require.NoError(t, err)
	assert.True(t, o.LogInfo)
}

// quote makes a JSON string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}

// topLevelFields lists the fields of a configuration, as an error about an unknown field does.
func topLevelFields() string {
	var names []string
	for _, f := range config.Fields().Fields {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}
