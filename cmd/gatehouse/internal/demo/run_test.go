package demo

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// plainEnvoy is a configuration without the filter, which starts at once. Its VM is never made: no
// filter uses it.
const plainEnvoy = `
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 9901}}
static_resources:
  listeners:
  - name: gate-1
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: gate
          access_log:
          - name: envoy.access_loggers.stdout
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: /dev/stdout
              log_format: {text_format_source: {inline_string: "an event\n"}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /idp}
                route: {cluster: idp-1, prefix_rewrite: /.well-known/openid-configuration}
              - match: {prefix: /own}
                route: {cluster: own}
              - match: {prefix: /name}
                direct_response: {status: 200, body: {inline_string: "http://127.0.0.1:10080"}}
              - match: {prefix: /}
                route: {cluster: upstream}
  clusters:
  - name: idp-1
    load_assignment:
      cluster_name: idp-1
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 10080}}}}]}]
  - name: upstream
    load_assignment:
      cluster_name: upstream
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 10081}}}}]}]
  - name: own
    load_assignment:
      cluster_name: own
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 10082}}}}]}]
`

// options are those for plainEnvoy and a script.
func options(t *testing.T, script string) (o EnvoyOptions, out, errOut *bytes.Buffer) {
	t.Helper()
	dir := t.TempDir()
	o.File, o.Wasm = filepath.Join(dir, "envoy.yaml"), filepath.Join(dir, "gatehouse.wasm")
	require.NoError(t, os.WriteFile(o.File, []byte(plainEnvoy), 0o600))
	require.NoError(t, os.WriteFile(o.Wasm, nil, 0o600))
	out, errOut = &bytes.Buffer{}, &bytes.Buffer{}
	o.Out, o.Err, o.Without, o.Command = out, errOut, []string{"own"}, []string{"bash", "-euc", script}
	return o, out, errOut
}

func TestACommandFindsEverythingInItsEnvironment(t *testing.T) {
	envoy.ForTest(t)
	o, out, errOut := options(t, `
		curl -s "$GATE_1/x" | grep -o '"path":"[^"]*"'
		token=$(curl -s -d '{"sub": "alice"}' "$IDP_1/sign")
		[ "$(tr -dc . <<<"$token")" = .. ] && echo signed
		curl -s "$GATE_1/idp" | grep -o '"issuer":"[^"]*"' | sed "s|$IDP_1|IDP_1|"
		curl -s "$GATE_1/name" | sed "s|$IDP_1|IDP_1|"
		echo
		curl -s -o /dev/null -w '%{http_code}\n' "$GATE_1/own"
		curl -s "$ENVOY_ADMIN/ready"
		for i in $(seq 100); do [ "$(wc -l <"$AUDIT_LOG")" -ge 4 ] && break; sleep 0.1; done
		wc -l <"$AUDIT_LOG"
		[ -x "$GATEHOUSE" ]
		echo "$OWN $UPSTREAM" | sed 's/[0-9]*//g'
		dirname "$AUDIT_LOG"`)
	require.NoError(t, RunEnvoy(t.Context(), o), "%s", errOut)
	lines := strings.Split(out.String(), "\n")
	require.Len(t, lines, 10, out.String())
	assert.Equal(t, []string{
		`"path":"/x"`, "signed", `"issuer":"IDP_1"`, "IDP_1", "503", "LIVE", "4", "http://...: http://...:",
	}, lines[:8])
	assert.NoDirExists(t, lines[8])
}

