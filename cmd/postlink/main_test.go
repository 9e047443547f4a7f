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

const linked = "\x00asm\x01\x00\x00\x00\x0a\x03xyz"

func write(t *testing.T, text string) (path string) {
	path = filepath.Join(t.TempDir(), "m.wasm")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestTheModuleGetsItsVersion(t *testing.T) {
	path := write(t, linked)
	require.NoError(t, run(path, "3"))
	finished, err := os.ReadFile(path)
	require.NoError(t, err)
	got, found, err := module.Custom(finished, "gatehouse.version")
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, version.Version, string(got))
	assert.Equal(t, linked, string(finished[:len(linked)]), "the rest stays as it was linked")
	assert.ErrorContains(t, run(path, "3"), "already")
}

func TestTooMuchCodeIsAnError(t *testing.T) {
	path := write(t, linked)
	require.ErrorContains(t, run(path, "2"), "has 3 bytes, want at most 2")
	left, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, linked, string(left))
}

func TestWhatIsNoModuleIsAnErrorThatNamesTheFile(t *testing.T) {
	path := write(t, "ELF")
	require.ErrorContains(t, run(path, "2"), path+": not a WebAssembly module")
}
