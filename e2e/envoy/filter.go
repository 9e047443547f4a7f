package envoy

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// BuildFilter brings dist/gatehouse.wasm up to date, as `make build` does, so that a test cannot run against an old one, and
// returns its path.
func BuildFilter(ctx context.Context) (string, error) {
	root, err := RepoRoot()
	if err != nil {
		return "", err
	}
	const module = "dist/gatehouse.wasm"
	build := exec.CommandContext(ctx, "make", "-s", module)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the filter: %w\n%s", err, out)
	}
	return filepath.Join(root, module), nil
}
