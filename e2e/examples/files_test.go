package examples_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// configurations returns the Envoy configurations of all examples, with their paths.
func configurations(t *testing.T) map[string]envoy.Bootstrap {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root(t), "examples", "*", "envoy.yaml"))
	require.NoError(t, err)
	require.Greater(t, len(paths), 1)
	all := map[string]envoy.Bootstrap{}
	for _, path := range paths {
		all[path], err = envoy.Load(path)
		require.NoError(t, err)
	}
	return all
}

func TestGatehouseCheckAcceptsTheExamples(t *testing.T) {
	program := filepath.Join(t.TempDir(), "gatehouse")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "gatehouse/cmd/gatehouse").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for path, b := range configurations(t) {
		check := exec.CommandContext(t.Context(), program, "check", path)
		check.Env = os.Environ()
		for _, name := range b.HostEnv() {
			check.Env = append(check.Env, name+"=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
		}
		out, err := check.CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Equal(t, path+": ok\n", string(out), "without a warning")
	}
}

// TestTheExamplesKeepUpWithEnvoyYAML compares what is the same in every configuration.
func TestTheExamplesKeepUpWithEnvoyYAML(t *testing.T) {
	shipped, err := envoy.Load(filepath.Join(root(t), "envoy.yaml"))
	require.NoError(t, err)
	for path, b := range configurations(t) {
		assert.Equal(t, shipped["stats_config"], b["stats_config"], path)
	}
}

// TestAnAdminAPIHasTheConfigurationOfItsGate compares the two, which an envoy.yaml has to repeat.
func TestAnAdminAPIHasTheConfigurationOfItsGate(t *testing.T) {
	found := 0
	for path, b := range configurations(t) {
		admin, err := b.PluginConfig("admin_api")
		if err != nil {
			continue
		}
		found++
		gate, err := b.PluginConfig("gate")
		require.NoError(t, err)
		var both [2]map[string]any
		require.NoError(t, json.Unmarshal([]byte(gate), &both[0]))
		require.NoError(t, json.Unmarshal([]byte(admin), &both[1]))
		assert.Equal(t, map[string]any{"token": map[string]any{"env": "GATEHOUSE_ADMIN_TOKEN"}}, both[1]["admin"], path)
		delete(both[1], "admin")
		assert.Equal(t, both[0], both[1], path)
	}
	assert.Positive(t, found)
}

func TestTheIndexNamesEachExample(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(root(t), "examples", "README.md"))
	require.NoError(t, err)
	for _, name := range append(folders(t), "global-limits") {
		assert.Contains(t, string(index), "| ["+name+"]("+name+"/README.md) |")
	}
	for _, name := range folders(t) {
		page, err := os.ReadFile(filepath.Join(root(t), "examples", name, "README.md"))
		require.NoError(t, err)
		assert.Contains(t, string(page), "\n```sh\nmake build\nbash examples/"+name+"/run.sh\n```\n")
	}
}
