package main

import (
	"fmt"
	"regexp"
	"strings"

	"gatehouse/core/config"
)

var marker = regexp.MustCompile(`(?s)<!-- fields: (\S+) -->\n.*?<!-- end -->`)

// FillTables writes the table of an object's fields between each pair of markers <!-- fields: PATH
// --> and <!-- end -->. PATH leads to the object: "tokens.providers[]", "." for the configuration
// itself. Each object must have its markers, once, and each field an example.
func FillTables(page []byte, root *config.Shape, x examples) ([]byte, error) {
	objects := map[string]*config.Shape{}
	var problem error
	collect(objects, ".", root)
	out := marker.ReplaceAllFunc(page, func(found []byte) []byte {
		path := string(marker.FindSubmatch(found)[1])
		object := objects[path]
		if object == nil {
			problem = fmt.Errorf("config.md has a table of %s that isn't an object's, or has it twice", path)
			return found
		}
		delete(objects, path)
		rows, err := table(path, object, x)
		if err != nil {
			problem = err
		}
		return fmt.Appendf(nil, "<!-- fields: %s -->\n\n%s\n<!-- end -->", path, rows)
	})
	for path := range objects {
		problem = fmt.Errorf("config.md has no table of %s", path)
	}
	return out, problem
}

// collect finds the objects below a path.
func collect(objects map[string]*config.Shape, path string, s *config.Shape) {
	switch s.Type {
	case config.List, config.Map:
		collect(objects, path+"[]", s.Element)
	case config.Either:
		for _, one := range s.Either {
			collect(objects, path, one)
		}
	case config.Object:
		objects[path] = s
		for _, f := range s.Fields {
			collect(objects, join(path, f.Name), f.Shape)
		}
	}
}

func join(path, name string) string {
	if path == "." {
		return name
	}
	return path + "." + name
}

func table(path string, object *config.Shape, x examples) (string, error) {
	var b strings.Builder
	b.WriteString("| field | type and bounds | default | example | what it does |\n|---|---|---|---|---|\n")
	for _, f := range object.Fields {
		fallback := "not set"
		switch {
		case f.Required:
			fallback = "required"
		case f.Default != "":
			fallback = "`" + f.Default + "`"
		}
		example := x[join(path, f.Name)]
		if example == "" {
			return "", fmt.Errorf("examples.json has no example of %s", join(path, f.Name))
		}
		if f.Doc == "" {
			return "", fmt.Errorf("%s isn't documented", join(path, f.Name))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, value(join(path, f.Name), f.Shape), cell(fallback),
			cell("`"+example+"`"), cell(f.Doc))
	}
	return b.String(), nil
}

// value says what a field takes: its type and the bounds of its values.
func value(path string, s *config.Shape) string {
	switch s.Type {
	case config.Text:
		switch {
		case s.Enum != nil:
			return oneOf(s.Enum)
		case s.Format != nil:
			return fmt.Sprintf("string of %s characters: %s", span(s), cell(s.Format.Want))
		}
		return fmt.Sprintf("string of %s characters", span(s))
	case config.Integer:
		return "integer, " + span(s)
	case config.Boolean:
		return "boolean"
	case config.Null:
		return "null"
	case config.List:
		all := ""
		if s.Unique {
			all = ", all different"
		}
		return fmt.Sprintf("list of %s%s: %s", span(s), all, value(path+"[]", s.Element))
	case config.Map:
		return fmt.Sprintf("object of %s names, each a %s: %s", span(s), value(path, s.Names), value(path+"[]", s.Element))
	case config.Either:
		var ways []string
		for _, one := range s.Either {
			ways = append(ways, value(path, one))
		}
		return strings.Join(ways, ", or ")
	}
	return "object `" + path + "`"
}

func span(s *config.Shape) string { return fmt.Sprintf("%d..%d", s.Min, s.Max) }

func oneOf(list []string) string {
	words := "`" + strings.Join(list, "`, `") + "`"
	if len(list) == 1 {
		return words
	}
	return "one of " + words
}

// cell keeps a text from ending its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
