package linear_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// atMost is how much more twice the input may cost: twice as much, and a little for buffers that
// grow by steps. Work that is quadratic costs four times as much.
const atMost = 2.6

// slack is work that may come with either size, such as a map that grows.
const slack = 20_000

func TestTwiceTheInputCostsTwiceTheWork(t *testing.T) {
	program := build(t)
	var out, problems bytes.Buffer
	run := exec.Command(program)
	run.Env = append(os.Environ(), "GOCOVERDIR="+t.TempDir(), "GOGC=off")
	run.Stdout, run.Stderr = &out, &problems
	require.NoError(t, run.Run(), problems.String())
	cases, caught := 0, false
	for line := range strings.Lines(out.String()) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, fields, 4, line)
		once, err := strconv.ParseUint(fields[2], 10, 64)
		require.NoError(t, err)
		twice, err := strconv.ParseUint(fields[3], 10, 64)
		require.NoError(t, err)
		linear := float64(twice) <= atMost*float64(once)+slack
		if fields[0] == "the control" {
			caught = caught || !linear
			continue
		}
		cases++
		assert.True(t, linear, "%s, many %s: %d, and %d for twice as many", fields[0], fields[1], once, twice)
	}
	assert.Greater(t, cases, 1000)
	assert.True(t, caught, "the control is quadratic, and wasn't noticed")
}

// build builds the program from a copy of the sources, with counters in core, and with package
// counted in the place of strings there. (Coverage reads the sources themselves, whatever go
// build's -overlay says.)
func build(t *testing.T) string {
	t.Helper()
	dir, root := t.TempDir(), filepath.Join("..", "..")
	replaced := 0
	for _, part := range []string{"go.mod", "go.sum", "core", "e2e/linear"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, part), func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			if changed := bytes.Replace(content, []byte(ours), []byte(counted), 1); strings.HasPrefix(name, "core") && len(changed) != len(content) {
				content = changed
				replaced++
			}
			copied := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(copied), 0o700); err != nil {
				return err
			}
			return os.WriteFile(copied, content, 0o600)
		}))
	}
	require.Greater(t, replaced, 20)
	program := filepath.Join(dir, "linear")
	cmd := exec.Command("go", "build", "-cover", "-covermode=atomic",
		"-coverpkg=gatehouse/core/...,gatehouse/e2e/linear/work,github.com/go-json-experiment/json/...", "-o", program, "./e2e/linear/work")
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, string(text))
	return program
}

// An import of strings, and what takes its place.
const (
	ours    = "\t\"strings\"\n"
	counted = "\tstrings \"gatehouse/e2e/linear/counted\"\n"
)
