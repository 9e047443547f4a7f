package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// root is the repository, seen from this directory.
const root = "../.."

// pages are the Markdown files that users read.
func pages(t *testing.T) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "dist"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"):
			names = append(names, path)
		}
		return nil
	}))
	require.Contains(t, names, filepath.Join(root, "README.md"))
	return names
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

var (
	link     = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
	codeSpan = regexp.MustCompile("`([a-zA-Z0-9_.-]+(?:/[a-zA-Z0-9_.-]+)+/?|[a-zA-Z0-9_-]+\\.(?:md|json|yaml|go))`")
)

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
		text := read(t, page)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			found++
			_, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])) // a directory is fine: what shows pages lists it
			assert.NoError(t, err, "%s links to it", page)
		}
		for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
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

var makeCommand = regexp.MustCompile(`(?m)^make ([a-z]+)`)

func TestMakeCommandsInTheDocumentationExist(t *testing.T) {
	makefile := read(t, filepath.Join(root, "Makefile"))
	for _, page := range pages(t) {
		for _, m := range makeCommand.FindAllStringSubmatch(read(t, page), -1) {
			assert.Regexp(t, `(?m)^`+m[1]+`:`, makefile, "%s: make %s", page, m[1])
		}
	}
}
