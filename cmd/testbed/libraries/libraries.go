// Package libraries installs what tests need of package registries, each list of packages once,
// under .cache.
package libraries

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

	"gatehouse/cmd/testbed/envoy"
)

// timeout bounds what a package registry may take.
const timeout = 5 * time.Minute

// Python returns a virtual environment that has the packages of a requirements.txt.
func Python(t testing.TB, requirements string) (dir string) {
	t.Helper()
	return installed(t, "python", requirements, func(run func(string, ...string), dir string) {
		run("python3", "-m", "venv", "--clear", dir)
		run(filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "-r", requirements)
	})
}

// Node returns a folder that has the packages of a package.json in node_modules.
func Node(t testing.TB, packageJSON string) (dir string) {
	t.Helper()
	return installed(t, "node", packageJSON, func(run func(string, ...string), dir string) {
		text, err := os.ReadFile(packageJSON)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "package.json"), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--prefix", dir)
	})
}

// installed returns the folder of the packages that a list names. It makes the folder if the list
// has changed.
func installed(t testing.TB, kind, list string, install func(run func(string, ...string), dir string)) string {
	t.Helper()
	root, err := envoy.RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	dir := filepath.Join(root, ".cache", "clients-"+kind+"-"+hex.EncodeToString(sum[:6]))
	done := filepath.Join(dir, ".installed")
	if _, err := os.Stat(done); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	install(func(name string, args ...string) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.WaitDelay = time.Second
		if out, err := cmd.CombinedOutput(); err != nil {
			Unavailable(t, name, err, out)
		}
	}, dir)
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Unavailable skips the test where a registry or a tool is missing. In CI that is a failure. out is
// what the tool said.
func Unavailable(t testing.TB, what string, err error, out []byte) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s: %v: %s", what, err, out)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	t.Skipf("%s isn't here: %v: %s", what, err, lines[len(lines)-1])
}
