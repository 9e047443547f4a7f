package linked_test

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/deploy/release/internal/linked"
)

const root = "../../../.."

// The linker notes in each program which modules it links.
func TestTheModulesAreThoseThatTheProgramNames(t *testing.T) {
	here := linked.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH}
	p := linked.Program{Name: "gatehouse", Package: "./cmd/gatehouse", Platforms: []linked.Platform{here}}
	modules, err := linked.Modules(t.Context(), root, p)
	require.NoError(t, err)
	got := map[string]string{}
	for _, m := range modules {
		if m.Path != linked.Standard && m.Path != linked.Own && !m.Browser {
			got[m.Path] = m.Version
		}
	}

	file := filepath.Join(t.TempDir(), "gatehouse")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-o", file, p.Package)
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	info, err := buildinfo.ReadFile(file)
	require.NoError(t, err)
	want := map[string]string{}
	for _, m := range info.Deps {
		want[m.Path] = m.Version
	}
	require.NotEmpty(t, want)
	assert.Equal(t, want, got)
}

func module(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestLibrariesForBrowsersAreModulesToo(t *testing.T) {
	files := map[string]string{
		"go.mod":                  "module gatehouse\n",
		"main.go":                 "package main\n\nimport _ \"embed\"\n\n//go:embed web/vendor/uPlot.min.js\nvar _ string\n\nfunc main() {}\n",
		"web/vendor/uPlot.min.js": "/*! https://github.com/leeoniya/uPlot (v1.6.32) */\nvar uPlot;",
	}
	here := linked.Program{Package: ".", Platforms: []linked.Platform{{OS: runtime.GOOS, Arch: runtime.GOARCH}}}

	_, err := linked.Modules(t.Context(), module(t, files), here)
	require.ErrorContains(t, err, "uPlot.min.js: its licence is missing")

	files["web/vendor/uPlot.LICENSE"] = "MIT"
	modules, err := linked.Modules(t.Context(), module(t, files), here)
	require.NoError(t, err)
	require.Len(t, modules, 3)
	assert.Equal(t, []string{"npm/uplot", linked.Standard}, modules[0].Needs)
	assert.Equal(t, "npm/uplot", modules[1].Path)
	assert.Equal(t, "1.6.32", modules[1].Version)

	files["web/vendor/uPlot.min.js"] = "var uPlot;"
	_, err = linked.Modules(t.Context(), module(t, files), here)
	require.ErrorContains(t, err, "uPlot.min.js: no version in its first line")
}
