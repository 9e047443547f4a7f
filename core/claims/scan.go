package claims

import "github.com/go-json-experiment/json/jsontext"

// A document that Parse has accepted is taken apart by these few lines instead of being decoded again: they rely on its
// being valid, so that brackets match and strings end.

// skipSpace gives the index of the next byte that isn't white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue gives the index after the value that begins at i.
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
				return i // the end of the object or list around a literal
			}
			depth--
			if depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i // the end of a literal
			}
		}
		i++
	}
	return i
}

// skipString gives the index after the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(b))
}

// membersOf splits an object.
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

// elementsOf splits a list.
func elementsOf(list []byte) []Value {
	var out []Value
	for i := skipSpace(list, 1); i < len(list) && list[i] != ']'; {
		end := skipValue(list, i)
		out = append(out, Value{list[i:end:end]})
		i = nextItem(list, end)
	}
	return out
}

// nextItem gives the index of the next member or element, or of the closing bracket.
func nextItem(b []byte, i int) int {
	i = skipSpace(b, i)
	if i < len(b) && b[i] == ',' {
		i = skipSpace(b, i+1)
	}
	return i
}

// unquote gives a string's text: its own bytes, or new ones where something is escaped.
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
