package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asProgram makes this test binary the program.
const asProgram = "TESTRUN_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// tree writes a module with the given test functions, by package.
func tree(t *testing.T, packages map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module tree\n\ngo 1.26\n"), 0o600))
	for name, text := range packages {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		text = "package " + name + "\n\nimport (\n\t\"os\"\n\t\"testing\"\n\t\"time\"\n)\n\nvar (\n\t_ = os.Exit\n\t_ = time.Now\n)\n\n" + text
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, name+"_test.go"), []byte(text), 0o600))
	}
	return dir
}

// program is the program in a directory.
func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), self, append([]string{"-log", filepath.Join(dir, "log", "test.log")}, args...)...)
	c.Dir = dir
	c.Env = append(os.Environ(), asProgram+"=1", "GOFLAGS=", "GOWORK=off")
	return c
}

// outcome runs the program. Times are replaced by 0s.
func outcome(t *testing.T, dir string, args ...string) (code int, out, log string) {
	t.Helper()
	c := program(t, dir, args...)
	text, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil {
		require.True(t, errors.As(err, &exit), err)
	}
	written, err := os.ReadFile(filepath.Join(dir, "log", "test.log"))
	require.NoError(t, err)
	return c.ProcessState.ExitCode(), withoutTimes(string(text)), string(written)
}

var seconds = regexp.MustCompile(`\b([0-9]+m)?[0-9]+(\.[0-9]+)?s\b|\(cached\)`)

func withoutTimes(text string) string { return seconds.ReplaceAllString(text, "0s") }

const (
	passing = "func TestPasses(t *testing.T) { t.Log(\"noise\") }\n"
	skipped = "func TestIsSkipped(t *testing.T) { t.Skip(\"a tool is missing\") }\n"
	failing = "func TestFails(t *testing.T) {\n\tt.Log(\"before\")\n\tt.Run(\"good\", func(t *testing.T) { t.Log(\"noise\") })\n" +
		"\tt.Run(\"bad\", func(t *testing.T) { t.Fatal(\"the reason\") })\n}\n"
	panicking = "func TestPanics(t *testing.T) { t.Log(\"before\"); panic(\"the value\") }\n"
)

func TestARunThatPassesHasALineForEachPackageAndOneAtTheEnd(t *testing.T) {
	dir := tree(t, map[string]string{"a": passing + skipped, "b": passing})
	code, out, log := outcome(t, dir, "--", "-p=1", "./...")
	assert.Zero(t, code)
	path := filepath.Join(dir, "log", "test.log")
	assert.Equal(t, "testing 2 packages; all output goes to "+path+"\n"+
		"ok  \ttree/a\t0s\t[1/2, 0s]\nok  \ttree/b\t0s\t[2/2, 0s]\n"+
		"skipped: tree/a TestIsSkipped: a_test.go:15: a tool is missing\n"+
		"PASS: 2 packages, 3 tests, 1 skipped, in 0s; all output is in "+path+"\n", out)
	assert.Contains(t, log, "# tree/a\n=== RUN   TestPasses\n")
	assert.Contains(t, log, "noise")

	_, out, _ = outcome(t, dir, "--", "-p=1", "./...")
	assert.Contains(t, out, "\nthe run before: PASS: 2 packages, 3 tests, 1 skipped, in 0s\n")
}

func TestAGroupMayBeAnotherModule(t *testing.T) {
	dir := tree(t, map[string]string{"a": passing})
	other := tree(t, map[string]string{"b": failing})
	code, out, _ := outcome(t, dir, "--", "-timeout=1m", "./a", "--", "-C="+other, "-timeout=1m", "./b")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "ok  \ttree/a\t0s\t[1/2, 0s]\n")
	assert.Contains(t, out, "FAIL\ttree/b\t0s\t[2/2, 0s]\n")
}

func TestAFailureShowsItsOutputAndEndsTheRun(t *testing.T) {
	dir := tree(t, map[string]string{"a": passing + failing, "b": passing})
	code, out, _ := outcome(t, dir, "--", "./a", "--", "./b")
	assert.Equal(t, exitFailed, code)
	for _, want := range []string{
		"--- FAIL: TestFails (0s)\n", "before\n", "--- FAIL: TestFails/bad (0s)\n", "the reason\n",
		"FAIL\ttree/a\t0s\t[1/2, 0s]\n", "\nfailed: tree/a TestFails\nFAIL: 1 of 2 packages (tree/a), 1 did not run; 2 tests, 0 skipped, in 0s; ",
	} {
		assert.Contains(t, out, want)
	}
	for _, noise := range []string{"noise", "=== RUN", "tree/b", "TestPasses"} {
		assert.NotContains(t, out, noise)
	}
}

