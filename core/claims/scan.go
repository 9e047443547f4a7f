package claims

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner checks a document and finds its members, in one pass. Strings that are not plain ASCII it
// leaves to jsontext.
type scanner struct {
	doc     string
	members []span // of the outermost object
	lengths uint64 // of their names, as in Set
	escaped []byte // names that the document has not as they are, one behind the other

	// The names of the members so far of all objects around the current value, outermost first. An
	// array, so that Parse needs no memory for it. What finds no room there is in further.
	names   [32]string
	count   int
	further map[memberName]struct{}
}

// memberName is a name and where its object begins.
type memberName struct {
	object int
	name   string
}

// at is the byte at i, or 0, which no token of JSON begins with, behind the document's end.
func (s *scanner) at(i int) byte {
	if i < len(s.doc) {
		return s.doc[i]
	}
	return 0
}

// object checks the object that begins at i, and returns the index after it. depth is the object's
// own: 1 for the outermost.
func (s *scanner) object(i, depth int) (end int, err error) {
	if depth > MaxDepth {
		return 0, errDepth
	}
	object, first := i, s.count
	if i = skipSpace(s.doc, i+1); s.at(i) == '}' {
		return i + 1, nil
	}
	for {
		name, after, plain, err := s.text(i)
		if err != nil {
			return 0, err
		}
		if !s.add(name, object, first) {
			return 0, errJSON
		}
		colon := skipSpace(s.doc, after)
		if s.at(colon) != ':' {
			return 0, errJSON
		}
		value := skipSpace(s.doc, colon+1)
		if end, err = s.value(value, depth); err != nil {
			return 0, err
		}
		if depth == 1 {
			m := span{uint32(i) + 1, uint32(after) - 1, uint32(value), uint32(end)}
			if !plain {
				m.name = uint32(len(s.doc) + len(s.escaped))
				m.nameEnd = m.name + uint32(len(name))
				s.escaped = append(s.escaped, name...)
			}
			s.lengths |= 1 << ((m.nameEnd - m.name) % 64)
			s.members = append(s.members, m)
		}
		switch i = skipSpace(s.doc, end); s.at(i) {
		case ',':
			i = skipSpace(s.doc, i+1)
		case '}':
			s.count = first
			return i + 1, nil
		default:
			return 0, errJSON
		}
	}
}

// add adds a name to those of an object, of which s.names has those from first on. It refuses a
// duplicate. At most as many names as s.names has room for are compared one by one, and all objects
// share one map, so that the work and the memory stay linear however names are spread over objects.
func (s *scanner) add(name string, object, first int) (ok bool) {
	if slices.Contains(s.names[first:s.count], name) {
		return false
	}
	if s.count < len(s.names) {
		s.names[s.count] = name
		s.count++
		return true
	}
	member := memberName{object, name}
	if _, duplicate := s.further[member]; duplicate {
		return false
	}
	if s.further == nil {
		s.further = map[memberName]struct{}{}
	}
	s.further[member] = struct{}{}
	return true
}

// list checks the list that begins at i.
func (s *scanner) list(i, depth int) (end int, err error) {
	if depth > MaxDepth {
		return 0, errDepth
	}
	if i = skipSpace(s.doc, i+1); s.at(i) == ']' {
		return i + 1, nil
	}
	for {
		if i, err = s.value(i, depth); err != nil {
			return 0, err
		}
		switch i = skipSpace(s.doc, i); s.at(i) {
		case ',':
			i = skipSpace(s.doc, i+1)
		case ']':
			return i + 1, nil
		default:
			return 0, errJSON
		}
	}
}

// value checks the value that begins at i. depth is that of the object or list around it.
func (s *scanner) value(i, depth int) (end int, err error) {
	switch c := s.at(i); c {
	case '"':
		_, end, _, err = s.text(i)
		return end, err
	case '{':
		return s.object(i, depth+1)
	case '[':
		return s.list(i, depth+1)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	}
	return s.number(i)
}

func (s *scanner) literal(i int, word string) (end int, err error) {
	if !strings.HasPrefix(s.doc[i:], word) {
		return 0, errJSON
	}
	return i + len(word), nil
}

// number checks a number (RFC 8259 §6).
func (s *scanner) number(i int) (end int, err error) {
	if s.at(i) == '-' {
		i++
	}
	end = s.digits(i)
	if end == i || s.doc[i] == '0' && end > i+1 {
		return 0, errJSON
	}
	if s.at(end) == '.' {
		i = end + 1
		if end = s.digits(i); end == i {
			return 0, errJSON
		}
	}
	if c := s.at(end); c == 'e' || c == 'E' {
		i = end + 1
		if c := s.at(i); c == '+' || c == '-' {
			i++
		}
		if end = s.digits(i); end == i {
			return 0, errJSON
		}
	}
	return end, nil
}

// digits is the index after the digits that begin at i.
func (s *scanner) digits(i int) int {
	for c := s.at(i); '0' <= c && c <= '9'; c = s.at(i) {
		i++
	}
	return i
}

// text reads the string that begins at i. plain is true if it is ASCII without escapes, and so
// stands in the document as it is.
func (s *scanner) text(i int) (text string, end int, plain bool, err error) {
	if s.at(i) != '"' {
		return "", 0, false, errJSON
	}
	for end = i + 1; end < len(s.doc); end++ {
		switch c := s.doc[end]; {
		case c == '"':
			return s.doc[i+1 : end], end + 1, true, nil
		case c == '\\' || c >= 0x80:
			end = skipString(s.doc, i)
			unquoted, err := jsontext.AppendUnquote(nil, s.doc[i:end])
			if err != nil {
				return "", 0, false, errJSON // the library's own error quotes the document
			}
			return string(unquoted), end, false, nil
		case c < ' ':
			return "", 0, false, errJSON
		}
	}
	return "", 0, false, errJSON
}
