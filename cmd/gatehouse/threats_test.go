package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	testName    = regexp.MustCompile("^(?:Test|Fuzz)[A-Za-z0-9]+$")
	anyCodeSpan = regexp.MustCompile("`([^`]+)`")
)

// Each attack that the threat model lists names its package and its tests, and they exist.
func TestEachAttackOfTheThreatModelNamesItsTest(t *testing.T) {
	_, section, found := strings.Cut(read(t, filepath.Join(root, "docs/threat-model.md")), "## Each attack and its test\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	rows := 0
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 3 || strings.HasPrefix(cells[0], " attack") {
			continue
		}
		rows++
		pkg, tests := "", 0
		for _, span := range anyCodeSpan.FindAllStringSubmatch(cells[2], -1) {
			if !testName.MatchString(span[1]) {
				pkg = span[1]
				continue
			}
			tests++
			assert.True(t, hasTest(t, pkg, span[1]), "%s has no %s: %s", pkg, span[1], line)
		}
		assert.NotZero(t, tests, "no test: %s", line)
	}
	assert.Greater(t, rows, 25)
}

// hasTest reports whether a package of the repository has a test.
func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}

// The address for reports is a placeholder until there is a real one, so it stands in one place.
func TestTheAddressForReportsStandsInOnePlace(t *testing.T) {
	const address = "security@gatehouse.example"
	places := 0
	for _, page := range pages(t) {
		places += strings.Count(read(t, page), address)
	}
	assert.Equal(t, 1, places)
}
