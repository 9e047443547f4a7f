package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/config"
)

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	files, err := render()
	require.NoError(t, err)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(docs, name))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), "run: go generate ./cmd/gatehouse/internal/confdoc")
	}
}

func TestTablesAreFilledBetweenTheirMarkers(t *testing.T) {
	root := &config.Shape{Type: config.Object, Fields: []config.Field{
		{Name: "a", Default: "1", Doc: "Either | or.", Shape: &config.Shape{Type: config.Integer, Min: 1, Max: 9}},
		{Name: "b", Required: true, Doc: "B.", Shape: &config.Shape{Type: config.List, Max: 2, Unique: true,
			Element: &config.Shape{Type: config.Object, Fields: []config.Field{{Name: "c", Doc: "C.", Shape: &config.Shape{Type: config.Boolean}}}}}},
	}}
	x := examples{"a": "7", "b": `[{"c":true}]`, "b[].c": "true"}
	page := "before\n<!-- fields: . -->\nold\n<!-- end -->\nbetween\n<!-- fields: b[] -->\n<!-- end -->\nafter\n"
	head := "| field | type and bounds | default | example | what it does |\n|---|---|---|---|---|\n"
	got, err := FillTables([]byte(page), root, x)
	require.NoError(t, err)
	assert.Equal(t, "before\n<!-- fields: . -->\n\n"+head+
		"| `a` | integer, 1..9 | `1` | `7` | Either \\| or. |\n"+
		"| `b` | list of 0..2, all different: object `b[]` | required | `[{\"c\":true}]` | B. |\n\n<!-- end -->\nbetween\n"+
		"<!-- fields: b[] -->\n\n"+head+"| `c` | boolean | not set | `true` | C. |\n\n<!-- end -->\nafter\n", string(got))

	again, err := FillTables(got, root, x)
	require.NoError(t, err)
	assert.Equal(t, string(got), string(again))

	_, err = FillTables([]byte("<!-- fields: . -->\n<!-- end -->"), root, x)
	require.EqualError(t, err, "config.md has no table of b[]")
	_, err = FillTables([]byte(page+"<!-- fields: d -->\n<!-- end -->"), root, x)
	require.EqualError(t, err, "config.md has a table of d that isn't an object's, or has it twice")
	_, err = FillTables([]byte(page), root, examples{"a": "7", "b": "[]"})
	require.EqualError(t, err, "examples.json has no example of b[].c")
	root.Fields[0].Doc = ""
	_, err = FillTables([]byte(page), root, x)
	require.EqualError(t, err, "a isn't documented")
}

func TestTheParserTakesTheConfigurationsThatExamplesComeFrom(t *testing.T) {
	var docs []json.RawMessage
	require.NoError(t, json.Unmarshal(examplesJSON, &docs))
	for _, doc := range docs {
		_, err := config.Parse(doc, func(string) (string, bool) { return strings.Repeat("QUJD", 16), true })
		assert.NoError(t, err)
	}
}

// cells are a row's, without the | that stand escaped in one.
var cells = regexp.MustCompile(`((?:[^|\\]|\\.)*)\|`)

// Every field has a type with its bounds, a default, an example and a sentence.
func TestEachFieldIsDescribedWhole(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(docs, "config.md"))
	require.NoError(t, err)
	fields := 0
	for _, m := range marker.FindAllString(string(page), -1) {
		for line := range strings.Lines(m) {
			if !strings.HasPrefix(line, "| `") {
				continue
			}
			fields++
			row := cells.FindAllStringSubmatch(strings.TrimPrefix(strings.TrimSpace(line), "|"), -1)
			require.Len(t, row, 5, line)
			for i, c := range row {
				assert.NotEmpty(t, strings.TrimSpace(c[1]), "column %d: %s", i+1, line)
			}
			kind := row[1][1]
			assert.Regexp(t, "`|[0-9]+\\.\\.[0-9]+|boolean", kind, line)
		}
	}
	assert.Greater(t, fields, 80)
}
