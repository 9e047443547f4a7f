package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/cmd/testbed/envoy"
)

// root is the repository, seen from this directory.
const root = "../.."

// files are those of the repository that somebody wrote.
func files(t *testing.T) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped(path, d):
			return fs.SkipDir
		case !d.IsDir():
			names = append(names, path)
		}
		return nil
	}))
	return names
}

// pages are the Markdown files that users read.
func pages(t *testing.T) []string {
	t.Helper()
	names := slices.DeleteFunc(files(t), func(path string) bool { return filepath.Ext(path) != ".md" })
	require.Contains(t, names, filepath.Join(root, "README.md"))
	return names
}

// skipped says which directories are none of the documentation's.
func skipped(path string, d fs.DirEntry) bool {
	switch d.Name() {
	case ".github", ".ci":
		return false
	case "dist", "node_modules":
		return true
	}
	return strings.HasPrefix(d.Name(), ".") && path != root
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

var block = regexp.MustCompile("(?ms)^```(json|yaml)\n(.*?)^```$")

// Every configuration in the documentation, bare or inside a proxy's, is one that the filter would
// take.
func TestConfigurationsInTheDocumentationPassCheck(t *testing.T) {
	found := 0
	for _, page := range pages(t) {
		for _, m := range block.FindAllStringSubmatch(read(t, page), -1) {
			text := m[2]
			if !strings.Contains(text, "routes") || !strings.Contains(text, `"path"`) && !strings.Contains(text, "path:") ||
				strings.Contains(text, "virtual_hosts") && !strings.Contains(text, "extensions.filters.http.wasm") {
				continue // no configuration of ours, or a part of one
			}
			if strings.HasPrefix(text, "- ") { // a filter in a list
				text = "http_filters:\n" + text
			}
			found++
			var out, errOut bytes.Buffer
			code := run(context.Background(), []string{"check", "-"}, strings.NewReader(text), &out, &errOut)
			assert.Zero(t, code, "%s: %s\n%s", page, errOut.String(), text)
		}
	}
	assert.Greater(t, found, 2)
}

var codeSpan = regexp.MustCompile("`([a-zA-Z0-9_.-]+(?:/[a-zA-Z0-9_.-]+)+/?|[a-zA-Z0-9_-]+\\.(?:md|json|yaml|go))`")

// isOurs says which paths in code spans speak of this repository rather than of a request, a
// package or a user's file.
func isOurs(path string) bool {
	top, _, nested := strings.Cut(path, "/")
	switch top {
	case "core", "filter", "hostsim", "e2e", "cmd", "deploy", "examples", "docs":
		return nested
	case "envoy.yaml", "README.md", "CHANGELOG.md":
		return true
	}
	return false
}

func TestPathsInTheDocumentationExist(t *testing.T) {
	found := 0
	for _, page := range pages(t) {
		for _, m := range codeSpan.FindAllStringSubmatch(read(t, page), -1) {
			if !isOurs(m[1]) {
				continue
			}
			found++
			_, err := os.Stat(filepath.Join(root, m[1]))
			assert.NoError(t, err, "%s names it", page)
		}
	}
	assert.Greater(t, found, 10)
}

// An issue template must parse (GitHub ignores one that doesn't), and ask for what an answer needs.
func TestIssueTemplatesAskForWhatAnAnswerNeeds(t *testing.T) {
	for name, wanted := range map[string][]string{
		"bug.yaml":     {"what", "configuration", "version", "proxy", "removed"},
		"feature.yaml": {"task", "configuration", "proxy"},
	} {
		var form struct {
			Name, Description string
			Body              []struct{ Type, ID string }
		}
		decoder := yaml.NewDecoder(strings.NewReader(read(t, filepath.Join(root, ".github", "ISSUE_TEMPLATE", name))))
		require.NoError(t, decoder.Decode(&form), name)
		assert.NotEmpty(t, form.Name, name)
		assert.NotEmpty(t, form.Description, name)
		var ids []string
		for _, field := range form.Body {
			assert.Contains(t, []string{"markdown", "textarea", "input", "dropdown", "checkboxes"}, field.Type, name)
			ids = append(ids, field.ID)
		}
		assert.Subset(t, ids, wanted, name)
	}
}

// Somebody who comes from the Python library finds each of its public names.
func TestTheMigrationPageHasEveryNameOfThePythonLibrary(t *testing.T) {
	page := read(t, filepath.Join(root, "docs", "migrating.md"))
	for _, name := range []string{
		"M2MTokenDetector", "is_m2m_token", "get_client_id", "get_token_metadata", "requires_user_context", "require_user",
		"RateLimiter", "is_allowed", "get_remaining", "reset", "clear_all", "@rate_limit", "identifier",
		"AuditEvent", "to_dict", "to_json", "AuditLogger", "log_to_console", "log_callback", "log_auth_success", "log_auth_failure",
		"log_access_denied", "AuditMiddleware", "exclude_paths",
		"MetricsCollector", "record_validation_success", "record_validation_failure", "get_metrics", "errors_by_type",
		"m2m_detection", "rate_limiting", "audit", "metrics",
	} {
		assert.Contains(t, page, name)
	}
}

// What docs/support.md says was tested is what `make test-envoys` tests.
func TestTheTestedEnvoysAreNamed(t *testing.T) {
	versions := regexp.MustCompile(`(?m)^ENVOY_VERSIONS \?= (.*)$`).FindStringSubmatch(read(t, filepath.Join(root, "Makefile")))
	require.NotNil(t, versions)
	page := read(t, filepath.Join(root, "docs", "support.md"))
	list := strings.Fields(versions[1])
	for _, version := range list {
		assert.Contains(t, page, version)
	}
	assert.Contains(t, list, envoy.OldestPyPIVersion)
	assert.Contains(t, list, envoy.DefaultVersion)
}
