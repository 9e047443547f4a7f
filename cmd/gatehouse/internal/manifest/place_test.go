package manifest

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// marked is a text without its mark ▸, and the place where the mark was.
func marked(t *testing.T, text string) (string, Place) {
	t.Helper()
	before, after, found := strings.Cut(text, "▸")
	require.True(t, found, text)
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return before + after, Place{strings.Count(before, "\n") + 1, utf8.RuneCountInString(line) + 1}
}

func TestAnErrorHasItsPlaceInTheFile(t *testing.T) {
	inEnvoy := func(scalar string) string {
		return envoy(`{"@type": type.googleapis.com/google.protobuf.StringValue, value: ` + scalar + `}`)
	}
	inBlock := func(text string) string {
		return envoy("\n                  \"@type\": type.googleapis.com/google.protobuf.StringValue\n                  value: |\n                    " +
			strings.ReplaceAll(text, "\n", "\n                    "))
	}
	const object = "{\n  \"routes\": [\n    {\"path\": \"/é\", \"auth\": ▸5}\n  ]\n}"
	for name, test := range map[string]struct{ text, path, message string }{
		"bare JSON":                       {object, "routes[0].auth", "want"},
		"bare JSON with tabs":             {"{\n\t\"routes\":\t[{\"path\": ▸1}]}", "routes[0].path", "want"},
		"bare YAML":                       {"routes:\n- path: /**\n  auth: ▸nein\n", "routes[0].auth", "want"},
		"a field that is missing":         {"routes:\n- ▸auth: none\n", "routes[0].path", "required"},
		"a field that is unknown":         {"routes:\n- path: /**\n  ▸oauth: none\n", "routes[0].oauth", "unknown field, want"},
		"a duplicate key":                 {`{"routes": [], ▸"routes": []}`, "routes", "duplicate key"},
		"malformed JSON":                  {"{\"routes\":\n \"é\" ▸x}", "line 2, column 7", "not JSON"}, // the parser counts bytes
		"a quoted name":                   {"tokens:\n  providers:\n  - claims: {\"a b\": ▸1}\n", `tokens.providers[0].claims["a b"]`, "want"},
		"an alias":                        {"x: &x\n  y: ▸1\nroutes: *x\n", "routes.y", "want"},
		"a block in envoy.yaml":           {inBlock(object), "routes[0].auth", "want"},
		"malformed in a block":            {inBlock("{\"routes\": [\n▸]]}"), "line 2, column 1", "not JSON"},
		"single quotes in envoy.yaml":     {inEnvoy(`'{"routes": [{"path": "/it''s", "auth": ▸5}]}'`), "routes[0].auth", "want"},
		"double quotes in envoy.yaml":     {inEnvoy(`"{\"routes\": [\n{\"path\": \"/\u00e9\", \"auth\": ▸5}]}"`), "routes[0].auth", "want"},
		"a folded block: where it begins": {envoy("{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: ▸'{\"routes\":\n                       [{\"path\": 1}]}'}"), "routes[0].path", "want"},
		"base64: where it begins":         {inBytes("▸", `{"routes": [{"path": 1}]}`), "routes[0].path", "want"},
		"a file in a ConfigMap": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  envoy.yaml: |\n    " +
			strings.ReplaceAll(strings.TrimSpace(inBlock(object)), "\n", "\n    "), "routes[0].auth", "want"},
		"an Istio plugin": {strings.Replace(istio, "auth: none", "auth: ▸nein", 1), "routes[0].auth", "want"},
	} {
		t.Run(name, func(t *testing.T) {
			text, want := marked(t, test.text)
			p := read(t, text)
			assert.Equal(t, want, p.Place(test.path, test.message))
		})
	}
}

// inBytes is an envoy.yaml with a BytesValue, after a mark.
func inBytes(mark, text string) string {
	return envoy(`{"@type": type.googleapis.com/google.protobuf.BytesValue, value: ` + mark + base64.StdEncoding.EncodeToString([]byte(text)) + `}`)
}

func TestAFindingAboutThePluginHasItsPlace(t *testing.T) {
	for _, text := range []string{
		envoy(stringValue, "failure_policy: ▸FAIL_OPEN"),
		strings.Replace(istio, "phase: AUTHZ", "failStrategy: ▸FAIL_OPEN", 1),
		strings.Replace(istio, "auth: none", "auth: ▸no", 1),
	} {
		text, want := marked(t, text)
		p := read(t, text)
		require.Len(t, p.Errors, 1)
		assert.Equal(t, want, p.Errors[0].Place)
	}
}

func TestAPathOfTheParserIsTakenApart(t *testing.T) {
	for path, want := range map[string][]step{
		"":                             nil,
		"routes":                       {{name: "routes"}},
		"a[0].b[12]":                   {{name: "a"}, {index: 0}, {name: "b"}, {index: 12}},
		`claims["a.b[0]\""].c`:         {{name: "claims"}, {name: `a.b[0]"`}, {name: "c"}},
		`["cut"…].x`:                   {{name: "cut"}, {name: "x"}},
		"environment variable X":       {{name: "environment variable X"}},
		"a[x]":                         {{name: "a"}},
		"a[-1]":                        {{name: "a"}},
		"..":                           nil,
		"a[99999999999999999999].then": {{name: "a"}},
	} {
		assert.Equal(t, want, split(path), path)
	}
}

func FuzzPlaceIsInTheFile(f *testing.F) {
	f.Add(`{"routes": [{"path": 1}]}`, "routes[0].path")
	f.Add(envoy(stringValue), "routes[0].auth")
	f.Add(istio, "line 1, column 9")
	f.Add("apiVersion: v1\nkind: Secret\ndata: {a.yaml: cm91dGVzOiBb}", "routes")
	f.Fuzz(func(t *testing.T, text, path string) {
		plugins, err := Read([]byte(text))
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		lines := strings.Split(text, "\n")
		for _, p := range plugins {
			at := p.Place(path, "want")
			assert.LessOrEqual(t, at.Line, len(lines)+1)
		}
	})
}
