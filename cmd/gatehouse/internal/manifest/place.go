package manifest

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Place is a position in a file. Lines and columns (in characters) count from 1; the zero value is
// no position, a zero column none within the line.
type Place struct{ Line, Column int }

// String is "LINE:COLUMN", "LINE" or "".
func (p Place) String() string {
	switch {
	case p.Line == 0:
		return ""
	case p.Column == 0:
		return strconv.Itoa(p.Line)
	}
	return strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}

// source is a text that is read: a file, or a text inside one, such as a plugin's configuration in
// an envoy.yaml or a file in a ConfigMap.
type source struct {
	text  string
	lines []string
	// inFile turns a position in the text into one in the file.
	inFile func(Place) Place
	// secret keeps the text's values out of errors.
	secret bool
}

func newSource(text string, secret bool, inFile func(Place) Place) *source {
	return &source{text: text, lines: strings.Split(text, "\n"), inFile: inFile, secret: secret}
}

// fileSource is the whole file.
func fileSource(text string) *source {
	return newSource(text, false, func(p Place) Place { return p })
}

// atOffset is the position of a byte.
func (s *source) atOffset(offset int) Place {
	before := s.text[:min(offset, len(s.text))]
	line := strings.Count(before, "\n") + 1
	return Place{line, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1}
}

// inner is the text of a string in the source. Positions in it are exact where the string is a
// literal block or stands in one line; elsewhere they are the string's own.
func (v *value) inner() *source {
	n := v.scalar
	whole := v.place()
	if n.Style&yaml.LiteralStyle != 0 {
		indent := v.src.blockIndent(v.at.Line)
		return newSource(n.Value, v.src.secret, func(p Place) Place {
			return v.src.inFile(Place{v.at.Line + p.Line, p.Column + indent})
		})
	}
	columns := v.src.columnsOf(n, v.at)
	if columns == nil {
		return newSource(n.Value, v.src.secret, func(Place) Place { return whole })
	}
	var starts []int // of the text's lines, in characters
	for i, r := range []rune("\n" + n.Value) {
		if r == '\n' {
			starts = append(starts, i)
		}
	}
	return newSource(n.Value, v.src.secret, func(p Place) Place {
		if p.Line < 1 || p.Line > len(starts) {
			return whole
		}
		i := min(max(starts[p.Line-1]+p.Column-1, 0), len(columns)-1)
		return v.src.inFile(Place{v.at.Line, columns[i]})
	})
}

// decoded is a text that the value holds in another encoding: every position is the value's own.
func (v *value) decoded(text string, secret bool) *source {
	whole := v.place()
	return newSource(text, secret, func(Place) Place { return whole })
}

// blockIndent is the indentation of a literal block whose header is in a line.
func (s *source) blockIndent(header int) int {
	for _, line := range s.lines[min(header, len(s.lines)):] {
		if trimmed := strings.TrimLeft(line, " "); trimmed != "" && trimmed != "\r" {
			return len(line) - len(trimmed)
		}
	}
	return 0
}

// columnsOf returns the column of each character of a string that stands in one line, and of its
// end; nil if it doesn't.
func (s *source) columnsOf(n *yaml.Node, at Place) []int {
	if at.Line < 1 || at.Line > len(s.lines) {
		return nil
	}
	line := []rune(s.lines[at.Line-1])
	i := at.Column - 1
	if i < 0 || i >= len(line) {
		return nil
	}
	quote := rune(0)
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		quote = '"'
	case n.Style&yaml.SingleQuotedStyle != 0:
		quote = '\''
	case n.Style != 0:
		return nil
	}
	if quote != 0 {
		if line[i] != quote {
			return nil
		}
		i++
	}
	var columns []int
	for _, want := range n.Value {
		if i >= len(line) {
			return nil
		}
		columns = append(columns, i+1)
		got, length := character(line[i:], quote)
		if got != want {
			return nil
		}
		i += length
	}
	return append(columns, i+1)
}

// character reads one character of a quoted string, and how many characters it is written with.
func character(line []rune, quote rune) (r rune, length int) {
	switch {
	case quote == '\'' && line[0] == '\'' && len(line) > 1 && line[1] == '\'':
		return '\'', 2
	case quote != '"' || line[0] != '\\' || len(line) < 2:
		return line[0], 1
	}
	const from, to = `"\/bfnrt0`, "\"\\/\b\f\n\r\t\x00"
	if i := strings.IndexRune(from, line[1]); i >= 0 {
		return rune(to[i]), 2
	}
	if line[1] != 'u' || len(line) < 6 {
		return 0, 2
	}
	r = hex(line[2:6])
	if utf16.IsSurrogate(r) && len(line) >= 12 && line[6] == '\\' && line[7] == 'u' {
		return utf16.DecodeRune(r, hex(line[8:12])), 12
	}
	return r, 6
}

func hex(digits []rune) rune {
	v, err := strconv.ParseUint(string(digits), 16, 32)
	if err != nil {
		return utf8.RuneError
	}
	return rune(v)
}
