package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/postlink/module"
	"gatehouse/core/version"
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
	assert.Regexp(t, `^gatehouse `+regexp.QuoteMeta(version.Version)+` \(.*, go1\.\d+.*, `+runtime.GOOS+`/`+runtime.GOARCH+`\)\nfilter    none beside this program\n$`, r.out)

	const bare = "\x00asm\x01\x00\x00\x00"
	filter, err := module.WithCustom([]byte(bare), module.VersionSection, []byte("1.2.3"))
	require.NoError(t, err)
	r = gatehouse(t, "", "version", "--wasm", file(t, "filter.wasm", string(filter)))
	assert.Equal(t, 0, r.code)
	assert.Regexp(t, `(?m)^filter    1\.2\.3 \(sha256 [0-9a-f]{64}\)$`, r.out)

	for content, want := range map[string]string{
		bare:      "no version in it: want a filter that `make build` made",
		"\x00asm": "not a WebAssembly module",
	} {
		r = gatehouse(t, "", "version", "--wasm", file(t, "other.wasm", content))
		assert.Equal(t, 2, r.code)
		assert.Contains(t, r.err, "other.wasm: "+want)
	}
}

// A build names itself, however it was made: the Makefile passes the commit, `go build` notes it.
func TestTheRevisionIsTheLinkersElseGos(t *testing.T) {
	assert.NotEmpty(t, ownRevision())
	defer func(old string) { revision = old }(revision)
	revision = "abc-modified"
	assert.Equal(t, "abc-modified", ownRevision())
}
