package main

import (
	"go/scanner"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

const (
	maxColumns = 100
	tabColumns = 4
)

// tooLong reports whether a line of prose could be broken and has too many columns.
func tooLong(line string) bool {
	line = strings.ReplaceAll(line, "\t", strings.Repeat(" ", tabColumns))
	if utf8.RuneCountInString(line) <= maxColumns {
		return false
	}
	_, text, _ := strings.Cut(strings.TrimLeft(line, " /"), " ") // the mark of a list, or a first word
	return strings.Contains(strings.TrimSpace(text), " ")
}

// longComments lists the lines of a Go file that have nothing but a comment, which is too long.
func longComments(source string) (lines []int) {
	file := token.NewFileSet().AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, []byte(source), nil, scanner.ScanComments)
	text := strings.Split(source, "\n")
	for {
		at, kind, comment := s.Scan()
		if kind == token.EOF {
			return lines
		}
		line := file.Position(at).Line
		alone := strings.TrimSpace(text[line-1]) == strings.TrimSpace(comment)
		if kind == token.COMMENT && alone && prose.MatchString(comment) && tooLong(text[line-1]) {
			lines = append(lines, line)
		}
	}
}

// prose is a line of a paragraph or the first one of a list's item. Directives have no space, and
// code and tables are indented.
var prose = regexp.MustCompile(`^// ( {0,2}(-|[0-9]+\.) |[^ \t])`)

func TestCommentsHaveAtMost100Columns(t *testing.T) {
	found := 0
	for _, path := range files(t) {
		if filepath.Ext(path) == ".go" {
			found++
			assert.Empty(t, longComments(read(t, path)), "%s has comments of more than %d columns in these lines", path, maxColumns)
		}
	}
	assert.Greater(t, found, 500)
}

// longParagraphs lists the lines of a page that are too long, and are neither code, tables,
// headings nor pictures.
func longParagraphs(page string) (lines []int) {
	code := false
	for i, line := range strings.Split(page, "\n") {
		text := strings.TrimSpace(line)
		if strings.HasPrefix(text, "```") {
			code = !code
		}
		if !code && !noParagraph.MatchString(text) && tooLong(unbroken.ReplaceAllStringFunc(line, joined)) {
			lines = append(lines, i+1)
		}
	}
	return lines
}

var noParagraph = regexp.MustCompile(`^(\||#|!\[)`)

// unbroken are a link and a code span: they stay in one line.
var unbroken = regexp.MustCompile("`[^`]*`|\\[[^]]*\\]\\([^)]*\\)")

func joined(s string) string { return strings.ReplaceAll(s, " ", "_") }

func TestPagesHaveAtMost100Columns(t *testing.T) {
	for _, page := range pages(t) {
		assert.Empty(t, longParagraphs(read(t, page)), "%s has paragraphs of more than %d columns in these lines", page, maxColumns)
	}
}

func TestWhatIsTooLongIsFound(t *testing.T) {
	words := strings.Repeat("word ", 21)
	long := strings.Repeat("x", 120)
	for line, want := range map[string]bool{
		"// " + words: true, "\t// " + words[:90]: false, "\t\t// " + words[:96]: true, "//   - " + words: true, "//\t" + words: false, "//  " + words: false,
		"x() // " + words: false, "// https://" + long: false, "// see https://" + long: false, "var x = `\n// " + words + "`": false, "//nolint:x // " + words: false,
	} {
		assert.Equal(t, want, len(longComments("package p\n"+line+"\n")) > 0, line)
	}
	for line, want := range map[string]bool{
		words: true, "- " + words: true, "| " + words: false, "# " + words: false, "```sh\n" + words + "\n```": false, "```sh\nx\n```\n" + words: true,
		"[" + words + "](x)": false, "see `" + words + "`": false, "- " + strconv.Quote(long): false,
	} {
		assert.Equal(t, want, len(longParagraphs(line)) > 0, line)
	}
}
