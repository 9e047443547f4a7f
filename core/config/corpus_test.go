package config_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/config"
)

// The corpus is made from docs/config.schema.json alone: it knows nothing of the tables that the
// parser works from.

// node is a schema as JSON has it.
type node = map[string]any

func schemaDocument(t *testing.T) node {
	t.Helper()
	text, err := os.ReadFile("../../docs/config.schema.json")
	require.NoError(t, err)
	var root node
	require.NoError(t, json.Unmarshal(text, &root))
	return root
}

// edges makes a configuration for each bound of each field in the schema: with the last value that
// is allowed, the first that isn't, values of other types, absent and unknown members. wrap puts a
// value for s where s stands, in a configuration that is else minimal.
func edges(s node, wrap func(any) any, emit func(any)) {
	for _, wrong := range []any{nil, true, 7, "x", []any{}, node{}} {
		emit(wrap(wrong))
	}
	for _, one := range alternatives(s) {
		switch one["type"] {
		case "string":
			for _, v := range stringEdges(one) {
				emit(wrap(v))
			}
		case "integer":
			low, high := bound(one, "minimum"), bound(one, "maximum")
			for _, v := range []any{low, high, low - 1, high + 1, float64(low) + 0.5} {
				emit(wrap(v))
			}
		case "array":
			arrayEdges(one, wrap, emit)
		case "object":
			objectEdges(one, wrap, emit)
		}
	}
}

// alternatives are the schemas of which a value may follow one.
func alternatives(s node) []node {
	if s["type"] != nil {
		return []node{s}
	}
	var out []node
	for _, one := range s["oneOf"].([]any) {
		out = append(out, one.(node))
	}
	return out
}

func bound(s node, name string) int {
	n, _ := s[name].(float64)
	return int(n)
}

func stringEdges(s node) (out []any) {
	if enum, ok := s["enum"].([]any); ok {
		return append(slices.Clone(enum), "not "+enum[0].(string), strings.ToUpper(enum[0].(string)), "")
	}
	for _, length := range []int{bound(s, "minLength") - 1, bound(s, "minLength"), bound(s, "maxLength"), bound(s, "maxLength") + 1} {
		if v, ok := stringOf(s, length); ok {
			out = append(out, v)
		}
	}
	return append(out, "a b", "é", "\n", "*")
}

// stringOf returns a string of a length that matches the pattern, if it finds one.
func stringOf(s node, length int) (string, bool) {
	pattern, _ := s["pattern"].(string)
	match := regexp.MustCompile(pattern)
	for _, sample := range []string{"", "a", "A", "/a", "a-", "https://a/a", "https://a"} {
		for at := range len(sample) + 1 {
			for _, filler := range []string{"a", "A"} {
				v := sample[:at] + strings.Repeat(filler, max(0, length-len(sample))) + sample[at:]
				if len(v) == length && match.MatchString(v) {
					return v, true
				}
			}
		}
	}
	return "", false
}

func arrayEdges(s node, wrap func(any) any, emit func(any)) {
	items := s["items"].(node)
	edges(items, func(v any) any {
		list := []any{v}
		for i := 1; i < bound(s, "minItems"); i++ {
			list = append(list, minimal(items, i))
		}
		return wrap(list)
	}, emit)
	for _, length := range []int{bound(s, "minItems") - 1, bound(s, "minItems"), bound(s, "maxItems"), bound(s, "maxItems") + 1} {
		var list []any
		for i := range length {
			list = append(list, minimal(items, i))
		}
		if length >= 0 {
			emit(wrap(list))
		}
	}
	emit(wrap([]any{minimal(items, 0), minimal(items, 0)}))
}

func objectEdges(s node, wrap func(any) any, emit func(any)) {
	emit(wrap(minimal(s, 0)))
	if names, ok := s["propertyNames"].(node); ok {
		mapEdges(s, names, wrap, emit)
		return
	}
	unknown := minimal(s, 0).(node)
	unknown["unknown"] = 1
	emit(wrap(unknown))
	properties := s["properties"].(node)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		with := func(v any) any {
			object := minimalWith(s, name)
			object[name] = v
			return wrap(object)
		}
		edges(properties[name].(node), with, emit)
		without := minimal(s, 0).(node)
		delete(without, name)
		emit(wrap(without))
		both := minimal(s, 0).(node) // perhaps of two branches
		both[name] = minimal(properties[name].(node), 0)
		emit(wrap(both))
	}
}

