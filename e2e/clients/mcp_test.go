package clients_test

import (
	"bufio"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/libraries"
	"gatehouse/cmd/testbed/toy"
	"gatehouse/e2e/envoytest"
)

// startAuthorizationServer runs e2e/oidc/provider and returns its issuer.
func startAuthorizationServer(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "provider")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", here(t, "..", "oidc", "provider"), "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		libraries.Unavailable(t, "github.com/zitadel/oidc", err, out)
	}
	process := exec.Command(program)
	process.Stderr = os.Stderr
	commands, err := process.StdinPipe()
	require.NoError(t, err)
	answers, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	t.Cleanup(func() { // it ends with its input
		assert.NoError(t, commands.Close())
		assert.NoError(t, process.Wait())
	})
	lines := bufio.NewScanner(answers)
	require.True(t, lines.Scan())
	return lines.Text()
}

const mcpConfig = `{
  "tokens": {
    "providers": [{
      "name": "main", "issuer": "ISSUER", "audiences": ["web"], "algorithms": ["RS256"],
      "jwks": {"cluster": "idp", "uri": "ISSUERkeys"}
    }],
    "resources": [{
      "identifier": {"hosts": ["127.0.0.1"], "path": "/mcp"}, "scopes": ["openid", "profile"], "authorization_servers": ["ISSUER"]
    }]
  },
  "routes": [{"path": "/mcp/**", "caller": "human"}],
  "audit": {"log": "none"}
}`

func TestAClientOfTheModelContextProtocolFindsItsWay(t *testing.T) {
	issuer := startAuthorizationServer(t)
	authority, err := url.Parse(issuer)
	require.NoError(t, err)
	upstream, err := toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(upstream.Stop)
	config := strings.ReplaceAll(mcpConfig, "ISSUER", issuer)

	for name, start := range map[string]func(t *testing.T) string{
		"Envoy": func(t *testing.T) string {
			o := envoy.OptionsForTest(t)
			o.Edits = []envoy.Edit{
				envoy.RemoveListener("gate_envoy_jwt"), envoy.PluginConfig("gate", config),
				envoy.Endpoint("idp", authority.Host), envoy.Endpoint("upstream", upstream.Address()),
			}
			return envoy.StartForTest(t, o).Address("gate")
		},
		"gatehouse serve": func(t *testing.T) string { return startServe(t, config, authority.Host, upstream.Address()) },
	} {
		t.Run(name, func(t *testing.T) {
			server := "http://" + start(t) + "/mcp"
			out := run(t, runNode(t, "mcp.mjs"), server, "")
			assert.Equal(t, []string{"401", server, issuer, "200"}, strings.Fields(out))
		})
	}
}

// startServe runs `gatehouse serve` and returns its address.
func startServe(t *testing.T, config, idp, upstream string) string {
	t.Helper()
	dir := t.TempDir()
	program, file := filepath.Join(dir, "gatehouse"), filepath.Join(dir, "config.json")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "gatehouse/cmd/gatehouse").CombinedOutput()
	require.NoError(t, err, "%s", out)
	wasm, err := envoy.BuildFilter(t.Context())
	require.NoError(t, err)
	address := "127.0.0.1:" + strconv.Itoa(envoytest.FreePort(t))
	cmd := exec.Command(program, "serve", "--config", file, "--listen", address, "--upstream", "http://"+upstream,
		"--cluster", "idp=http://"+idp, "--wasm", wasm)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(stderr)
	said := ""
	for lines.Scan() && !strings.Contains(lines.Text(), "ready after") {
		said += lines.Text() + "\n"
	}
	require.Contains(t, lines.Text(), "ready after", "%s", said)
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	return address
}
