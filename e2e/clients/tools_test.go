package clients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/libraries"
)

// runPython returns the command that runs a script with the libraries of python/requirements.txt.
func runPython(t *testing.T, script string) []string {
	t.Helper()
	return []string{filepath.Join(pythonLibraries(t), "bin", "python3"), here(t, "python", script)}
}

func pythonLibraries(t *testing.T) (dir string) {
	t.Helper()
	return libraries.Python(t, here(t, "python", "requirements.txt"))
}

func nodeLibraries(t *testing.T) (dir string) {
	t.Helper()
	return libraries.Node(t, here(t, "node", "package.json"))
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
		libraries.Unavailable(t, folder, err, out)
	}
	return []string{program}
}

// here is a path in this package's folder.
func here(t *testing.T, elements ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(elements...))
	require.NoError(t, err)
	return path
}