// Nothing that keeps tests from running may look like success.
func TestWhatCannotRunFails(t *testing.T) {
	for name, c := range map[string]struct {
		packages map[string]string
		args     []string
		want     []string
	}{
		"a panic":                 {map[string]string{"a": panicking}, []string{"./a"}, []string{"before\n", "panic: the value", "goroutine ", "FAIL: 1 of 1 packages (tree/a); "}},
		"an exit":                 {map[string]string{"a": "func TestExits(t *testing.T) { os.Exit(3) }\n"}, []string{"./a"}, []string{"TestExits did not end\n", "FAIL: 1 of 1 packages (tree/a); "}},
		"an exit with 0":          {map[string]string{"a": "func TestExits(t *testing.T) { os.Exit(0) }\n"}, []string{"./a"}, []string{"unexpected call to os.Exit(0)", "FAIL: 1 of 1 packages (tree/a); "}},
		"a compilation error":     {map[string]string{"a": "func TestX(t *testing.T) { missing() }\n"}, []string{"./a"}, []string{"undefined: missing", "FAIL\ttree/a [build failed]", "FAIL: 1 of 1 packages (tree/a); "}},
		"an error that vet finds": {map[string]string{"a": "func TestX(t *testing.T) { t.Errorf(\"%d\", \"x\") }\n"}, []string{"./a"}, []string{"wrong type", "FAIL: 1 of 1 packages (tree/a); "}},
		"a timeout":               {map[string]string{"a": "func TestX(t *testing.T) { time.Sleep(time.Minute) }\n"}, []string{"-timeout=1s", "./a"}, []string{"panic: test timed out", "FAIL: 1 of 1 packages (tree/a); "}},
		"no such package":         {map[string]string{"a": passing}, []string{"./b"}, []string{"go list: exit status"}},
		"no such flag":            {map[string]string{"a": passing}, []string{"-count=x", "./a"}, []string{"FAIL: go test: exit status", "1 did not run"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, _ := outcome(t, tree(t, c.packages), append([]string{"--"}, c.args...)...)
			assert.Equal(t, exitFailed, code)
			for _, want := range c.want {
				assert.Contains(t, out, want)
			}
			assert.NotContains(t, out, "PASS: ")
		})
	}
}

func TestAnInterruptEndsTheTestsAndShowsHowFarTheyWere(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			dir := tree(t, map[string]string{"a": passing, "b": "func TestSleeps(t *testing.T) {\n\tt.Log(\"before\")\n" +
				"\tos.WriteFile(\"began\", []byte(\"x\"), 0o600)\n\ttime.Sleep(time.Hour)\n}\n"})
			c := program(t, dir, "--", "-p=1", "./...")
			var out bytes.Buffer
			c.Stdout, c.Stderr = &out, &out
			require.NoError(t, c.Start())
			require.Eventually(t, func() bool {
				_, err := os.Stat(filepath.Join(dir, "b", "began"))
				return err == nil
			}, time.Minute, 20*time.Millisecond)
			require.NoError(t, c.Process.Signal(signal))
			var exit *exec.ExitError
			require.ErrorAs(t, c.Wait(), &exit)
			assert.Equal(t, exitInterrupted, exit.ExitCode())
			assert.Contains(t, out.String(), "before")
			assert.Regexp(t, `\nINTERRUPTED: [12] of 2 packages had run, [01] failed; 1 tests, `, out.String())
		})
	}
}

func TestWithoutGroupsOrALogTheUsageIsPrinted(t *testing.T) {
	for _, args := range [][]string{{}, {"-log", "x"}, {"--", "./..."}, {"-unknown"}} {
		var out, errOut bytes.Buffer
		assert.Equal(t, exitUsage, run(args, &out, &errOut))
		assert.Contains(t, strings.ToLower(errOut.String()), "usage")
	}
}
