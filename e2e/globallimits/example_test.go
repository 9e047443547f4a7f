package globallimits_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/cmd/testbed/envoy"
	simulation "gatehouse/e2e/fleet"
)

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	require.NoError(t, err)
	return string(text)
}

func TestGatehouseCheckAcceptsTheExample(t *testing.T) {
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	check := exec.CommandContext(t.Context(), "go", "run", "./cmd/gatehouse", "check", "examples/global-limits/envoy.yaml")
	check.Dir = root
	out, err := check.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "examples/global-limits/envoy.yaml: ok\n", string(out))
}

// TestThePageQuotesTheExample holds each YAML block of the page to be a part of one of the
// example's files, indentation aside.
func TestThePageQuotesTheExample(t *testing.T) {
	trimmed := func(text string) string {
		var lines []string
		for line := range strings.Lines(text) {
			lines = append(lines, strings.TrimSpace(line))
		}
		return strings.Join(lines, "\n")
	}
	files := trimmed(readFile(t, "examples", "global-limits", "envoy.yaml")) + "\n" +
		trimmed(readFile(t, "examples", "global-limits", "config", "gatehouse.yaml"))
	blocks := strings.Split(readFile(t, "docs", "global-limits.md"), "```yaml\n")[1:]
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		quote, _, _ := strings.Cut(block, "```")
		assert.Contains(t, files, strings.TrimSpace(trimmed(quote)))
	}
}

// TestDockerRunsTheVersionThatIsTested compares the image of compose.yaml with the module's
// version, and the ports with those that envoy.yaml asks.
func TestDockerRunsTheVersionThatIsTested(t *testing.T) {
	var compose struct {
		Services struct {
			Ratelimit struct {
				Image string
				Ports []string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(readFile(t, "examples", "global-limits", "compose.yaml")), &compose))
	_, commit, found := strings.Cut(compose.Services.Ratelimit.Image, "envoyproxy/ratelimit:")
	require.True(t, found)
	assert.Regexp(t, `github\.com/envoyproxy/ratelimit v\S+-`+commit+`[0-9a-f]{4}\s`, readFile(t, "e2e", "globallimits", "service", "go.mod"))

	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	b, err := envoy.Load(filepath.Join(root, "examples", "global-limits", "envoy.yaml"))
	require.NoError(t, err)
	endpoint, err := b.EndpointOf("ratelimit")
	require.NoError(t, err)
	_, port, _ := strings.Cut(endpoint, ":")
	assert.Equal(t, []string{"127.0.0.1:" + port + ":" + port}, compose.Services.Ratelimit.Ports)
	assert.Contains(t, settings(t, filepath.Join(root, "examples", "global-limits", "ratelimit.env")), "GRPC_PORT="+port)
}

// TestACounterInRedisTakesWhatTheSimulationSays fills Redis with counters as the service writes
// them.
func TestACounterInRedisTakesWhatTheSimulationSays(t *testing.T) {
	const counters, batch = 300_000, 1000
	server := newRedis(t, t.TempDir())
	server.start(t)
	redis := dialRedis(t, server)
	before := redis.info("memory", "used_memory")
	for i := range counters / batch {
		for j := range batch {
			id := strconv.Itoa(1_000_000_000 + i*batch + j)
			key := "gatehouse_caller_human_issuer_https://idp.example_user_id_7a1c3c1e-5e0b-4d8f-9a53-99" + id + "_1764000000"
			require.Len(t, key, 105)
			redis.send("INCRBY", key, "1")
			redis.send("EXPIRE", key, "600")
		}
		for range 2 * batch {
			require.Equal(t, "1", redis.receive())
		}
	}
	each := float64(redis.info("memory", "used_memory")-before) / counters
	t.Logf("%.0f bytes", each)
	assert.InEpsilon(t, simulation.RedisKeyBytes, each, 0.15, "the tables are between half and fully used")
}
