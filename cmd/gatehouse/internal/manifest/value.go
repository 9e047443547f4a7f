package manifest

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits on a file. Aliases are what makes a small YAML file large.
const (
	MaxBytes  = 16 << 20
	maxValues = 1 << 20
	maxDepth  = 256
)

// value is a value of YAML or JSON, with aliases followed and merges done.
type value struct {
	src     *source
	at      Place      // in src
	scalar  *yaml.Node // nil for lists and mappings
	list    []*value
	isList  bool
	members []member
}

type member struct {
	name  string
	at    Place // of the name, in the source of the mapping
	value *value
}

// place is where the value stands in the file; nowhere if there is none.
func (v *value) place() Place {
	if v == nil {
		return Place{}
	}
	return v.src.inFile(v.at)
}

// failure is an error at a position of a text.
func (s *source) failure(at Place, message string) error {
	return &Error{Finding{Place: s.inFile(at), Message: message}}
}

// documents reads all documents of a text of YAML, or the one of JSON. Duplicate keys are an error
// everywhere, so that no two readers can disagree about a field such as "failure_policy".
func documents(src *source) ([]*value, error) {
	if isJSON(src.text) {
		doc, err := jsonDocument(src, false)
		return []*value{doc}, err
	}
	var out []*value
	d := yaml.NewDecoder(strings.NewReader(src.text))
	c := converter{src: src}
	for {
		var n yaml.Node
		switch err := d.Decode(&n); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, src.syntaxError(err)
		}
		v, err := c.value(&n, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

var lineInError = regexp.MustCompile(`^line ([0-9]+): `)

// syntaxError is the YAML reader's error at its line.
func (s *source) syntaxError(err error) error {
	message := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " ")
	at := Place{}
	if m := lineInError.FindStringSubmatch(message); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	if s.secret {
		message = "" // it may quote the text
	}
	return s.failure(at, strings.TrimSuffix("not YAML: "+message, ": "))
}

type converter struct {
	src    *source
	values int
}

func (c *converter) value(n *yaml.Node, depth int) (*value, error) {
	if c.values++; c.values > maxValues || depth > maxDepth {
		return nil, c.fail(n, "too many or too deeply nested values")
	}
	v := &value{src: c.src, at: Place{n.Line, n.Column}}
	switch n.Kind {
	case yaml.DocumentNode:
		return c.value(n.Content[0], depth+1)
	case yaml.AliasNode:
		return c.value(n.Alias, depth+1) // an alias of what it stands in ends at maxDepth
	case yaml.SequenceNode:
		v.isList = true
		for _, kid := range n.Content {
			e, err := c.value(kid, depth+1)
			if err != nil {
				return nil, err
			}
			v.list = append(v.list, e)
		}
		return v, nil
	case yaml.MappingNode:
		return v, c.mapping(v, n, depth)
	}
	v.scalar = n
	return v, nil
}

func (c *converter) fail(n *yaml.Node, message string) error {
	return c.src.failure(Place{n.Line, n.Column}, message)
}

func (c *converter) mapping(v *value, n *yaml.Node, depth int) error {
	seen := map[string]bool{}
	var merged []*value
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		at := Place{key.Line, key.Column}
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		kid, err := c.value(n.Content[i+1], depth+1)
		if err != nil {
			return err
		}
		switch {
		case key.Tag == "!!merge":
			sources := []*value{kid}
			if kid.isList {
				sources = kid.list
			}
			merged = append(merged, sources...)
		case key.Kind != yaml.ScalarNode:
			return c.fail(key, "want a string as key")
		case seen[key.Value]:
			return c.fail(key, fmt.Sprintf("duplicate key %q", key.Value))
		default:
			seen[key.Value] = true
			v.members = append(v.members, member{key.Value, at, kid})
		}
	}
	// A member of the mapping itself precedes a merged one, and an earlier merge a later one.
	for _, source := range merged {
		if source.scalar != nil || source.isList {
			return c.src.failure(source.at, "want a mapping to merge")
		}
		for _, m := range source.members {
			if !seen[m.name] {
				seen[m.name] = true
				v.members = append(v.members, m)
			}
		}
	}
	return nil
}

// get is a mapping's member; nil when it isn't there, or v is no mapping.
func (v *value) get(name string) *value {
	for _, m := range v.fields() {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// elements are a list's, fields a mapping's; none of anything else.
func (v *value) elements() []*value {
	if v == nil {
		return nil
	}
	return v.list
}

func (v *value) fields() []member {
	if v == nil {
		return nil
	}
	return v.members
}

// field follows names; in protobuf messages each may be in snake_case or in lowerCamelCase, as
// protobuf's JSON mapping has it.
func (v *value) field(names ...string) *value {
	for _, name := range names {
		next := v.get(name)
		if next == nil {
			next = v.get(camel(name))
		}
		v = next
	}
	return v
}

func camel(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words {
		if i > 0 && w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// text is a scalar as written; "" for anything else.
func (v *value) text() string {
	if v == nil || v.scalar == nil || v.scalar.Tag == "!!null" {
		return ""
	}
	return v.scalar.Value
}

// walk calls f for v and all below it.
func (v *value) walk(f func(*value)) {
	f(v)
	for _, e := range v.list {
		e.walk(f)
	}
	for _, m := range v.members {
		m.value.walk(f)
	}
}
