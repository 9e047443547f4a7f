package lint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/policy"
)

func texts(ws []Warning) (out []string) {
	for _, w := range ws {
		out = append(out, w.Path+": "+w.Message)
	}
	return out
}

func TestARouteThatAnEarlierOneHidesIsAWarning(t *testing.T) {
	const (
		never  = ": never reached: routes[0] takes all of its requests; put the narrower route first"
		partly = ": routes[0] comes first and takes some of its requests, for which it requires less; put the stricter route first"
	)
	for name, test := range map[string]struct{ routes, want string }{
		"a looser tree":                        {`{"path":"/api/**"},{"path":"/api/admin/**","groups_any":["admin"]}`, "routes[1]" + never},
		"an equal path":                        {`{"path":"/a"},{"path":"/a"}`, "routes[1]" + never},
		"a star":                               {`{"path":"/users/*/x"},{"path":"/users/me/x"}`, "routes[1]" + never},
		"methods":                              {`{"path":"/a/**","methods":["GET","POST"]},{"path":"/a/b","methods":["POST"]}`, "routes[1]" + never},
		"hosts":                                {`{"path":"/a/**","hosts":["*.example.com"]},{"path":"/a/b","hosts":["x.example.com","*.y.example.com"]}`, "routes[1]" + never},
		"the tree's own path":                  {`{"path":"/a/**"},{"path":"/a"}`, "routes[1]" + never},
		"the parser's own":                     {`{"path":"/**"},{"path":"/a"}`, ""},
		"some methods, stricter":               {`{"path":"/api/**","methods":["GET"],"auth":"optional"},{"path":"/api/admin/**","groups_any":["admin"]}`, "routes[1]" + partly},
		"some methods, as strict":              {`{"path":"/api/**","methods":["GET"],"groups_any":["admin"]},{"path":"/api/admin/**","groups_any":["admin","ops"]}`, ""},
		"some hosts, stricter":                 {`{"path":"/api/**","hosts":["a"]},{"path":"/api/admin/**","scopes_all":["admin"]}`, "routes[1]" + partly},
		"crossing stars":                       {`{"path":"/users/*/public","auth":"none"},{"path":"/users/admin/**","caller":"human"}`, "routes[1]" + partly},
		"an exception":                         {`{"path":"/health","auth":"none"},{"path":"/**"}`, ""},
		"an exception for a method":            {`{"path":"/a/**","methods":["GET"],"auth":"none"},{"path":"/a/**"}`, ""},
		"other methods":                        {`{"path":"/a/**","methods":["GET"]},{"path":"/a/b","methods":["POST"],"caller":"human"}`, ""},
		"other hosts":                          {`{"path":"/a/**","hosts":["a"]},{"path":"/a/b","hosts":["b"],"caller":"human"}`, ""},
		"other paths":                          {`{"path":"/a/*"},{"path":"/a/b/c"},{"path":"/a/**"}`, ""},
		"a longer path than a tree":            {`{"path":"/a/b/**"},{"path":"/a"}`, ""},
		"any_of that is stricter":              {`{"path":"/a/**","methods":["GET"]},{"path":"/a/b","any_of":[{"caller":"human"},{"scopes_all":["x"]}]}`, "routes[1]" + partly},
		"any_of that is as strict":             {`{"path":"/a/**","methods":["GET"],"any_of":[{"caller":"human"}]},{"path":"/a/b","any_of":[{"caller":"human"},{"scopes_all":["x"]}]}`, ""},
		"case, where it counts":                {`{"path":"/A/**"},{"path":"/a/b"}`, ""},
		"a route behind a route that's hidden": {`{"path":"/a/**"},{"path":"/a/b/**","auth":"none"},{"path":"/a/b/c"}`, "routes[1]" + never + "\nroutes[2]" + never},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, strings.Join(texts(Warnings([]byte(`{"routes":[`+test.routes+`]}`))), "\n"))
		})
	}
	assert.Equal(t, []string{"routes[1]" + never}, texts(Warnings([]byte(`{"path_case":"ignore","routes":[{"path":"/A/**"},{"path":"/a/b"}]}`))))
}

// What lint calls never reached, the route table never chooses, and the other way round for one
// earlier route.
func TestNeverReachedIsWhatTheRouteTableSays(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "*"})
	pattern := rapid.Custom(func(t *rapid.T) string {
		path := ""
		for range rapid.IntRange(0, 3).Draw(t, "segments") {
			path += "/" + segment.Draw(t, "segment")
		}
		if path == "" || rapid.Bool().Draw(t, "tree") {
			path += "/**"
		}
		return path
	})
	paths, level := []string{"/"}, []string{""}
	for range 4 { // one deeper than the patterns
		var below []string
		for _, path := range level {
			below = append(below, path+"/a", path+"/b", path+"/c")
		}
		paths, level = append(paths, below...), below
	}
	rapid.Check(t, func(t *rapid.T) {
		first, second := pattern.Draw(t, "first"), pattern.Draw(t, "second")
		routes := make([]policy.Route, 2)
		for i, text := range []string{first, second} {
			p, err := policy.ParsePattern(text)
			require.NoError(t, err)
			routes[i].Pattern = p
		}
		table := policy.NewTable(routes)
		reached, both := false, false
		for _, path := range paths {
			reached = reached || table.Match("h", "GET", path) == 1
			both = both || routes[0].Pattern.Match(path) && routes[1].Pattern.Match(path)
		}
		var d document
		assert.Equal(t, !reached, d.pathCovers(first, second), "%s hides %s", first, second)
		assert.Equal(t, both, d.pathsOverlap(first, second), "%s meets %s", first, second)
	})
}

