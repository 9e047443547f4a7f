package manifest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var column = regexp.MustCompile(`column [0-9]+`)

// convert gives the JSON of a single YAML document.
func convert(text string) (string, error) {
	docs, err := documents(fileSource(text))
	if err != nil {
		return "", err
	}
	if len(docs) != 1 {
		return "", fmt.Errorf("%d documents", len(docs))
	}
	out, err := docs[0].appendJSON(nil)
	return string(out), err
}

func TestYAMLBecomesJSON(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb: -1.5e3\nc: 0":                                `{"a":1,"b":-1.5e3,"c":0}`,
		"a: ~\nb:\nc: null":                                    `{"a":null,"b":null,"c":null}`,
		"a: true\nb: \"true\"\nc: 'no'\nd: !!str 5":            `{"a":true,"b":"true","c":"no","d":"5"}`,
		"- a\n- [b, {c: d}]":                                   `["a",["b",{"c":"d"}]]`,
		"a: |\n  two\n  lines\nb: >\n  one\n  line":            `{"a":"two\nlines\n","b":"one line"}`,
		"a: 127.0.0.1:80\nb: 1.2.3\nc: 5s\nd: 0.5x":            `{"a":"127.0.0.1:80","b":"1.2.3","c":"5s","d":"0.5x"}`,
		"1: a\nfalse: b":                                       `{"1":"a","false":"b"}`,
		"a: &x {b: 1}\nc: *x":                                  `{"a":{"b":1},"c":{"b":1}}`,
		"a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}":                `{"a":{"b":1,"c":2},"d":{"c":3,"b":1}}`,
		"x: &x {b: 1}\ny: &y {b: 2, c: 2}\nd:\n  <<: [*x, *y]": `{"x":{"b":1},"y":{"b":2,"c":2},"d":{"b":1,"c":2}}`,
		"a: /users/*/avatar\nb: \"\\u00e9<\"":                  `{"a":"/users/*/avatar","b":"é\u003c"}`,
	} {
		got, err := convert(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, strings.ReplaceAll(got, "<", `\u003c`), text)
	}
}

func TestYAMLThatReadersDisagreeAboutIsRefused(t *testing.T) {
	const quote = ": quote it if it is a string"
	for text, want := range map[string]string{
		"a: 1\nb: 2\na: 3":       `line 3, column C: duplicate key "a"`,
		"x:\n  {a: 1, a: 2}":     `line 2, column C: duplicate key "a"`,
		"a: yes":                 "line 1, column C: readers of YAML disagree about yes" + quote,
		"a: Off":                 "line 1, column C: readers of YAML disagree about Off" + quote,
		"a: n":                   "line 1, column C: readers of YAML disagree about n" + quote,
		"a: True":                "line 1, column C: readers of YAML disagree about True" + quote,
		"a: 010":                 "line 1, column C: readers of YAML disagree about a number or date of 3 characters" + quote,
		"a: 08":                  "line 1, column C: readers of YAML disagree about a number or date of 2 characters" + quote,
		"a: 0o10":                "line 1, column C: readers of YAML disagree about a number or date of 4 characters" + quote,
		"a: 0x1F":                "line 1, column C: readers of YAML disagree about a number or date of 4 characters" + quote,
		"a: 1_000":               "line 1, column C: readers of YAML disagree about a number or date of 5 characters" + quote,
		"a: +5":                  "line 1, column C: readers of YAML disagree about a number or date of 2 characters" + quote,
		"a: .5":                  "line 1, column C: readers of YAML disagree about a number or date of 2 characters" + quote,
		"a: 5.":                  "line 1, column C: readers of YAML disagree about a number or date of 2 characters" + quote,
		"a: -.inf":               "line 1, column C: readers of YAML disagree about -.inf" + quote,
		"a: .NaN":                "line 1, column C: readers of YAML disagree about .NaN" + quote,
		"a: 12:30":               "line 1, column C: readers of YAML disagree about a number or date of 5 characters" + quote,
		"a: 2026-01-31":          "line 1, column C: readers of YAML disagree about a number or date of 10 characters" + quote,
		"a: !!binary aGk=":       "line 1, column C: the tag !!binary has no place in a configuration",
		"a: !env HMAC":           "line 1, column C: the tag !env has no place in a configuration",
		"? [1]\n: 2":             "line 1, column C: want a string as key",
		"<<: [1]":                "line 1, column C: want a mapping to merge",
		"a: &x [1, *x]":          "line 1, column C: too many or too deeply nested values",
		"a: [":                   "line 1: not YAML: did not find expected node content",
		strings.Repeat("[", 300): "", // whatever the decoder says
	} {
		_, err := convert(text)
		require.Error(t, err, text)
		if want != "" {
			assert.Equal(t, want, column.ReplaceAllString(err.Error(), "column C"), text)
		}
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestAliasesCannotMultiplyWithoutBound(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		refs := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ",")
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, refs)
	}
	_, err := convert(b.String())
	assert.ErrorContains(t, err, "too many or too deeply nested values")
}

func TestJSONIsYAML(t *testing.T) {
	text := rapid.StringOf(rapid.RuneFrom([]rune("aZ9 .:-#&*!|>'\"\\{}[],%@`~\n\té€😀")))
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		return rapid.Custom(func(t *rapid.T) any {
			switch n := rapid.IntRange(0, 7).Draw(t, "kind"); {
			case n == 0:
				return nil
			case n == 1:
				return rapid.Bool().Draw(t, "bool")
			case n == 2:
				return float64(rapid.IntRange(-1e9, 1e9).Draw(t, "int"))
			case n == 3:
				return rapid.Float64Range(-1e6, 1e6).Draw(t, "float")
			case n <= 5 || depth == 0:
				return text.Draw(t, "text")
			case n == 6:
				return rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "list")
			}
			return rapid.MapOfN(text, value(depth-1), 0, 4).Draw(t, "object")
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		want, err := json.Marshal(value(3).Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := convert(string(want))
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		assert.JSONEq(t, string(want), got)
	})
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{bare, envoy(stringValue), envoy(structForm), istio, gateway, "a: &x [*x]", "<<: {a: b}", "{\"routes\": 1", "--- a\n--- b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		plugins, err := Read(text)
		if err == nil && len(plugins) == 0 {
			t.Fatal("neither plugins nor an error")
		}
		for _, p := range plugins {
			if p.Config == nil && len(p.Errors) == 0 {
				t.Fatalf("%+v", p)
			}
		}
	})
}
