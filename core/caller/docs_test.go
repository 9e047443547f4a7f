package caller

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const docPath = "../../docs/m2m.md"

var update = flag.Bool("update", false, "write the table of issuers into docs/m2m.md")

// tableRows are the cells of a Markdown table's rows that begin with the given text.
func tableRows(doc, begins string) [][]string {
	var rows [][]string
	for line := range strings.Lines(doc) {
		if !strings.HasPrefix(line, begins) {
			continue
		}
		line = strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00")
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.ReplaceAll(strings.TrimSpace(cell), "\x00", "|"))
		}
		rows = append(rows, cells)
	}
	return rows
}

func TestTheDocumentListsTheRulesInTheirOrder(t *testing.T) {
	doc, err := os.ReadFile(docPath)
	require.NoError(t, err)
	var listed []Verdict
	kinds := map[string]Kind{"human": Human, "machine": Machine, "unknown": Unknown}
	for _, cells := range tableRows(string(doc), "| ") {
		if len(cells) != 5 || !strings.HasPrefix(cells[1], "`") {
			continue
		}
		kind, ok := kinds[cells[2]]
		require.True(t, ok, cells[2])
		listed = append(listed, Verdict{kind, strings.Trim(cells[1], "`")})
		assert.NotEmpty(t, cells[3])
		assert.True(t, strings.Contains(cells[4], "](https://") || cells[4] == "the same", cells[4])
	}
	var rules []Verdict
	for _, r := range autoRules {
		rules = append(rules, Verdict{r.kind, r.evidence})
	}
	assert.Equal(t, rules, listed, "docs/m2m.md must list the rules of auto.go in their order")
	for _, evidence := range []string{evidenceCognitoMachine, evidenceCognitoHuman} {
		assert.Contains(t, string(doc), "`"+evidence+"`")
	}
}

func TestEveryRuleHasAnIssuerOrATestOfItsOwn(t *testing.T) {
	tests, err := os.ReadFile("auto_test.go")
	require.NoError(t, err)
	table, err := os.ReadFile("testdata/issuers.json")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, r := range autoRules {
		assert.False(t, seen[r.evidence], "%s is listed twice", r.evidence)
		seen[r.evidence] = true
		quoted := `"` + r.evidence + `"`
		assert.True(t, strings.Contains(string(tests), quoted) || strings.Contains(string(table), quoted),
			"%s: add a token to testdata/issuers.json, or a case to auto_test.go", r.evidence)
	}
}

// The table of issuers is the document's end; `go test ./core/caller -run Issuers -update` writes
// it anew.
func TestTheDocumentShowsTheIssuersAsTested(t *testing.T) {
	table, err := os.ReadFile("testdata/issuers.json")
	require.NoError(t, err)
	var rows []struct{ Issuer, Token, Source, Caller, Evidence string }
	require.NoError(t, json.Unmarshal(table, &rows))

	var want strings.Builder
	want.WriteString("| issuer | token | caller | evidence | source of the shape |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		evidence, source := "", r.Source
		if r.Evidence != "" {
			evidence = "`" + r.Evidence + "`"
		}
		if note, url, ok := strings.Cut(source, "; "); ok {
			source = note + ", [documentation](" + url + ")"
		} else {
			source = "[documentation](" + source + ")"
		}
		want.WriteString("| " + r.Issuer + " | " + r.Token + " | " + r.Caller + " | " + evidence + " | " + source + " |\n")
	}

	doc, err := os.ReadFile(docPath)
	require.NoError(t, err)
	text, _, found := strings.Cut(string(doc), "| issuer |")
	if *update {
		require.NoError(t, os.WriteFile(docPath, []byte(text+want.String()), 0o644))
		return
	}
	require.True(t, found)
	assert.Equal(t, want.String(), string(doc)[len(text):])
}
