package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"gatehouse/core/config"
)

// examplesJSON has whole configurations, which the parser takes. The example of a field is the
// value that it has in one of them.
//
//go:embed examples.json
var examplesJSON []byte

// examples are values by the path of their field: the first that is found.
type examples map[string]string

// findExamples collects the examples of all fields.
func findExamples(root *config.Shape) (examples, error) {
	var docs []json.RawMessage
	if err := json.Unmarshal(examplesJSON, &docs); err != nil {
		return nil, fmt.Errorf("examples.json: %w", err)
	}
	found := examples{}
	for _, doc := range docs {
		found.collect(".", root, doc)
	}
	return found, nil
}

// collect walks a value beside its shape.
func (x examples) collect(path string, s *config.Shape, value json.RawMessage) {
	switch s.Type {
	case config.List:
		var elements []json.RawMessage
		if json.Unmarshal(value, &elements) == nil {
			for _, e := range elements {
				x.collect(path+"[]", s.Element, e)
			}
		}
	case config.Map:
		for _, e := range members(value) {
			x.collect(path+"[]", s.Element, e)
		}
	case config.Either:
		for _, one := range s.Either {
			x.collect(path, one, value)
		}
	case config.Object:
		object := members(value)
		for _, f := range s.Fields {
			if v, ok := object[f.Name]; ok {
				x.add(join(path, f.Name), v)
				x.collect(join(path, f.Name), f.Shape, v)
			}
		}
	}
}

// members are those of an object; none of another value.
func members(value json.RawMessage) (object map[string]json.RawMessage) {
	if json.Unmarshal(value, &object) != nil {
		return nil
	}
	return object
}

func (x examples) add(path string, value json.RawMessage) {
	var compact bytes.Buffer
	if _, known := x[path]; known || json.Compact(&compact, value) != nil {
		return
	}
	x[path] = compact.String()
}
