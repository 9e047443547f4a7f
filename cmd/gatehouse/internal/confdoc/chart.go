package main

import (
	"bytes"
	"encoding/json"
)

// ChartSchema puts the configuration's schema into the Helm chart's schema of values, which is
// written by hand but for that.
func ChartSchema(values, config []byte) ([]byte, error) {
	var of, part map[string]any
	if err := json.Unmarshal(values, &of); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(config, &part); err != nil {
		return nil, err
	}
	delete(part, "$schema")
	of["properties"].(map[string]any)["config"] = part
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(of)
	return b.Bytes(), err
}
