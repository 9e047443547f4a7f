package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/config"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("../../docs/config.schema.json")
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("config.schema.json", doc))
	s, err := c.Compile("config.schema.json")
	require.NoError(t, err)
	return s
}

// agree compares the verdicts of schema and parser on a document's shape.
func agree(s *jsonschema.Schema, doc []byte) (same bool, byParser config.Problems, bySchema error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return true, nil, err // not JSON: the schema has no say
	}
	bySchema = s.Validate(value)
	byParser = config.ShapeProblems(doc)
	return (bySchema == nil) == (len(byParser) == 0), byParser, bySchema
}

func TestSchemaAndParserAgreeOnTheMalformedConfigurations(t *testing.T) {
	s := schema(t)
	beyond := 0 // refused by a rule that the schema can't say
	for _, c := range refused {
		if len(c.doc) > config.MaxBytes || !json.Valid([]byte(c.doc)) || strings.Count(c.doc, "{") > 30 && strings.Contains(c.doc, `{"a":{"a"`) {
			continue // size, syntax and depth are no business of a schema
		}
		same, byParser, bySchema := agree(s, []byte(c.doc))
		assert.True(t, same, "%.300s\nschema: %v\nparser: %v", c.doc, bySchema, byParser)
		if bySchema == nil {
			beyond++
		}
	}
	assert.Greater(t, beyond, 20)
}

func TestSchemaAndParserAgreeOnMutatedConfigurations(t *testing.T) {
	s := schema(t)
	valid := []byte(everything)
	same, byParser, bySchema := agree(s, valid)
	require.True(t, same)
	require.NoError(t, bySchema)
	require.Empty(t, byParser)
	refusals := 0
	rapid.Check(t, func(t *rapid.T) {
		var doc any
		d := json.NewDecoder(bytes.NewReader(valid))
		d.UseNumber()
		if err := d.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 3).Draw(t, "mutations") {
			doc = mutate(t, doc)
		}
		mutant, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		same, byParser, bySchema := agree(s, mutant)
		if !same {
			t.Fatalf("%s\nschema: %v\nparser: %v", mutant, bySchema, byParser)
		}
		if bySchema != nil {
			refusals++
		}
	})
	assert.Positive(t, refusals)
}

// TestTheCorpusHasEveryField keeps the documents that are mutated complete.
func TestTheCorpusHasEveryField(t *testing.T) {
	var doc any
	require.NoError(t, json.Unmarshal([]byte(everything), &doc))
	var missing []string
	fieldsWithout(config.Fields(), []any{doc}, "", &missing)
	for _, m := range missing {
		t.Error("no document has " + m)
	}
}

// fieldsWithout lists the fields below a shape that none of the values has.
func fieldsWithout(s *config.Shape, values []any, path string, missing *[]string) {
	for _, f := range s.Fields {
		var found []any
		for _, v := range values {
			if object, ok := v.(map[string]any); ok {
				if member, ok := object[f.Name]; ok {
					found = append(found, member)
				}
			}
		}
		if found == nil {
			*missing = append(*missing, path+"."+f.Name)
			continue
		}
		fieldsWithout(f.Shape, found, path+"."+f.Name, missing)
	}
	if s.Element != nil && s.Type == config.List {
		var elements []any
		for _, v := range values {
			if list, ok := v.([]any); ok {
				elements = append(elements, list...)
			}
		}
		fieldsWithout(s.Element, elements, path+"[]", missing)
	}
	for _, one := range s.Either {
		if one.Type == config.Object || one.Type == config.List {
			fieldsWithout(one, values, path, missing)
		}
	}
}

// mutate changes one place of a document.
func mutate(t *rapid.T, v any) any {
	if rapid.IntRange(0, 5).Draw(t, "stop") == 0 {
		return replacement(t)
	}
	switch v := v.(type) {
	case map[string]any:
		names := sortedNames(v)
		switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
		case op == 0:
			v[rapid.SampledFrom(fieldNames).Draw(t, "add")] = replacement(t)
		case op == 1 && len(names) > 0:
			delete(v, rapid.SampledFrom(names).Draw(t, "remove"))
		case len(names) > 0:
			name := rapid.SampledFrom(names).Draw(t, "descend")
			v[name] = mutate(t, v[name])
		}
		return v
	case []any:
		switch op := rapid.IntRange(0, 5).Draw(t, "op"); {
		case op == 0:
			return append(v, replacement(t))
		case op == 1 && len(v) > 0:
			return append(v, v[rapid.IntRange(0, len(v)-1).Draw(t, "twice")])
		case op == 2 && len(v) > 0:
			return v[:len(v)-1]
		case len(v) > 0:
			i := rapid.IntRange(0, len(v)-1).Draw(t, "index")
			v[i] = mutate(t, v[i])
		}
		return v
	}
	return replacement(t)
}

func sortedNames(v map[string]any) []string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var fieldNames = []string{"name", "jwks", "claims_from", "inline", "cluster", "uri", "refresh_seconds", "windows", "max_requests",
	"window_seconds", "scheme", "header", "cookie", "algorithms", "types", "any_of", "claims", "caller", "skip_rate_limits", "rate_limits", "unsafe_paths", "path_case", "cors_preflight",
	"scopes_all", "groups_any", "apply", "when", "unknown", "", "a.b", strings.Repeat("n", 257)}

func replacement(t *rapid.T) any {
	number := rapid.SampledFrom([]json.Number{"-1", "0", "1", "2", "5", "9", "10", "16", "32", "33", "60", "61", "64", "128", "129", "300", "301",
		"3600", "3601", "65536", "65537", "86400", "86401", "262145", "604801", "1000000", "1000001", "1000000000", "1000000001", "1.0", "1.5", "6e1"})
	text := rapid.SampledFrom([]string{"", "a", "ä", "none", "enforce", "any", "human", "RS256", "HS256", "none", "/a", "a b", "GET", "get", "*", "ignore", "allow", "semicolon", "encoded_slash", "pass", "machine", "anonymous",
		"https://a/b", "https://a", "x-", "X-", strings.Repeat("é", 64), strings.Repeat("é", 65), strings.Repeat("a", 256), strings.Repeat("a", 257),
		"/" + strings.Repeat("a", 1023), "/" + strings.Repeat("a", 1024), strings.Repeat("a", 2049), "1A", "A_1"})
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2, 3:
		return number.Draw(t, "number")
	case 4, 5:
		return text.Draw(t, "text")
	case 6:
		out := []any{}
		for range rapid.SampledFrom([]int{0, 1, 4, 5, 16, 17, 64, 65}).Draw(t, "length") {
			out = append(out, text.Draw(t, "element"))
		}
		return out
	}
	return map[string]any{rapid.SampledFrom(fieldNames).Draw(t, "member"): text.Draw(t, "value")}
}
