package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/postlink/module"
	"gatehouse/core/version"
)

func write(t *testing.T, text string) (path string) {
	path = filepath.Join(t.TempDir(), "m.wasm")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestTheModuleGetsItsVersion(t *testing.T) {
	path := write(t, string(linkedModule(t, dataOf(arenaVariable(0, 0)))))
	require.NoError(t, run(path, "100"))
	finished, err := os.ReadFile(path)
	require.NoError(t, err)
	got, found, err := module.Custom(finished, "gatehouse.version")
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, version.Version, string(got))
	assert.ErrorContains(t, run(path, "100"), "already")
}

func TestTooMuchCodeIsAnError(t *testing.T) {
	linked := string(linkedModule(t, dataOf(arenaVariable(0, 0))))
	path := write(t, linked)
	require.ErrorContains(t, run(path, "2"), "bytes, want at most 2")
	left, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, linked, string(left))
	require.NoError(t, run(path, "0"), "0 is no limit")
}

func TestWhatIsNoModuleIsAnErrorThatNamesTheFile(t *testing.T) {
	path := write(t, "ELF")
	require.ErrorContains(t, run(path, "2"), path+": not a WebAssembly module")
}
