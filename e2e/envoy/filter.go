package envoy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildFilter builds the filter from source into dir and returns the path of the module, so that a test cannot run against an old
// one. It takes seconds, fewer when nothing has changed.
func BuildFilter(ctx context.Context, dir string) (string, error) {
	root, err := RepoRoot()
	if err != nil {
		return "", err
	}
	module := filepath.Join(dir, "gatehouse.wasm")
	build := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-ldflags", "-s -w", "-o", module, "./filter")
	build.Dir = root
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the filter: %w\n%s", err, out)
	}
	return module, nil
}