func TestWhatCannotComeIntoPlayIsAWarning(t *testing.T) {
	for name, test := range map[string]struct{ config, want string }{
		"a limit for callers that no route admits": {`{"routes":[{"path":"/**","caller":"human"}],"rate_limits":[{"name":"m","caller":"machine"}]}`,
			"rate_limits[0]: never counts: no route that it applies to admits the caller machine"},
		"a limit for anonymous callers where all have tokens": {`{"routes":[{"path":"/**"}],"rate_limits":[{"name":"m","caller":"anonymous"}]}`,
			"rate_limits[0]: never counts: no route that it applies to admits the caller anonymous"},
		"a limit for anonymous callers":         {`{"routes":[{"path":"/**","auth":"optional"}],"rate_limits":[{"name":"m","caller":"anonymous"}]}`, ""},
		"a limit for one alternative's callers": {`{"routes":[{"path":"/**","any_of":[{"caller":"human"},{"caller":"machine"}]}],"rate_limits":[{"name":"m","caller":"machine"}]}`, ""},
		"a limit of a route that's never reached": {`{"routes":[{"path":"/a/**","auth":"none"},{"path":"/a/b","auth":"none","rate_limits":["m"]}],"rate_limits":[{"name":"m"}]}`,
			"routes[1]: never reached: routes[0] takes all of its requests; put the narrower route first\nrate_limits[0]: applies only to routes that are never reached"},
		"a limit that all routes skip": {`{"routes":[{"path":"/**","skip_rate_limits":["*"]}],"rate_limits":[{"name":"m","caller":"machine"}]}`, ""},
		"providers without a route": {`{"tokens":{"providers":[{"name":"p"}]},"routes":[{"path":"/**","auth":"none"}]}`,
			"tokens.providers[0]: verifies nothing: every route has auth none"},
		"an alternative within another": {`{"routes":[{"path":"/**","any_of":[{"caller":"human"},{"caller":"human","scopes_all":["x"]}]}]}`,
			"routes[0].any_of[1]: admits nobody whom any_of[0] doesn't"},
		"an alternative within a later one": {`{"routes":[{"path":"/**","any_of":[{"scopes_all":["x","y"]},{"scopes_any":["x","z"]}]}]}`,
			"routes[0].any_of[0]: admits nobody whom any_of[1] doesn't"},
		"equal alternatives": {`{"routes":[{"path":"/**","any_of":[{"caller":"human"},{"caller":"human"}]}]}`,
			"routes[0].any_of[1]: admits nobody whom any_of[0] doesn't"},
		"alternatives that differ": {`{"routes":[{"path":"/**","any_of":[{"caller":"human","scopes_all":["x"]},{"caller":"machine","groups_any":["y"]},{"claims":{"t":["a"]}}]}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, strings.Join(texts(Warnings([]byte(test.config))), "\n"))
		})
	}
}

func TestPathsThatAreHardlyMeantAreWarnings(t *testing.T) {
	star := func(base string) string {
		return fmt.Sprintf("routes[0].path: * is one segment, so this doesn't match %s/a/b: for all below write %s/**", base, base)
	}
	for routes, want := range map[string]string{
		`{"path":"/api/*"}`:                           star("/api"),
		`{"path":"/*"}`:                               star(""),
		`{"path":"/users/:id"}`:                       "routes[0].path: matches these characters only: for any one segment write /users/*",
		`{"path":"/v1/orders:purge"}`:                 "",
		`{"path":"/users/*"},{"path":"/users/*/x"}`:   "",
		`{"path":"/users/*"},{"path":"/users/**"}`:    "",
		`{"path":"/users/*/avatar"},{"path":"/a/**"}`: "",
	} {
		assert.Equal(t, want, strings.Join(texts(Warnings([]byte(`{"routes":[`+routes+`]}`))), "\n"), routes)
	}
}

func TestVariablesAreWarnings(t *testing.T) {
	got := Warnings([]byte(`{"tokens":{"providers":[{"issuer":"${ISSUER}","audiences":["$(AUD)","${A:-b}","$5","${}","a$"]}]},"routes":[{"path":"/**"}]}`))
	var paths []string
	for _, w := range got {
		assert.Contains(t, w.Message, "variables aren't replaced here")
		paths = append(paths, w.Path)
	}
	assert.Equal(t, []string{"tokens.providers[0].audiences[0]", "tokens.providers[0].audiences[1]", "tokens.providers[0].issuer"}, paths)
}
