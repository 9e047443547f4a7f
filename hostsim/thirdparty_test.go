package hostsim_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/hostsimtest"
)

// Where the third-party filter comes from: the SDK for AssemblyScript whose
// manual has it, and the compiler.
const (
	thirdPartySDK      = "@solo-io/proxy-runtime"
	thirdPartyVersion  = "0.1.8"
	thirdPartyCompiler = "assemblyscript@0.14.9"
)

// thirdPartyFilter builds the first filter of the SDK's manual, as it stands
// there, and skips the test where npm can't provide for it.
func thirdPartyFilter(t *testing.T) []byte {
	dir := hostsimtest.CacheDir()
	if dir == "" {
		dir = t.TempDir()
	}
	dir = filepath.Join(dir, "assemblyscript-"+thirdPartyVersion)
	out := filepath.Join(dir, "filter.wasm")
	if wasm, err := os.ReadFile(out); err == nil {
		return wasm
	}
	// A registry that doesn't answer must not take the other tests with it.
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	run := func(name string, args ...string) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		cmd.WaitDelay = time.Second // npm's children have its output, too
		if output, err := cmd.CombinedOutput(); err != nil {
			lines := bytes.Split(bytes.TrimSpace(output), []byte("\n"))
			t.Skipf("no third-party filter: %s: %v: %s", name, err, lines[len(lines)-1])
		}
	}
	require.NoError(t, os.MkdirAll(dir, 0o750))
	run("npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", ".",
		thirdPartySDK+"@"+thirdPartyVersion, thirdPartyCompiler)
	manual, err := os.ReadFile(filepath.Join(dir, "node_modules", thirdPartySDK, "README.md"))
	require.NoError(t, err)
	_, code, ok := strings.Cut(string(manual), "```ts\n")
	require.True(t, ok, "the manual has no filter")
	code, _, _ = strings.Cut(code, "```")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.ts"), []byte(code), 0o600))
	run("node", "node_modules/assemblyscript/bin/asc", "index.ts", "-b", "new.wasm", "--use", "abort=abort_proc_exit", "--optimize")
	require.NoError(t, os.Rename(filepath.Join(dir, "new.wasm"), out))
	wasm, err := os.ReadFile(out)
	require.NoError(t, err)
	return wasm
}

func TestAThirdPartyFilterInAnotherLanguageRunsUnchanged(t *testing.T) {
	m, err := hostsim.Compile(t.Context(), thirdPartyFilter(t), hostsimtest.CacheDir())
	require.NoError(t, err)
	defer func() { assert.NoError(t, m.Close(t.Context())) }()
	start := func(config string, logs *journal) (*hostsim.Host, error) {
		return hostsim.New(t.Context(), m, hostsim.Options{
			Plugins: []hostsim.Plugin{{Name: "add_header", RootID: "add_header", VMID: "third", Config: []byte(config)}},
			Log:     logs.add,
		})
	}
	// The SDK reads the configuration with the length of what it read before, the
	// root id: it gets one of that length right, and runs out of its memory for
	// none at all. Envoy 1.40 shows the same, down to the trap.
	h, err := start("gatehouse!", &journal{})
	require.NoError(t, err)
	defer h.Close()
	s := visit(h, "/")
	assert.Equal(t, "gatehouse!", s.Downstream().Headers.Get("hello"))
	assert.Equal(t, "answer", string(s.Downstream().Body))
	assert.False(t, h.Failed(0, "add_header"))

	logs := &journal{}
	_, err = start("", logs)
	require.ErrorIs(t, err, hostsim.ErrConfig)
	assert.Contains(t, strings.Join(logs.take(), "\n"), "Function: proxy_on_configure failed: wasm error: out of bounds memory access")
}
