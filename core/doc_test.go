package core_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheFileMapNamesEachFile(t *testing.T) {
	page, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	named := map[string]bool{"doc.go": true}
	for _, name := range regexp.MustCompile(`[a-z]+\.go`).FindAllString(string(page), -1) {
		assert.FileExists(t, name)
		named[name] = true
	}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		assert.True(t, named[file] || strings.HasSuffix(file, "_test.go"), "the map in doc.go lacks %s", file)
	}
}
