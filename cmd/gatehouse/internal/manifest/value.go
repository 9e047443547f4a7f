package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits on a file. Aliases are what makes a small YAML file large.
const (
	MaxBytes  = 16 << 20
	maxValues = 1 << 20
	maxDepth  = 256
)

// value is a YAML value with its aliases followed and its merges done.
type value struct {
	line    int
	scalar  *yaml.Node // nil for lists and mappings
	list    []*value
	isList  bool
	members []member
}

type member struct {
	name  string
	value *value
}

// documents reads all YAML documents of a file. Duplicate keys are an error everywhere, so that no
// two readers can disagree about a field such as "failure_policy".
func documents(text []byte) ([]*value, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("want at most %d bytes, got %d", MaxBytes, len(text))
	}
	var out []*value
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	c := converter{}
	for {
		var n yaml.Node
		switch err := d.Decode(&n); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
		}
		v, err := c.value(&n, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

type converter struct{ values int }

func (c *converter) value(n *yaml.Node, depth int) (*value, error) {
	if c.values++; c.values > maxValues || depth > maxDepth {
		return nil, fmt.Errorf("line %d: too many or too deeply nested values", n.Line)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return c.value(n.Content[0], depth+1)
	case yaml.AliasNode:
		return c.value(n.Alias, depth+1) // an alias of what it stands in ends at maxDepth
	case yaml.SequenceNode:
		v := &value{line: n.Line, isList: true}
		for _, kid := range n.Content {
			e, err := c.value(kid, depth+1)
			if err != nil {
				return nil, err
			}
			v.list = append(v.list, e)
		}
		return v, nil
	case yaml.MappingNode:
		return c.mapping(n, depth)
	}
	return &value{line: n.Line, scalar: n}, nil
}

func (c *converter) mapping(n *yaml.Node, depth int) (*value, error) {
	v := &value{line: n.Line}
	seen := map[string]bool{}
	var merged []*value
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		kid, err := c.value(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		switch {
		case key.Tag == "!!merge":
			sources := []*value{kid}
			if kid.isList {
				sources = kid.list
			}
			merged = append(merged, sources...)
		case key.Kind != yaml.ScalarNode:
			return nil, fmt.Errorf("line %d: want a string as key", key.Line)
		case seen[key.Value]:
			return nil, fmt.Errorf("line %d: duplicate key %q", key.Line, key.Value)
		default:
			seen[key.Value] = true
			v.members = append(v.members, member{key.Value, kid})
		}
	}
	// A member of the mapping itself precedes a merged one, and an earlier merge a later one.
	for _, source := range merged {
		if source.scalar != nil || source.isList {
			return nil, fmt.Errorf("line %d: want a mapping to merge", source.line)
		}
		for _, m := range source.members {
			if !seen[m.name] {
				seen[m.name] = true
				v.members = append(v.members, m)
			}
		}
	}
	return v, nil
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

// at follows names; in protobuf messages each may be in snake_case or in lowerCamelCase, as
// protobuf's JSON mapping has it.
func (v *value) at(names ...string) *value {
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

// number is JSON's grammar (RFC 8259 §6), which every reader of YAML takes for the same number.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// doubtful are plain scalars that one reader of YAML takes for a string and another for a boolean,
// a number, a date or null: Envoy, Kubernetes and this program must read the same configuration.
var doubtful = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|[-+]?\.(inf|nan)|[-+]?[0-9][0-9_]*|[-+]?0[box][0-9a-f_]+|` +
	`[-+]?[0-9_]*\.[0-9_]*(e[-+]?[0-9]+)?|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*)$`)

// appendJSON writes the value as JSON. Scalars must mean the same to every reader of YAML.
func (v *value) appendJSON(dst []byte) ([]byte, error) {
	var err error
	switch {
	case v.scalar != nil:
		return appendScalar(dst, v.scalar)
	case v.isList:
		dst = append(dst, '[')
		for i, e := range v.list {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = e.appendJSON(dst); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	}
	dst = append(dst, '{')
	for i, m := range v.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, m.name), ':')
		if dst, err = m.value.appendJSON(dst); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendScalar(dst []byte, n *yaml.Node) ([]byte, error) {
	plain := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	if tagged := n.Style&yaml.TaggedStyle != 0; tagged && n.Tag != "!!str" {
		return nil, fmt.Errorf("line %d: the tag %s has no place in a configuration", n.Line, n.Tag)
	} else if tagged || !plain {
		return appendText(dst, n.Value), nil
	}
	switch {
	case n.Tag == "!!null":
		return append(dst, "null"...), nil
	case n.Value == "true" || n.Value == "false" || number.MatchString(n.Value):
		return append(dst, n.Value...), nil
	case n.Tag != "!!str" || doubtful.MatchString(n.Value):
		return nil, fmt.Errorf("line %d: readers of YAML disagree about %s: quote it if it is a string", n.Line, n.Value)
	}
	return appendText(dst, n.Value), nil
}

// appendText writes a JSON string.
func appendText(dst []byte, s string) []byte {
	text, _ := json.Marshal(s) // of a string never fails
	return append(dst, text...)
}
