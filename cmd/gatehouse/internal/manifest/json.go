package manifest

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// isJSON reports whether a text is one JSON value. YAML contains most of JSON, but not its tabs.
func isJSON(text string) bool {
	return strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") && json.Valid([]byte(text))
}

// jsonDocument reads a JSON value. Its strings are double-quoted scalars of YAML. Duplicate keys
// are an error, unless the configuration's parser is to report them.
func jsonDocument(src *source, duplicates bool) (*value, error) {
	d := jsontext.NewDecoder(strings.NewReader(src.text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	r := jsonReader{src: src, d: d, duplicates: duplicates}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); err != io.EOF { //nolint:errorlint // jsontext returns io.EOF itself
		return nil, src.failure(r.next(), "want nothing after the object")
	}
	return v, nil
}

type jsonReader struct {
	src        *source
	d          *jsontext.Decoder
	duplicates bool
	values     int
	// offset and line are the last position that was counted, so that counting stays linear.
	offset int
	line   int
}

// next is where the next token begins.
func (r *jsonReader) next() Place {
	i := int(r.d.InputOffset())
	for i < len(r.src.text) && strings.IndexByte(" \t\r\n,:", r.src.text[i]) >= 0 {
		i++
	}
	r.line += strings.Count(r.src.text[r.offset:i], "\n")
	r.offset = i
	start := strings.LastIndexByte(r.src.text[:i], '\n') + 1
	return Place{r.line + 1, len([]rune(r.src.text[start:i])) + 1}
}

func (r *jsonReader) value(depth int) (*value, error) {
	at := r.next()
	if r.values++; r.values > maxValues || depth > maxDepth {
		return nil, r.src.failure(at, "too many or too deeply nested values")
	}
	t, err := r.d.ReadToken()
	if err != nil {
		return nil, r.src.failure(at, "not JSON")
	}
	v := &value{src: r.src, at: at}
	switch t.Kind() {
	case '[':
		v.isList = true
		for r.d.PeekKind() != ']' {
			kid, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			v.list = append(v.list, kid)
		}
		_, err = r.d.ReadToken()
	case '{':
		err = r.members(v, depth)
	case '"':
		v.scalar = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: t.String()}
	case 'n':
		v.scalar = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	case 't', 'f':
		v.scalar = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: t.String()}
	default:
		v.scalar = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: t.String()}
	}
	return v, err
}

func (r *jsonReader) members(v *value, depth int) error {
	seen := map[string]bool{}
	for r.d.PeekKind() != '}' {
		at := r.next()
		t, err := r.d.ReadToken()
		if err != nil {
			return r.src.failure(at, "not JSON")
		}
		name := t.String()
		if seen[name] && !r.duplicates {
			return r.src.failure(at, fmt.Sprintf("duplicate key %q", name))
		}
		seen[name] = true
		kid, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		v.members = append(v.members, member{name, at, kid})
	}
	_, err := r.d.ReadToken()
	return err
}
