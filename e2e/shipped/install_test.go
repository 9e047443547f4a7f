package shipped_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/cmd/testbed/envoy"
)

var clustersBlock = regexp.MustCompile("(?ms)^ +```yaml\n( +clusters:\n.*?)^ +```$")

// TestEnvoyAcceptsTheClustersOfTheInstallPage puts the clusters that docs/install.md shows, TLS to
// the issuer among them, in the place of envoy.yaml's.
func TestEnvoyAcceptsTheClustersOfTheInstallPage(t *testing.T) {
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "install.md"))
	require.NoError(t, err)
	block := clustersBlock.FindSubmatch(page)
	require.NotNil(t, block)
	var shown struct{ Clusters []any }
	require.NoError(t, yaml.Unmarshal(block[1], &shown))
	require.Len(t, shown.Clusters, 2)

	p := start(t, envoy.Options{Config: filepath.Join(root, "envoy.yaml"), Edits: []envoy.Edit{withoutWasm, func(b envoy.Bootstrap) error {
		b["static_resources"].(map[string]any)["clusters"] = shown.Clusters
		return nil
	}}})
	dump, err := p.ConfigDump(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(dump), "match_typed_subject_alt_names")
	assert.NotContains(t, strings.Join(p.Log.Lines(), "\n"), "deprecated")
}
