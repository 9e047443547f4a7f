package claims

import "github.com/go-json-experiment/json/jsontext"

// The functions in this file take a document apart that Parse accepted, without decoding it again.
// They rely on it: brackets match and strings end.

// skipSpace is the index of the next byte that is not white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue is the index after the value that begins at i.
func skipValue(b []byte, i int) int {
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
func skipString(b []byte, i int) int {
	for i++; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(b))
}

// membersOf splits an object into its members.
func membersOf(obj []byte) []member {
	out := make([]member, 0, 16)
	for i := skipSpace(obj, 1); i < len(obj) && obj[i] != '}'; {
		end := skipString(obj, i)
		name := obj[i:end]
		i = skipSpace(obj, skipSpace(obj, end)+1) // the colon
		end = skipValue(obj, i)
		out = append(out, member{unquote(name), Value{obj[i:end:end]}})
		i = nextItem(obj, end)
	}
	return out
}

// elementsOf splits a list into its elements.
func elementsOf(list []byte) []Value {
	var out []Value
	for i := skipSpace(list, 1); i < len(list) && list[i] != ']'; {
		end := skipValue(list, i)
		out = append(out, Value{list[i:end:end]})
		i = nextItem(list, end)
	}
	return out
}

// nextItem is the index of the next member or element, or of the closing bracket.
func nextItem(b []byte, i int) int {
	i = skipSpace(b, i)
	if i < len(b) && b[i] == ',' {
		i = skipSpace(b, i+1)
	}
	return i
}

// unquote is the text of a JSON string: a part of the document, or a copy if the string has
// escapes.
func unquote(quoted []byte) []byte {
	for _, c := range quoted {
		if c == '\\' {
			text, err := jsontext.AppendUnquote(nil, quoted)
			if err != nil {
				return nil
			}
			return text
		}
	}
	return quoted[1 : len(quoted)-1]
}
