package lint

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/config"
	"gatehouse/core/policy"
)

const wantSeconds = `want 1..86400, got `

func TestAnErrorSaysWhatToWriteInstead(t *testing.T) {
	const variables = `variables aren't replaced here: for a secret write {"env": "NAME"}, elsewhere replace it before, as with envsubst`
	for _, test := range []struct {
		path, message string
		value         Value
		want          string
	}{
		{"rate_limits[0].window_seconds", wantSeconds + `"60s"`, Value{"60s", true}, "write 60"},
		{"rate_limits[0].window_seconds", wantSeconds + `"1m30s"`, Value{"1m30s", true}, "write 90"},
		{"rate_limits[0].window_seconds", wantSeconds + `"1 h"`, Value{"1 h", true}, "write 3600"},
		{"rate_limits[0].window_seconds", wantSeconds + `"1d"`, Value{"1d", true}, "write 86400"},
		{"rate_limits[0].window_seconds", wantSeconds + `"1500ms"`, Value{"1500ms", true}, "write whole seconds: 2"},
		{"rate_limits[0].window_seconds", wantSeconds + `"60"`, Value{"60", true}, "write 60 without quotes"},
		{"rate_limits[0].window_seconds", wantSeconds + `"soon"`, Value{"soon", true}, "write a number of seconds"},
		{"rate_limits[0].window_seconds", wantSeconds + `"9e99h"`, Value{"9999999999999d", true}, "write a number of seconds"},
		{"rate_limits[0].window_seconds", wantSeconds + "600000", Value{"600000", false}, "if these are milliseconds, write 600"},
		{"rate_limits[0].window_seconds", wantSeconds + "86401", Value{"86401", false}, ""},
		{"rate_limits[0].window_seconds", wantSeconds + "0", Value{"0", false}, ""},
		{"tokens.providers[0].jwks.timeout_ms", "unknown field, want one of cluster, timeout_seconds", Value{"5000", false}, "write timeout_seconds, in seconds"},
		{"tokens.providers[0].jwks.foo_ms", "unknown field, want one of cluster, timeout_seconds", Value{"5000", false}, ""},
		{"tokens.providers[0].algorithms[0]", `want "RS256", "RS384" or "ES256", got "RS265"`, Value{"RS265", true}, `did you mean "RS256"?`},
		{"routes[0].auth", `want "required", "optional" or "none", got "requirde"`, Value{"requirde", true}, `did you mean "required"?`},
		{"routes[0].auth", `want "required", "optional" or "none", got "None"`, Value{"None", true}, `did you mean "none"?`},
		{"routes[0].auth", `want "required", "optional" or "none", got "jwt"`, Value{"jwt", true}, ""},
		{"audit.chain.hmac_key", "want base64 of 32 bytes or more, got 6 characters", Value{"${KEY}", true}, variables},
		{"tokens.providers[0].jwks.uri", "want a URI", Value{"https://${HOST}/", true}, variables},
		{"rate_limits[0].max_requests", `want 1..1000000000, got "100"`, Value{"100", true}, "write 100 without quotes"},
		{"audit.enabled", `want true or false, got "true"`, Value{"true", true}, "write true without quotes"},
		{"audit.enabled", `want true or false, got "yes"`, Value{"yes", true}, ""},
		{"tokens.providers[0].audiences", `want a list of 1..64, got "a, b"`, Value{"a, b", true}, `write ["a", "b"]`},
	} {
		assert.Equal(t, test.want, Advice(test.path, test.message, test.value), "%s: %s", test.path, test.value.Text)
	}
}

func TestAPathIsPutIntoTheGrammarOfRoutes(t *testing.T) {
	for path, want := range map[string]string{
		"/users/{id}": "/users/*", "/users/{id}/avatar": "/users/*/avatar", "/f/<int:id>": "/f/*", "/u/{id:[0-9]+}/x": "/u/*/x",
		"/api/.*": "/api/**", "^/api/.*$": "/api/**", "^/api(/.*)?$": "/api/**", "/api*": "/api/**", "/v/[0-9]+/x": "/v/*/x",
		`^/v/\d+/x$`: "/v/*/x", "/x/(a|b)": "/x/*", "/x/[^/]+/y": "/x/*/y", "/{path:.*}": "/**", "/files/{*rest}": "/files/**", "/files/<path:rest>": "/files/**",
		"/users/:id": "/users/*", "/a/": "/a", "api/x": "/api/x", `/v1\.0/x`: "/v1.0/x",
		"/a//b": "/a//b", "/a/../b": "/a/../b", "/**/x": "/**/x", "/fine": "/fine", "/fine/**": "/fine/**", "/users/*/x": "/users/*/x",
	} {
		assert.Equal(t, want, instead(path), path)
	}
}

func TestWhatIsAdvisedForAPathIsAPattern(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.StringOf(rapid.RuneFrom([]rune(`/ab*{}<>[]^$.+\:-|()0d`))).Draw(t, "path")
		if better := instead(path); better != path {
			_, err := policy.ParsePattern(better)
			require.NoError(t, err, "%s from %s", better, path)
		}
	})
}

// The words that the advice looks for are the parser's own.
func TestAdviceFitsTheParsersMessages(t *testing.T) {
	for doc, want := range map[string]string{
		`{"routes":[{"path":"/users/{id}","auth":"none"}]}`:                               "write /users/*",
		`{"routes":[{"path":"/**","auth":"nonne"}]}`:                                      `did you mean "none"?`,
		`{"routes":[{"path":"/**","auth":"none","methods":"GET"}]}`:                       `write ["GET"]`,
		`{"routes":[{"path":"/**","auth":"none","cost":"2"}]}`:                            "write 2 without quotes",
		`{"routes":[{"path":"/**","auth":"none"}],"audit":{"enabled":"true"}}`:            "write true without quotes",
		`{"routes":[{"path":"/**","auth":"none"}],"audit":{"exclude_paths":["/x/{id}"]}}`: "write /x/*",
	} {
		_, err := config.Parse([]byte(doc), nil)
		var problems config.Problems
		require.True(t, errors.As(err, &problems), doc)
		p := problems[0]
		text, isString := valueOf(doc, p.Path)
		got := Advice(p.Path, p.Message, Value{text, isString})
		assert.Equal(t, want, got, "%s: %s", p.Path, p.Message)
	}
}

// valueOf is the last string of a document, which its error is about.
func valueOf(doc, path string) (string, bool) {
	_, field, _ := strings.Cut(path, ".")
	field = field[strings.LastIndexByte(field, '.')+1:]
	field, _, _ = strings.Cut(field, "[")
	_, rest, _ := strings.Cut(doc, `"`+field+`":`)
	return strings.Split(strings.TrimPrefix(rest, "["), `"`)[1], true
}

func TestDistanceCountsEdits(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"RS265", "RS256", 1}, {"kitten", "sitting", 3}, {"none", "none", 0}, {"abc", "cab", 2}, {"x", "yz", 2}} {
		assert.Equal(t, test.want, Distance(test.a, test.b), test.a+" "+test.b)
		assert.Equal(t, test.want, Distance(test.b, test.a))
	}
}
