package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCodeSizeIsThatOfTheCodeSection(t *testing.T) {
	module := []byte("\x00asm\x01\x00\x00\x00" + "\x01\x02ab" + "\x0a\x03xyz" + "\x00\x01n")
	size, err := codeSize(module)
	require.NoError(t, err)
	require.Equal(t, 3, size)
}

func TestWhatIsNoModuleIsRefused(t *testing.T) {
	for _, module := range []string{"", "\x00asm", "ELF.....", "\x00asm\x01\x00\x00\x00\x01", "\x00asm\x01\x00\x00\x00\x01\x05a"} {
		_, err := codeSize([]byte(module))
		require.Error(t, err, "%q", module)
	}
}

func TestTooMuchCodeIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.wasm")
	require.NoError(t, os.WriteFile(path, []byte("\x00asm\x01\x00\x00\x00\x0a\x03xyz"), 0o600))
	require.NoError(t, run(path, "3"))
	require.ErrorContains(t, run(path, "2"), "has 3 bytes, want at most 2")
}