func mapEdges(s, names node, wrap func(any) any, emit func(any)) {
	element := s["additionalProperties"].(node)
	edges(element, func(v any) any { return wrap(node{"a": v}) }, emit)
	for _, name := range stringEdges(names) {
		emit(wrap(node{name.(string): minimal(element, 0)}))
	}
	for _, size := range []int{bound(s, "minProperties") - 1, bound(s, "minProperties"), bound(s, "maxProperties"), bound(s, "maxProperties") + 1} {
		object := node{}
		for i := range size {
			object[fmt.Sprint("a", i)] = minimal(element, 0)
		}
		if size >= 0 {
			emit(wrap(object))
		}
	}
}

// minimal returns a small value that a schema allows. Values for different i differ, where that is
// possible.
func minimal(s node, i int) any {
	s = alternatives(s)[0]
	switch s["type"] {
	case "integer":
		return min(bound(s, "minimum")+i, bound(s, "maximum"))
	case "boolean":
		return i%2 == 0
	case "array":
		list := []any{}
		for j := range bound(s, "minItems") {
			list = append(list, minimal(s["items"].(node), i+j))
		}
		return list
	case "object":
		return minimalWith(s, "")
	case "string":
		if enum, ok := s["enum"].([]any); ok {
			return enum[i%len(enum)]
		}
		for length := max(1, bound(s, "minLength")); length <= bound(s, "maxLength"); length++ {
			if v, ok := stringOf(s, length); ok {
				return numbered(s, v, i)
			}
		}
	}
	return nil
}

// numbered puts a number into a string where the pattern takes one.
func numbered(s node, text string, i int) string {
	if i == 0 {
		return text
	}
	pattern, _ := s["pattern"].(string)
	match := regexp.MustCompile(pattern)
	for at := len(text); at >= 0; at-- {
		if v := text[:at] + fmt.Sprint(i) + text[at:]; match.MatchString(v) {
			return v
		}
	}
	return text
}

// minimalWith returns an object with the members that are required where the named one stands.
func minimalWith(s node, name string) node {
	object := node{}
	properties, _ := s["properties"].(node)
	required := stringsOf(s["required"])
	for _, branch := range list(s["oneOf"]) {
		if forbidden, _ := branch.(node)["properties"].(node); forbidden[name] != false {
			required = append(required, stringsOf(branch.(node)["required"])...)
			break
		}
	}
	for _, r := range required {
		object[r] = minimal(properties[r].(node), 0)
	}
	names := slices.Sorted(maps.Keys(properties))
	for i := 0; len(object) < bound(s, "minProperties") && i < len(names); i++ {
		object[names[i]] = minimal(properties[names[i]].(node), 0)
	}
	if element, ok := s["additionalProperties"].(node); ok {
		for i := range bound(s, "minProperties") {
			object[fmt.Sprint("a", i)] = minimal(element, 0)
		}
	}
	return object
}

func list(v any) []any { l, _ := v.([]any); return l }

func stringsOf(v any) (out []string) {
	for _, s := range list(v) {
		out = append(out, s.(string))
	}
	return out
}

// anyAllowed draws a value that a schema allows.
func anyAllowed(t *rapid.T, s node) any {
	s = rapid.SampledFrom(alternatives(s)).Draw(t, "alternative")
	switch s["type"] {
	case "boolean":
		return rapid.Bool().Draw(t, "boolean")
	case "integer":
		return rapid.IntRange(bound(s, "minimum"), bound(s, "maximum")).Draw(t, "integer")
	case "string":
		return allowedString(t, s)
	case "array":
		most := min(bound(s, "maxItems"), bound(s, "minItems")+2)
		element := rapid.Custom(func(t *rapid.T) any { return anyAllowed(t, s["items"].(node)) })
		if s["uniqueItems"] == true {
			return rapid.SliceOfNDistinct(element, bound(s, "minItems"), most, func(v any) string { return fmt.Sprint(v) }).Draw(t, "list")
		}
		return rapid.SliceOfN(element, bound(s, "minItems"), most).Draw(t, "list")
	case "object":
		return allowedObject(t, s)
	}
	return nil
}

