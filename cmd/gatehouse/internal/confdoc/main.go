// Command confdoc writes what is generated from the configuration's table of fields:
// docs/config.schema.json, the tables in docs/config.md, and the configuration's part in the Helm
// chart's schema. `go generate ./cmd/gatehouse/internal/confdoc` runs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"gatehouse/core/config"
)

//go:generate go run .

// docs is where `go generate` and `go test`, which run in this directory, find the files.
const docs = "../../../../docs"

const chart = "../deploy/helm/gatehouse/values.schema.json" // from docs

func main() {
	if err := generate(); err != nil {
		fmt.Fprintln(os.Stderr, "confdoc:", err)
		os.Exit(1)
	}
}

// generate brings the files up to date.
func generate() error {
	files, err := render()
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(docs, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// render gives the content that the files should have, by their names from docs.
func render() (map[string][]byte, error) {
	x, err := findExamples(config.Fields())
	if err != nil {
		return nil, err
	}
	schema, err := Schema(config.Fields(), x)
	if err != nil {
		return nil, err
	}
	page, err := os.ReadFile(filepath.Join(docs, "config.md"))
	if err != nil {
		return nil, err
	}
	page, err = FillTables(page, config.Fields(), x)
	if err != nil {
		return nil, err
	}
	values, err := os.ReadFile(filepath.Join(docs, chart))
	if err != nil {
		return nil, err
	}
	values, err = ChartSchema(values, schema)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"config.schema.json": schema, "config.md": page, chart: values}, nil
}
