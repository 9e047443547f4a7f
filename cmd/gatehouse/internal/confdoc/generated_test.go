package main

import (
	"os"
	"path/filepath"
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
		{Name: "b", Required: true, Shape: &config.Shape{Type: config.List, Max: 2,
			Element: &config.Shape{Type: config.Object, Fields: []config.Field{{Name: "c", Shape: &config.Shape{Type: config.Boolean}}}}}},
	}}
	page := "before\n<!-- fields: . -->\nold\n<!-- end -->\nbetween\n<!-- fields: b[] -->\n<!-- end -->\nafter\n"
	got, err := FillTables([]byte(page), root)
	require.NoError(t, err)
	assert.Equal(t, "before\n<!-- fields: . -->\n\n| field | value | default | |\n|---|---|---|---|\n"+
		"| `a` | 1..9 | `1` | Either \\| or. |\n| `b` | list of 0..2: `b[]` | required |  |\n\n<!-- end -->\nbetween\n"+
		"<!-- fields: b[] -->\n\n| field | value | default | |\n|---|---|---|---|\n| `c` | boolean |  |  |\n\n<!-- end -->\nafter\n", string(got))

	again, err := FillTables(got, root)
	require.NoError(t, err)
	assert.Equal(t, string(got), string(again))

	_, err = FillTables([]byte("<!-- fields: . -->\n<!-- end -->"), root)
	assert.EqualError(t, err, "config.md has no table of b[]")
	_, err = FillTables([]byte(page+"<!-- fields: d -->\n<!-- end -->"), root)
	assert.EqualError(t, err, "config.md has a table of d that isn't an object's, or has it twice")
}
