package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// result is what a run of the program gave.
type result struct {
	code     int
	out, err string
}

// gatehouse runs the program in this process.
func gatehouse(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(stdin), &out, &errOut)
	return result{code, out.String(), errOut.String()}
}

// file writes a temporary file.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestEveryCommandHasHelp(t *testing.T) {
	for _, args := range [][]string{
		{}, {"serve"}, {"check"}, {"token"}, {"token", "inspect"}, {"token", "verify"}, {"token", "signature"},
		{"explain"}, {"demo"}, {"version"}} {
		r := gatehouse(t, "", append(args, "--help")...)
		assert.Equal(t, 0, r.code, args)
		assert.Contains(t, r.out, strings.TrimSpace("gatehouse "+strings.Join(args, " ")), args)
		assert.Empty(t, r.err)
	}
}

func TestWrongUseIsOneLineAndExitCode2(t *testing.T) {
	for want, args := range map[string][]string{
		`unknown command "bogus" for "gatehouse"`:       {"bogus"},
		`unknown command "bogus" for "gatehouse token"`: {"token", "bogus"},
		`unknown flag: --bogus`:                         {"check", "--bogus"},
		`requires at least 1 arg(s), only received 0`:   {"check"},
		`required flag(s) "config" not set`:             {"token", "verify"},
		`required flag(s) "algorithms", "jwks" not set`: {"token", "signature"},
		`--profile: want auto or cognito, got "okta"`:   {"token", "inspect", "--profile", "okta"},
	} {
		r := gatehouse(t, "", args...)
		assert.Equal(t, result{2, "", "gatehouse: " + want + "\n"}, r, args)
	}
}

func TestVersionNamesProgramAndFilter(t *testing.T) {
	r := gatehouse(t, "", "version")
	assert.Equal(t, 0, r.code)
	assert.Regexp(t, `^gatehouse \S+ \(.*, go1\.\d+.*\)\nfilter    none beside this program\n$`, r.out)

	info := "path\tgatehouse/filter\nmod\tgatehouse\tv1.2.3\t\nbuild\tvcs.revision=abc\n"
	module := "\x00asm…" + string(infoStart) + info + string(infoEnd) + "…"
	r = gatehouse(t, "", "version", "--wasm", file(t, "filter.wasm", module))
	assert.Equal(t, 0, r.code)
	assert.Regexp(t, `(?m)^filter    v1\.2\.3 \(abc, sha256 [0-9a-f]{64}\)$`, r.out)

	r = gatehouse(t, "", "version", "--wasm", file(t, "other.wasm", "\x00asm"))
	assert.Equal(t, 2, r.code)
	assert.Contains(t, r.err, "other.wasm: no build information: want a module built by Go\n")
}
