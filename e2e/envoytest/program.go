package envoytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BuildProgram builds the program of a nested module, in a folder of the test's own, and returns
// its path. Without its dependencies the test is skipped, or fails if CI=true.
func BuildProgram(t *testing.T, folder string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), filepath.Base(folder))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-C", folder, "-o", program, ".").CombinedOutput()
	if err != nil && os.Getenv("CI") != "true" && strings.Contains(string(out), "dial tcp") {
		t.Skip("the modules of " + folder + " can't be fetched: connect to a Go module proxy once")
	}
	require.NoError(t, err, "%s", out)
	return program
}
