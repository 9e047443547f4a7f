package lint

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// variables finds texts that somebody expects to be replaced.
func variables(config []byte) (out []Warning) {
	var root any
	if json.Unmarshal(config, &root) != nil {
		return nil
	}
	var visit func(path string, v any)
	visit = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				visit(strings.TrimPrefix(path+"."+name, "."), v[name])
			}
		case []any:
			for i, kid := range v {
				visit(indexed(path, i), kid)
			}
		case string:
			if variable.MatchString(v) {
				out = append(out, Warning{path, "variables aren't replaced here: " + replaceFirst})
			}
		}
	}
	visit("", root)
	return out
}

var variable = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*(:?-[^}]*)?\}|\$\([A-Z_][A-Z0-9_]*\)`)
