package claims

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The functions in this file take a document apart that Parse accepted, without checking it again.
// They rely on it: brackets match and strings end.

// skipSpace is the index of the next byte that is not white space.
func skipSpace[T string | []byte](b T, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue is the index after the value that begins at i.
func skipValue(b string, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // a literal ends where the object or list around it ends
			}
			depth--
			if depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i // a literal ends here
			}
		}
		i++
	}
	return i
}

// skipString is the index after the string that begins at i.
func skipString(b string, i int) int {
	for i++; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(b))
}

// walk goes through the members of an object or the elements of a list.
type walk struct {
	doc string
	i   int
}

func walkOf(doc string) walk { return walk{doc, skipSpace(doc, 1)} }

// more reports whether there is another member or element.
func (w *walk) more() bool { return w.doc[w.i] != '}' && w.doc[w.i] != ']' }

// member reads the next member. Its name has its quotes.
func (w *walk) member() (quoted string, v Value) {
	end := skipString(w.doc, w.i)
	quoted = w.doc[w.i:end]
	w.i = skipSpace(w.doc, skipSpace(w.doc, end)+1) // behind the colon
	return quoted, w.element()
}

// element reads the next element.
func (w *walk) element() Value {
	end := skipValue(w.doc, w.i)
	v := Value{w.doc[w.i:end]}
	if w.i = skipSpace(w.doc, end); w.doc[w.i] == ',' {
		w.i = skipSpace(w.doc, w.i+1)
	}
	return v
}

// unquote is the text of a JSON string: a part of the document, or a copy if the string has
// escapes.
func unquote(quoted string) string {
	if strings.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return ""
	}
	return string(text)
}
