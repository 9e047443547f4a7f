package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/reason"
)

// asProgram makes this test binary the program, for shells.
const asProgram = "GATEHOUSE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

var (
	namedBlock = regexp.MustCompile("(?s)`([a-z]+\\.(?:yaml|json))`:\n\n```[a-z]+\n(.*?)```")
	session    = regexp.MustCompile("(?s)```console\n(.*?)```")
)

// TestTheSessionsInTheDocumentationAreWhatTheCommandsPrint runs the commands of the pages with
// sessions in a shell, with the files that the page shows and with tokens as it describes them.
func TestTheSessionsInTheDocumentationAreWhatTheCommandsPrint(t *testing.T) {
	for _, tool := range []string{"bash", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				require.NoError(t, err)
			}
			t.Skip(tool + " is missing")
		}
	}
	idp := newIssuer(t)
	tokens := map[string]string{
		"jwks.json": idp.jwks,
		"token.txt": idp.sign(t, `{"iss":"https://idp.example","aud":"stock","sub":"nightly","client_id":"nightly","exp":1772371845}`),
		"human.txt": idp.sign(t, `{"iss":"https://idp.example","aud":"orders","sub":"alice","email":"a@idp.example","exp":1772371845}`),
	}
	commands := 0
	for _, page := range pages(t) {
		text := read(t, page)
		if !session.MatchString(text) {
			continue
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range tokens {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
			}
			commands += runSessions(t, dir, text)
		})
	}
	assert.Greater(t, commands, 15)
}

// runSessions runs the commands of a page in a directory. It returns how many there were.
func runSessions(t *testing.T, dir, page string) (commands int) {
	t.Helper()
	for _, m := range namedBlock.FindAllStringSubmatch(page, -1) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, m[1]), []byte(m[2]), 0o600))
	}
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, filepath.Join(dir, "gatehouse")))
	for _, block := range session.FindAllStringSubmatch(page, -1) {
		for _, step := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			command, want, _ := strings.Cut(step, "\n")
			commands++
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			c := exec.CommandContext(ctx, "bash", "-e", "-c", command)
			c.Dir = dir
			c.Env = append(os.Environ(), asProgram+"=1", "PATH="+dir+":"+os.Getenv("PATH"))
			out, err := c.CombinedOutput()
			cancel()
			require.NoError(t, err, "%s\n%s", command, out)
			assert.Equal(t, strings.TrimSuffix(want, "\n"), strings.TrimSuffix(string(out), "\n"), command)
		}
	}
	return commands
}

func TestTheTroubleshootingPageNamesEveryReason(t *testing.T) {
	page := read(t, filepath.Join(root, "docs", "troubleshooting.md"))
	for r := reason.None + 1; r < reason.Count; r++ {
		assert.Contains(t, page, "`"+r.String()+"`")
	}
}
