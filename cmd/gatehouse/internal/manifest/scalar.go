package manifest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

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
		return v.appendScalar(dst)
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

func (v *value) appendScalar(dst []byte) ([]byte, error) {
	n := v.scalar
	plain := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	if tagged := n.Style&yaml.TaggedStyle != 0; tagged && n.Tag != "!!str" {
		return nil, v.src.failure(v.at, "the tag "+n.Tag+" has no place in a configuration")
	} else if tagged || !plain {
		return appendText(dst, n.Value), nil
	}
	switch {
	case n.Tag == "!!null":
		return append(dst, "null"...), nil
	case n.Value == "true" || n.Value == "false" || number.MatchString(n.Value):
		return append(dst, n.Value...), nil
	case n.Tag != "!!str" || doubtful.MatchString(n.Value):
		return nil, v.src.failure(v.at, "readers of YAML disagree about "+shown(n.Value)+": quote it if it is a string")
	}
	return appendText(dst, n.Value), nil
}

// appendText writes a JSON string.
func appendText(dst []byte, s string) []byte {
	text, _ := json.Marshal(s) // of a string never fails
	return append(dst, text...)
}

// shown is a doubtful scalar for an error. A number may be a secret.
func shown(text string) string {
	if strings.IndexFunc(text, unicode.IsDigit) < 0 {
		return text
	}
	return fmt.Sprintf("a number or date of %d characters", len(text))
}
