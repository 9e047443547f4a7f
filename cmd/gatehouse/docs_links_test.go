package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	link    = regexp.MustCompile(`\]\(([^)#:\s]*)(?:#([^)\s]*))?\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	linked  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// anchors returns the anchors of a page's headings, as GitHub makes them.
func anchors(text string) map[string]bool {
	found, times := map[string]bool{}, map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(anyBlock.ReplaceAllString(text, ""), -1) {
		anchor := slug(m[1])
		if n := times[anchor]; n > 0 {
			found[fmt.Sprintf("%s-%d", anchor, n)] = true
		} else {
			found[anchor] = true
		}
		times[anchor]++
	}
	return found
}

// slug is a heading's anchor: in lower case, with hyphens for spaces, and of the rest only letters,
// digits, hyphens and underscores.
func slug(heading string) string {
	heading = linked.ReplaceAllString(heading, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
}

func TestAnchorsAreMadeAsOnGitHub(t *testing.T) {
	text := "# I get 401, 403: why?\n## `tokens.providers[]`\n## Look\n## Look\n```sh\n# no heading\n```\n## [a link](x.md) here\n"
	assert.Equal(t, map[string]bool{"i-get-401-403-why": true, "tokensproviders": true, "look": true, "look-1": true, "a-link-here": true}, anchors(text))
}

// Every link leads to a file, and to a heading in it if it names one.
func TestLinksInTheDocumentationLeadSomewhere(t *testing.T) {
	found, named := 0, 0
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(anyBlock.ReplaceAllString(read(t, page), ""), -1) {
			found++
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			info, err := os.Stat(target)
			if !assert.NoError(t, err, "%s links to it", page) || m[2] == "" {
				continue
			}
			named++
			if assert.False(t, info.IsDir(), "%s: %s", page, m[0]) {
				assert.Contains(t, anchors(read(t, target)), m[2], "%s: %s", page, m[0])
			}
		}
	}
	assert.Greater(t, found, 50)
	assert.Greater(t, named, 15)
}

var namedPage = regexp.MustCompile(`\b(?:docs|deploy|examples)/[A-Za-z0-9_./-]+\.(?:md|yaml|json|jq|sh|png)\b`)

// Comments in configurations, scripts and code name pages too.
func TestPagesThatCommentsNameExist(t *testing.T) {
	found := 0
	for _, path := range files(t) {
		if !commented(path) || slices.Contains(strings.Split(path, string(filepath.Separator)), "testdata") {
			continue
		}
		for _, name := range namedPage.FindAllString(read(t, path), -1) {
			found++
			_, err := os.Stat(filepath.Join(root, name))
			_, beside := os.Stat(filepath.Join(filepath.Dir(path), name))
			assert.True(t, err == nil || beside == nil, "%s names %s", path, name)
		}
	}
	assert.Greater(t, found, 20)
}

// commented says whether a file may have comments that name pages.
func commented(path string) bool {
	switch filepath.Ext(path) {
	case ".go", ".yaml", ".sh", ".jq", ".tpl":
		return true
	}
	return filepath.Base(path) == "Makefile"
}

// A person finds every page by the index of docs, or by that of its folder.
func TestTheIndexHasEveryPage(t *testing.T) {
	for _, page := range pages(t) {
		index := filepath.Join(root, "docs", "README.md")
		for _, folder := range []string{"docs/idp", "examples"} {
			own := filepath.Join(root, folder, "README.md")
			if strings.HasPrefix(page, filepath.Join(root, folder)+"/") && page != own {
				index = own
			}
		}
		if page == index || page == filepath.Join(root, "CHANGELOG.md") {
			continue
		}
		rel, err := filepath.Rel(filepath.Dir(index), page)
		require.NoError(t, err)
		assert.True(t, strings.Contains(read(t, index), "]("+rel), "%s has no link to %s", index, rel)
	}
}
