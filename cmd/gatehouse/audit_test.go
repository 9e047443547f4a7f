package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/audit"
)

// auditLog writes a chained log, its key and its head into a folder.
func auditLog(t *testing.T) (dir string, lines []string) {
	t.Helper()
	dir = t.TempDir()
	key := []byte("0123456789abcdef0123456789abcdef")
	chain := audit.NewChain("2026-03", key, "00000000000000aa")
	for i := range 6 {
		e := audit.Event{Type: audit.TypeRequest, Path: "/x", Status: 200 + i}
		lines = append(lines, string(chain.Append(e.AppendJSON(nil, 0))))
	}
	head, _ := chain.Head()
	write(t, dir, "audit.log", strings.Join(lines, "\n")+"\n")
	write(t, dir, "audit.key", base64.StdEncoding.EncodeToString(key)+"\n")
	write(t, dir, "heads.json", string(head.AppendJSON(nil)))
	return dir, lines
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

func TestAuditVerifyAnswersByItsExitCode(t *testing.T) {
	dir, lines := auditLog(t)
	file := func(name string) string { return filepath.Join(dir, name) }
	write(t, dir, "changed.log", strings.Replace(strings.Join(lines, "\n"), `"status_code":203`, `"status_code":200`, 1)+"\n")
	write(t, dir, "cut.log", strings.Join(lines[:4], "\n")+"\n")
	write(t, dir, "other.log", "nothing of ours\n")
	write(t, dir, "short.key", "c2hvcnQ=")
	write(t, dir, "list.json", "["+string(must(os.ReadFile(file("heads.json"))))+"]\n"+`{"heads":[`+string(must(os.ReadFile(file("heads.json"))))+`]}`)
	write(t, dir, "bad.json", `{"stream":"x","seq":1,"mac":"00"}`)
	key := "--key-file=2026-03=" + file("audit.key")
	for name, c := range map[string]struct {
		args     []string
		code     int
		out, err string
	}{
		"without heads":    {[]string{file("audit.log"), key}, 0, "unproven_tail  stream 00000000000000aa, key 2026-03: seq 0 to 5 unchanged; no head proves", ""},
		"with heads":       {[]string{file("audit.log"), key, "--heads=" + file("heads.json")}, 0, "proven         stream 00000000000000aa, key 2026-03: seq 0 to 5 unchanged\n6 lines, 6 chained events, 0 of them repeats\n", ""},
		"with many heads":  {[]string{file("audit.log"), key, "--heads=" + file("list.json")}, 0, "proven  ", ""},
		"standard input":   {[]string{"-", key}, 0, "seq 0 to 5", ""},
		"a changed line":   {[]string{file("changed.log"), key}, 1, file("changed.log") + ":4: changed", ""},
		"a cut log":        {[]string{file("cut.log"), key, "--heads=" + file("heads.json")}, 1, file("cut.log") + ":4: truncated: seq 4 to 5 are missing", ""},
		"no key":           {[]string{file("audit.log")}, 2, "no_key", `no key for key_id "2026-03": give --key-file 2026-03=FILE`},
		"nothing chained":  {[]string{file("other.log"), key}, 2, "1 lines, 0 chained events", "no chained event in what was read"},
		"no such file":     {[]string{file("gone.log"), key}, 2, "", "no such file"},
		"no file":          {[]string{key}, 2, "", "requires at least 1 arg"},
		"a key's form":     {[]string{file("audit.log"), "--key-file=audit.key"}, 2, "", `--key-file: want ID=FILE, such as 2026-03=audit.key, got "audit.key"`},
		"a key twice":      {[]string{file("audit.log"), key, key}, 2, "", `--key-file: key_id "2026-03" is there twice`},
		"a short key":      {[]string{file("audit.log"), "--key-file=k=" + file("short.key")}, 2, "", "want base64 of 32..1024 bytes, got 5 bytes"},
		"bad heads":        {[]string{file("audit.log"), key, "--heads=" + file("bad.json")}, 2, "", `want heads {"key_id", "stream", "seq", "mac"}`},
		"no heads in it":   {[]string{file("audit.log"), key, "--heads=" + file("audit.key")}, 2, "", "--heads: "},
		"stdin, two times": {[]string{"-", "-", key}, 2, "", "can be read once only"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut strings.Builder
			code := run(t.Context(), append([]string{"audit", "verify"}, c.args...), strings.NewReader(strings.Join(lines, "\n")+"\n"), &out, &errOut)
			assert.Equal(t, c.code, code, "%s%s", out.String(), errOut.String())
			assert.Contains(t, out.String(), c.out)
			assert.Contains(t, errOut.String(), c.err)
			assert.NotContains(t, out.String()+errOut.String(), "0123456789abcdef0123456789abcdef")
			assert.NotContains(t, errOut.String(), "c2hvcnQ")
		})
	}
}

func TestAuditVerifyPrintsJSON(t *testing.T) {
	dir, lines := auditLog(t)
	write(t, dir, "gone.log", strings.Join(append(lines[:2:2], lines[3:]...), "\n")+"\n")
	name := filepath.Join(dir, "gone.log")
	var out, errOut strings.Builder
	code := run(t.Context(), []string{"audit", "verify", "--json", name, "--key-file=2026-03=" + filepath.Join(dir, "audit.key")}, nil, &out, &errOut)
	assert.Equal(t, 1, code)
	assert.Empty(t, errOut.String())
	assert.JSONEq(t, `{"ok":false,"lines":5,"events":5,"repeats":0,"unchained":0,"streams":[{"stream":"00000000000000aa","key_id":"2026-03",
		"status":"broken","lines":5,"first_seq":0,"last_seq":5,"repeats":0,
		"break":{"kind":"removed","file":`+string(must(json.Marshal(name)))+`,"line":3,"seq":2,"missing":{"from_seq":2,"to_seq":2}}}]}`, out.String())
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestAuditReportPrintsTablesOrJSON(t *testing.T) {
	dir, lines := auditLog(t)
	name := filepath.Join(dir, "audit.log")
	for _, c := range []struct {
		args     []string
		code     int
		out, err string
	}{
		{[]string{name}, 0, "6 requests, 0 refused; 1970-01-01T00:00:00.000000Z to 1970", ""},
		{[]string{"-"}, 0, "6 requests, 0 refused", ""},
		{[]string{"--json", name}, 0, `"would_be_refused": 0,`, ""},
		{[]string{name + ".gone"}, 2, "", "no such file"},
		{[]string{"--top=0", name}, 2, "", "--top: want 1 or more"},
		{nil, 2, "", "requires at least 1 arg"},
	} {
		var out, errOut strings.Builder
		code := run(t.Context(), append([]string{"audit", "report"}, c.args...), strings.NewReader(strings.Join(lines, "\n")), &out, &errOut)
		assert.Equal(t, c.code, code, "%v", c.args)
		assert.Contains(t, out.String(), c.out)
		assert.Contains(t, errOut.String(), c.err)
	}
}