func TestWithoutACommandEverythingIsAtThePortsOfTheFile(t *testing.T) {
	envoy.ForTest(t)
	var err error
	for range 10 { // another program may take a free port before this one does
		o, _, _ := options(t, "")
		out := envoy.NewLog()
		o.Command, o.Out, o.Without = nil, out, nil
		text, moved := plainEnvoy, map[string]string{}
		for _, port := range []string{"9901", "10000", "10080", "10081", "10082"} {
			moved[port], err = freeAddress()
			require.NoError(t, err)
			text = strings.ReplaceAll(text, "port_value: "+port+"}", "port_value: "+strings.TrimPrefix(moved[port], "127.0.0.1:")+"}")
		}
		require.NoError(t, os.WriteFile(o.File, []byte(text), 0o600))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		ended := make(chan error, 1)
		go func() { defer cancel(); ended <- RunEnvoy(ctx, o) }()
		if _, _, waited := out.Wait(ctx, 0, func(line string) bool { return strings.Contains(line, "Ctrl-C ends everything") }); waited != nil {
			if err = <-ended; err != nil && strings.Contains(err.Error(), " is in use, ") {
				continue
			}
			require.NoError(t, waited, "%v", err)
		}
		response, err := http.Get("http://" + moved["10000"] + "/") //nolint:noctx // it ends with Envoy
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusOK, response.StatusCode)
		_, _, err = out.Wait(ctx, 0, func(line string) bool { return line == "an event" })
		require.NoError(t, err)
		printed := strings.Join(out.Lines(), "\n")
		assert.Contains(t, printed, "TOKEN=$(curl -s http://"+moved["10080"]+"/sign -d ")
		for _, port := range []string{"9901", "10000", "10080", "10081", "10082"} {
			assert.Contains(t, printed, "http://"+moved[port])
		}
		cancel()
		require.NoError(t, <-ended)
		nothingListens(t, moved["10000"], moved["10080"])
		return
	}
	require.NoError(t, err)
}

func TestAFailedCommandIsTheError(t *testing.T) {
	envoy.ForTest(t)
	o, _, errOut := options(t, "echo sorry >&2; exit 3")
	require.EqualError(t, RunEnvoy(t.Context(), o), "bash: exit status 3")
	assert.Contains(t, errOut.String(), "sorry\n")
}

func TestACommandThatIsInterruptedLeavesNothingBehind(t *testing.T) {
	envoy.ForTest(t)
	place := filepath.Join(t.TempDir(), "place")
	o, _, errOut := options(t, `echo "$GATE_1" >"$0.new"; mv "$0.new" "$0"; sleep 300 & wait`)
	o.Command = append(o.Command, place)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- RunEnvoy(ctx, o) }()
	require.Eventually(t, func() bool { _, err := os.Stat(place); return err == nil }, patience, 10*time.Millisecond, "%s", errOut)
	url, err := os.ReadFile(place)
	require.NoError(t, err)
	response, err := http.Get(strings.TrimSpace(string(url))) //nolint:noctx // it ends with Envoy
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	cancel()
	require.NoError(t, <-ended, "the user ended it")
	nothingListens(t, strings.TrimPrefix(strings.TrimSpace(string(url)), "http://"))
}

func TestACommandEndsWithEnvoy(t *testing.T) {
	envoy.ForTest(t)
	o, _, _ := options(t, `curl -s -X POST "$ENVOY_ADMIN/quitquitquit"; sleep 300`)
	require.EqualError(t, RunEnvoy(t.Context(), o), "the command was ended\nenvoy ended by itself: exit status 0")
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	o, _, _ := options(t, "")
	o.Without = []string{"nobody"}
	require.EqualError(t, RunEnvoy(t.Context(), o), `--without: the configuration has no cluster "nobody"`)
	o.Without = nil
	require.NoError(t, os.Remove(o.Wasm))
	require.ErrorContains(t, RunEnvoy(t.Context(), o), "the filter is missing, `make build` makes it")
	b := envoy.Bootstrap{"host_env_keys": []any{"GATEHOUSE_TEST_NOT_SET"}}
	_, err := hostVariables(b)
	require.EqualError(t, err, "the configuration takes GATEHOUSE_TEST_NOT_SET from the environment, where it isn't set")
	variables, err := hostVariables(envoy.Bootstrap{"host_env_keys": []any{adminTokenVariable}})
	require.NoError(t, err)
	assert.Regexp(t, "^"+adminTokenVariable+"=[0-9a-f]{48}$", variables[0])
}
