package clients_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// installTimeout bounds what a package registry may take.
const installTimeout = 5 * time.Minute

// runPython returns the command that runs a script with the libraries of python/requirements.txt.
func runPython(t *testing.T, script string) []string {
	t.Helper()
	return []string{filepath.Join(pythonLibraries(t), "bin", "python3"), here(t, "python", script)}
}

func pythonLibraries(t *testing.T) (dir string) {
	t.Helper()
	return installed(t, "python", "requirements.txt", func(run func(string, ...string), dir, list string) {
		run("python3", "-m", "venv", "--clear", dir)
		run(filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "-r", list)
	})
}

func nodeLibraries(t *testing.T) (dir string) {
	t.Helper()
	return installed(t, "node", "package.json", func(run func(string, ...string), dir, list string) {
		text, err := os.ReadFile(list)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "package.json"), text, 0o600))
		run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--prefix", dir)
	})
}

// TestTheLibrariesAreInstalled lets a machine fetch them before the tests that need them run.
func TestTheLibrariesAreInstalled(t *testing.T) {
	require.DirExists(t, pythonLibraries(t))
	require.DirExists(t, nodeLibraries(t))
}

// runNode returns the command that runs a script with the libraries of node/package.json.
func runNode(t *testing.T, script string) []string {
	t.Helper()
	dir := nodeLibraries(t)
	// Node looks for packages above the script, so the script goes where they are.
	text, err := os.ReadFile(here(t, "node", script))
	require.NoError(t, err)
	copied := filepath.Join(dir, script)
	require.NoError(t, os.WriteFile(copied, text, 0o600))
	return []string{"node", copied}
}

// runGo returns the command of a program in a module of its own.
func runGo(t *testing.T, folder string) []string {
	t.Helper()
	program := filepath.Join(t.TempDir(), folder)
	build := exec.CommandContext(t.Context(), "go", "build", "-C", here(t, folder), "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		unavailable(t, folder, err, out)
	}
	return []string{program}
}

// installed returns the folder of the libraries that a list names. It makes the folder if the list has changed.
func installed(t *testing.T, kind, list string, install func(run func(string, ...string), dir, list string)) string {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	path := here(t, kind, list)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	sum := sha256.Sum256(text)
	dir := filepath.Join(root, ".cache", "clients-"+kind+"-"+hex.EncodeToString(sum[:6]))
	done := filepath.Join(dir, ".installed")
	if _, err := os.Stat(done); err == nil {
		return dir
	}
	require.NoError(t, os.MkdirAll(dir, 0o750))
	ctx, cancel := context.WithTimeout(t.Context(), installTimeout)
	defer cancel()
	install(func(name string, args ...string) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.WaitDelay = time.Second
		if out, err := cmd.CombinedOutput(); err != nil {
			unavailable(t, name, err, out)
		}
	}, dir, path)
	require.NoError(t, os.WriteFile(done, nil, 0o600))
	return dir
}

// unavailable skips the test where a registry or a tool is missing. In CI that is a failure.
func unavailable(t *testing.T, what string, err error, out []byte) {
	t.Helper()
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if os.Getenv("CI") == "true" {
		require.NoError(t, err, "%s: %s", what, out)
	}
	t.Skipf("%s can't be installed: %v: %s", what, err, lines[len(lines)-1])
}

// here is a path in this package's folder.
func here(t *testing.T, elements ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(elements...))
	require.NoError(t, err)
	return path
}
