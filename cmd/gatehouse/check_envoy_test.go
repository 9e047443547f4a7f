package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/cmd/testbed/envoy"
)

// TestCheckReadsWhatARunningEnvoyDumps has the plugins and the surroundings of envoy.yaml come back
// from /config_dump, in Envoy's own spelling.
func TestCheckReadsWhatARunningEnvoyDumps(t *testing.T) {
	o := envoy.OptionsForTest(t)
	p := envoy.StartForTest(t, o)
	dump, err := p.ConfigDump(t.Context())
	require.NoError(t, err)
	assert.Equal(t, result{0, "-: ok\n", ""}, gatehouse(t, string(dump), "check", "-"))

	r := gatehouse(t, strings.ReplaceAll(string(dump), `"use_remote_address": true`, `"use_remote_address": false`), "check", "-")
	assert.Equal(t, 0, r.code)
	for _, plugin := range []string{"Listener gate: gate: ", "Listener gate_envoy_jwt: gate_envoy_jwt: "} {
		assert.Equal(t, 1, strings.Count(r.err, plugin+"use_remote_address: warning: "), r.err)
	}
	r = gatehouse(t, strings.ReplaceAll(string(dump), `\"/account/**\"`, `\"/account/{id}\"`), "check", "-")
	assert.Equal(t, 1, r.code)
	assert.Regexp(t, `^-:[0-9]+:[0-9]+: Listener gate: gate: routes\[1\]\.path: want .*; write /account/\*\n`, r.err)

	event := `{"event_type":"access_denied","path":"/account/x","method":"GET","status_code":403,"metadata":{"reason":"human_required","route":"account"}}`
	path := file(t, "dump.json", string(dump))
	r = gatehouse(t, event, "explain", "--config", path, "--plugin", "gate", "--event")
	assert.Equal(t, 0, r.code, r.err)
	assert.Contains(t, r.out, `"route":{"index":1,"name":"account"`)
}

// TestEnvoyTakesWhatIsRendered puts the rendered filter in the place of the shipped one.
func TestEnvoyTakesWhatIsRendered(t *testing.T) {
	r := gatehouse(t, "", "render", "--config", "../../envoy.yaml", "--plugin", "gate", "--as", "envoy")
	require.Equal(t, 0, r.code, r.err)
	o := envoy.OptionsForTest(t)
	require.Contains(t, r.out, "filename: gatehouse.wasm")
	var filters []any
	require.NoError(t, yaml.Unmarshal([]byte(strings.Replace(r.out, "gatehouse.wasm", o.Wasm, 1)), &filters))
	require.Len(t, filters, 1)
	o.Edits = append(o.Edits, func(b envoy.Bootstrap) error {
		manager, err := b.ConnectionManager("gate")
		if err == nil {
			manager["http_filters"].([]any)[0] = filters[0]
		}
		return err
	})
	p := envoy.StartForTest(t, o)
	response, err := http.Get(p.URL("gate", "/account/me"))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
	assert.Equal(t, `Bearer realm="gatehouse"`, response.Header.Get("www-authenticate"))
}
