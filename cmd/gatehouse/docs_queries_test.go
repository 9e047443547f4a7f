package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// query is a code span with PromQL: a function, or a metric with labels.
var query = regexp.MustCompile("`((?:sum|max|min|count|rate|increase|histogram_quantile)[ (][^`\n]*gatehouse_[^`\n]*|gatehouse_[a-z_]+\\{[^`\n]*\\})`")

// Prometheus reads every query in the documentation.
func TestQueriesInTheDocumentationAreValid(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			require.NoError(t, err, "install Debian's package prometheus")
		}
		t.Skip("promtool is missing")
	}
	var rules []map[string]string
	for _, page := range pages(t) {
		text := anyBlock.ReplaceAllString(read(t, page), "")
		for _, m := range query.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "gatehouse_") && !strings.Contains(m[1], `"`) {
				continue // a metric and the names of its labels
			}
			expr := strings.ReplaceAll(m[1], `\|`, "|") // as in a table's cell
			rules = append(rules, map[string]string{"record": fmt.Sprint("docs:query", len(rules)), "expr": expr})
		}
	}
	require.Greater(t, len(rules), 10)
	file, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "docs", "rules": rules}}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	output, err := exec.CommandContext(t.Context(), promtool, "check", "rules", "--lint=none", path).CombinedOutput()
	assert.NoError(t, err, "%s\n%s", output, file)
}
