package readme_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/e2e/scenario"
)

var example = regexp.MustCompile("(?ms)^ +```yaml\n(.*?)^ +```$")

// TestTheExampleOfContributingIsAScenario puts the scenario that .github/CONTRIBUTING.md shows
// where it says.
func TestTheExampleOfContributingIsAScenario(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root(t), ".github", "CONTRIBUTING.md"))
	require.NoError(t, err)
	shown := example.FindSubmatch(page)
	require.NotNil(t, shown)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(root(t), "e2e", "testdata", "scenarios"))))
	callers, err := os.OpenFile(filepath.Join(dir, "callers.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = callers.WriteString("\n" + strings.ReplaceAll("\n"+string(shown[1]), "\n   ", "\n"))
	require.NoError(t, err)
	require.NoError(t, callers.Close())
	all, err := scenario.Load(dir)
	require.NoError(t, err)
	assert.True(t, slices.ContainsFunc(all, func(s *scenario.Scenario) bool { return s.Name == "a service of Acme's is a machine" }))
}