func allowedString(t *rapid.T, s node) string {
	if enum, ok := s["enum"].([]any); ok {
		return rapid.SampledFrom(enum).Draw(t, "word").(string)
	}
	text := rapid.StringN(bound(s, "minLength"), min(8, bound(s, "maxLength")), -1)
	if pattern, ok := s["pattern"].(string); ok {
		text = rapid.StringMatching(pattern)
	}
	least, most := bound(s, "minLength"), bound(s, "maxLength")
	return text.Filter(func(v string) bool { n := len([]rune(v)); return n >= least && n <= most }).Draw(t, "text")
}

func allowedObject(t *rapid.T, s node) node {
	properties, _ := s["properties"].(node)
	names := slices.Sorted(maps.Keys(properties))
	with := ""
	if len(names) > 0 {
		with = rapid.SampledFrom(names).Draw(t, "with")
	}
	object := minimalWith(s, with)
	var forbidden node
	for _, branch := range list(s["oneOf"]) {
		if f, _ := branch.(node)["properties"].(node); f[with] != false {
			forbidden = f
			break
		}
	}
	for _, name := range names {
		if _, there := object[name]; there || forbidden[name] != false && rapid.IntRange(0, 3).Draw(t, "there") == 0 {
			object[name] = anyAllowed(t, properties[name].(node))
		}
	}
	if element, ok := s["additionalProperties"].(node); ok {
		for name := range object {
			object[name] = anyAllowed(t, element)
		}
	}
	return object
}

func TestSchemaAndParserAgreeOnEveryBoundOfTheSchema(t *testing.T) {
	s := schema(t)
	seen := map[string]bool{}
	allowed := 0
	edges(schemaDocument(t), func(v any) any { return v }, func(v any) {
		doc, err := json.Marshal(v)
		require.NoError(t, err)
		if len(doc) > config.MaxBytes || seen[string(doc)] {
			return
		}
		seen[string(doc)] = true
		same, byParser, bySchema := agree(s, doc)
		assert.True(t, same, "%.300s\nschema: %v\nparser: %v", doc, bySchema, byParser)
		if bySchema == nil {
			allowed++
		}
	})
	t.Logf("%d configurations, of which the schema allows %d", len(seen), allowed)
	assert.Greater(t, allowed, 250)
	assert.Greater(t, len(seen)-allowed, 1000)
}

func TestSchemaAndParserAgreeOnConfigurationsMadeFromTheSchema(t *testing.T) {
	const made = 1000
	s, root := schema(t), schemaDocument(t)
	secret := func(string) (string, bool) { return strings.Repeat("QUJD", 16), true }
	seen := map[string]bool{}
	taken, mutants, refused := 0, 0, 0
	allowed := rapid.Custom(func(t *rapid.T) []any {
		v := anyAllowed(t, root)
		doc, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return []any{doc, mutate(t, v)}
	})
	for seed := range made {
		pair := allowed.Example(seed)
		doc := pair[0].([]byte)
		seen[string(doc)] = true
		same, byParser, bySchema := agree(s, doc)
		require.NoError(t, bySchema, "%s", doc)
		require.True(t, same, "%s\nparser: %v", doc, byParser)
		if _, err := config.Parse(doc, secret); err == nil {
			taken++
		}

		mutant, err := json.Marshal(pair[1])
		require.NoError(t, err)
		mutants++
		same, byParser, bySchema = agree(s, mutant)
		require.True(t, same, "%s\nschema: %v\nparser: %v", mutant, bySchema, byParser)
		if bySchema != nil {
			refused++
		}
	}
	t.Logf("%d different configurations, of which %d pass the rules across fields too; %d mutants, %d refused", len(seen), taken, mutants, refused)
	assert.Greater(t, len(seen), 500)
	assert.Greater(t, refused, 100)
}
