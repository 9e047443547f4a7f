package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// workflows reads GitHub's workflow files.
func workflows(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.y*ml"))
	require.NoError(t, err)
	files := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		files[filepath.Base(path)] = string(text)
	}
	require.Contains(t, files, "ci.yaml")
	require.Contains(t, files, "release.yaml")
	return files
}

func TestActionlintFindsNothingInTheWorkflows(t *testing.T) {
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	require.NoError(t, err)
	for name, text := range workflows(t) {
		found, err := linter.Lint(filepath.Join(root, ".github/workflows", name), []byte(text), nil)
		require.NoError(t, err)
		for _, f := range found {
			t.Errorf("%s:%d:%d: %s", name, f.Line, f.Column, f.Message)
		}
	}
	found, err := linter.Lint("broken.yaml", []byte("on: push\njobs: {a: {runs-on: ubuntu-24.04, steps: [{run: 'echo ${{ github.event.issue.title }}'}]}}\n"), nil)
	require.NoError(t, err)
	assert.NotEmpty(t, found, "it does look")
}

// pinned is an action by the hash of a commit, with the version that it is.
var pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

func TestWorkflowsMayDoNoMoreThanTheyNeed(t *testing.T) {
	type job struct {
		Uses        string
		Timeout     int `yaml:"timeout-minutes"`
		Permissions map[string]string
	}
	type workflow struct {
		On          yaml.Node
		Permissions map[string]string
		Jobs        map[string]job
	}
	for name, text := range workflows(t) {
		var w workflow
		require.NoError(t, yaml.Unmarshal([]byte(text), &w))
		assert.Equal(t, map[string]string{"contents": "read"}, w.Permissions, name)
		assert.NotContains(t, text, "pull_request_target", "%s: it would run strangers' code with our rights", name)
		for id, j := range w.Jobs {
			if j.Uses == "" {
				assert.Positive(t, j.Timeout, "%s: %s has no time limit", name, id)
			}
			if name != "release.yaml" || id != "release" {
				assert.Empty(t, j.Permissions, "%s: %s", name, id)
			}
		}
		for _, m := range regexp.MustCompile(`uses: (.*)`).FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "./") {
				assert.Regexp(t, pinned, m[1], name)
			}
		}
	}
}

func TestTheWorkflowsDoWhatAPersonDoes(t *testing.T) {
	files := workflows(t)
	assert.Contains(t, files["ci.yaml"], "\n    - run: .ci/run\n")
	for _, step := range []string{"uses: ./.github/workflows/ci.yaml\n", "needs: check\n", "\n    - run: make release\n", "\n    - run: make push\n"} {
		assert.Contains(t, files["release.yaml"], step)
	}
}

// address is something that looks like an image of Gatehouse in a registry.
var address = regexp.MustCompile(`[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?/(?:[a-z0-9._-]+/)*gatehouse(?:-cli)?\b`)

func TestOnePlaceholderStandsForTheImage(t *testing.T) {
	found := 0
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/*/*.md", "deploy/*/*.yaml", "deploy/*/*.md", "deploy/helm/gatehouse/*", "examples/*/*", "cmd/gatehouse/render.go"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // a folder
			}
			for _, name := range address.FindAllString(string(text), -1) {
				found++
				assert.Equal(t, placeholder, strings.TrimSuffix(name, "-cli"), path)
			}
		}
	}
	assert.Greater(t, found, 5)
}
