package main

import (
	"bytes"
	"encoding/json"
	"slices"

	"gatehouse/core/config"
)

// schema is the part of JSON Schema 2020-12 that a configuration needs.
type schema struct {
	Schema               string            `json:"$schema,omitempty"`
	Title                string            `json:"title,omitempty"`
	Description          string            `json:"description,omitempty"`
	Type                 string            `json:"type,omitempty"`
	Enum                 []string          `json:"enum,omitempty"`
	Pattern              string            `json:"pattern,omitempty"`
	MinLength            *int64            `json:"minLength,omitempty"`
	MaxLength            *int64            `json:"maxLength,omitempty"`
	Minimum              *int64            `json:"minimum,omitempty"`
	Maximum              *int64            `json:"maximum,omitempty"`
	MinItems             *int64            `json:"minItems,omitempty"`
	MaxItems             *int64            `json:"maxItems,omitempty"`
	UniqueItems          bool              `json:"uniqueItems,omitempty"`
	Items                *schema           `json:"items,omitempty"`
	MinProperties        *int64            `json:"minProperties,omitempty"`
	MaxProperties        *int64            `json:"maxProperties,omitempty"`
	PropertyNames        *schema           `json:"propertyNames,omitempty"`
	Properties           map[string]schema `json:"properties,omitempty"`
	AdditionalProperties any               `json:"additionalProperties,omitempty"` // false, or a schema
	Required             []string          `json:"required,omitempty"`
	OneOf                []any             `json:"oneOf,omitempty"`
	Default              json.RawMessage   `json:"default,omitempty"`
	Examples             []json.RawMessage `json:"examples,omitempty"`
}

// choice is a branch of oneOf: what it requires, and what belongs to other branches.
type choice struct {
	Required   []string        `json:"required"`
	Properties map[string]bool `json:"properties"` // false: must not be there
}

// Schema is the JSON Schema of a configuration. It knows shapes; what depends on several fields at
// once is the parser's alone.
func Schema(root *config.Shape, x examples) ([]byte, error) {
	s := schemaOf(".", root, x)
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Gatehouse's configuration"
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(s)
	return out.Bytes(), err
}

func schemaOf(path string, s *config.Shape, x examples) schema {
	switch s.Type {
	case config.Text:
		out := schema{Type: "string", Enum: s.Enum}
		if s.Enum == nil {
			out.MinLength, out.MaxLength = &s.Min, &s.Max
		}
		if s.Format != nil {
			out.Pattern = s.Format.Pattern
		}
		return out
	case config.Integer:
		return schema{Type: "integer", Minimum: &s.Min, Maximum: &s.Max}
	case config.Boolean:
		return schema{Type: "boolean"}
	case config.Null:
		return schema{Type: "null"}
	case config.List:
		items := schemaOf(path+"[]", s.Element, x)
		return schema{Type: "array", MinItems: &s.Min, MaxItems: &s.Max, UniqueItems: s.Unique, Items: &items}
	case config.Map:
		names := schemaOf(path, s.Names, x)
		return schema{Type: "object", MinProperties: &s.Min, MaxProperties: &s.Max, PropertyNames: &names,
			AdditionalProperties: schemaOf(path+"[]", s.Element, x)}
	case config.Either:
		var out schema
		for _, one := range s.Either {
			out.OneOf = append(out.OneOf, schemaOf(path, one, x))
		}
		return out
	}
	return objectSchema(path, s, x)
}

func objectSchema(path string, s *config.Shape, x examples) schema {
	out := schema{Type: "object", Properties: map[string]schema{}}
	if s.Min > 0 {
		out.MinProperties = &s.Min
	}
	if !s.Open {
		out.AdditionalProperties = false
	}
	for _, f := range s.Fields {
		field := schemaOf(join(path, f.Name), f.Shape, x)
		field.Description = f.Doc
		if example := x[join(path, f.Name)]; example != "" {
			field.Examples = []json.RawMessage{json.RawMessage(example)}
		}
		if f.Default != "" {
			field.Default = json.RawMessage(f.Default)
		}
		out.Properties[f.Name] = field
		if f.Required {
			out.Required = append(out.Required, f.Name)
		}
	}
	for i, c := range s.Choices {
		branch := choice{Required: c.Need, Properties: map[string]bool{}}
		for j, other := range s.Choices {
			if i == j {
				continue
			}
			for _, name := range append(append([]string{}, other.Need...), other.Also...) {
				if !slices.Contains(c.Need, name) && !slices.Contains(c.Also, name) {
					branch.Properties[name] = false
				}
			}
		}
		out.OneOf = append(out.OneOf, branch)
	}
	return out
}
