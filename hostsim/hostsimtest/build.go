// Package hostsimtest builds filters for tests.
package hostsimtest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"gatehouse/hostsim"
)

// built remembers what this process has built: many tests share a filter.
var built struct {
	sync.Mutex
	wasm    map[string][]byte
	modules map[string]*hostsim.Module
}

// filter is the package of Gatehouse's filter, from the root of the repository.
const filter = "./filter"

// Build compiles a Go main package to a filter with the stock toolchain, as a
// WASI reactor, and returns its bytes. dir is where the go command runs, pkg the
// package as that directory's module knows it. Gatehouse's own filter is finished
// as `make build` finishes it. Each package is built once a process.
func Build(tb testing.TB, dir, pkg string) []byte {
	tb.Helper()
	built.Lock()
	defer built.Unlock()
	key := dir + "\x00" + pkg
	if wasm, ok := built.wasm[key]; ok {
		return wasm
	}
	out := filepath.Join(tb.TempDir(), "filter.wasm")
	var stderr bytes.Buffer
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-trimpath", "-o", out, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		tb.Fatalf("build %s: %v\n%s", pkg, err, stderr.String())
	}
	if pkg == filter {
		finish := exec.Command("go", "run", "./cmd/postlink", out, "0")
		finish.Dir = dir
		if text, err := finish.CombinedOutput(); err != nil {
			tb.Fatalf("postlink: %v\n%s", err, text)
		}
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		tb.Fatal(err)
	}
	if built.wasm == nil {
		built.wasm = map[string][]byte{}
	}
	built.wasm[key] = wasm
	return wasm
}

// Module returns a package built by Build and compiled for this machine, with
// CacheDir as its cache. Each package is compiled once a process; the module
// lives until that ends.
func Module(tb testing.TB, dir, pkg string) *hostsim.Module {
	tb.Helper()
	wasm := Build(tb, dir, pkg)
	built.Lock()
	defer built.Unlock()
	key := dir + "\x00" + pkg
	if m, ok := built.modules[key]; ok {
		return m
	}
	m, err := hostsim.Compile(context.Background(), wasm, CacheDir())
	if err != nil {
		tb.Fatal(err)
	}
	if built.modules == nil {
		built.modules = map[string]*hostsim.Module{}
	}
	built.modules[key] = m
	return m
}

// CacheDir is where tests keep machine code from run to run: a directory in the
// user's cache, or "" (no cache) if the user has none.
func CacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "gatehouse-hostsim")
}
