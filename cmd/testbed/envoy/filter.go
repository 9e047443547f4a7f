package envoy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildFilter brings dist/gatehouse.wasm up to date, as `make build` does, so that a test cannot
// run against an old one, and returns its path.
func BuildFilter(ctx context.Context) (string, error) {
	root, err := RepoRoot()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(root, ".cache"), 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(root, ".cache", "build.lock")) // test packages run side by side
	if err != nil {
		return "", err
	}
	defer unlock()
	const module = "dist/gatehouse.wasm"
	build := exec.CommandContext(ctx, "make", "-s", module)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the filter: %w\n%s", err, out)
	}
	return filepath.Join(root, module), nil
}
