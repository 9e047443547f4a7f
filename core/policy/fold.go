package policy

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// asciiLookalikes are the characters beyond ASCII that Unicode folds, or writes in upper case, with
// ASCII letters alone: a server that ignores case reads /%C5%BFecret (a long s) as /secret, and one
// that compares in upper case reads /pro%EF%AC%81le (the ligature fi) as /PROFILE.
var asciiLookalikes = [...]struct{ escapes, letters string }{
	{"%E2%84%AA", "k"}, // Kelvin sign
	{"%C5%BF", "s"},    // long s
	{"%C4%B0", "i"},    // I with a dot above
	{"%C4%B1", "i"},    // i without a dot
	{"%C3%9F", "ss"},   // sharp s
	{"%E1%BA%9E", "ss"},
	{"%EF%AC%80", "ff"}, // ligatures, to %EF%AC%86
	{"%EF%AC%81", "fi"},
	{"%EF%AC%82", "fl"},
	{"%EF%AC%83", "ffi"},
	{"%EF%AC%84", "ffl"},
	{"%EF%AC%85", "st"},
	{"%EF%AC%86", "st"},
}

func foldLookalikes(path string) string {
	for _, l := range asciiLookalikes {
		path = strings.ReplaceAll(path, l.escapes, l.letters)
	}
	return path
}

// foldAll folds the ASCII letters of a path and its other readings. A path with a character that
// Unicode folds to an ASCII letter has one more reading.
func foldAll(path string, others []string) (string, []string) {
	for _, p := range append([]string{path}, others...) {
		if strings.IndexByte(p, '%') >= 0 {
			if folded := foldLookalikes(p); folded != p {
				others = append(others, folded)
			}
		}
	}
	for i := range others {
		others[i] = lower(others[i])
	}
	return lower(path), others
}

var errPatternLetter = errors.New(`want no letter beyond ASCII with "path_case": "ignore": servers fold such letters differently`)

// FoldCase returns the pattern for paths that are compared without case. It fails for a pattern
// with a letter beyond ASCII.
func (p Pattern) FoldCase() (Pattern, error) {
	folded := Pattern{text: p.text, tree: p.tree}
	for _, segment := range p.segments {
		if hasForeignLetter(segment) {
			return Pattern{}, errPatternLetter
		}
		folded.segments = append(folded.segments, lower(segment))
	}
	return folded, nil
}

// hasForeignLetter reports whether a segment in normal form has a letter beyond ASCII.
func hasForeignLetter(segment string) bool {
	for i := range len(segment) {
		encoded, size := unescapeRune(segment[i:], "%")
		if r, _ := utf8.DecodeRune(encoded[:size]); size > 1 && unicode.IsLetter(r) {
			return true
		}
	}
	return false
}
