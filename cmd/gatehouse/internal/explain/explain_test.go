package explain

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/policy"
)

func TestARouteLacksNothingExactlyWhereItMatches(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "A"})
	path := func(t *rapid.T, segment *rapid.Generator[string], label string) string {
		return "/" + strings.Join(rapid.SliceOfN(segment, 0, 4).Draw(t, label), "/")
	}
	rapid.Check(t, func(t *rapid.T) {
		text := path(t, rapid.SampledFrom([]string{"a", "b", "*"}), "pattern")
		if rapid.Bool().Draw(t, "tree") {
			text = strings.TrimSuffix(text, "/") + "/**"
		}
		pattern, err := policy.ParsePattern(text)
		require.NoError(t, err)
		request := path(t, segment, "path")
		_, missing := (&Configured{}).samePath(text, request)
		assert.Equal(t, pattern.Match(request), missing == "", "%s on %s: %s", text, request, missing)
	})
	_, missing := (&Configured{PathCase: "ignore"}).samePath("/Admin/*", "/aDMIN/x")
	assert.Empty(t, missing)
}

func TestAnIssuerFitsAPlaceholder(t *testing.T) {
	c := &Configured{}
	c.Tokens.Providers = []Provider{{Name: "any", Issuer: "https://login.example/{tid}/v2.0"}, {Name: "one", Issuer: "https://login.example/one/v2.0"}}
	for issuer, want := range map[string]string{
		"https://login.example/t1/v2.0": "any", "https://login.example/one/v2.0": "one", "https://login.example//v2.0": "",
		"https://login.example/t1": "", "https://login.example/t1/x/v2.0": "", "https://login.example/t%31/v2.0": "", "": "",
	} {
		got := ""
		if p := c.provider(issuer); p != nil {
			got = p.Name
		}
		assert.Equal(t, want, got, issuer)
	}
}

func TestAlternativesAreComparedOneByOne(t *testing.T) {
	c, err := Read([]byte(`{"routes":[{"path":"/a","any_of":[{"caller":"human","scopes_any":["x"]},{"caller":"machine","claims":{"r.s":["y"]}}]}]}`))
	require.NoError(t, err)
	got := c.Route(0, Caller{Kind: "machine", Scopes: []string{"z"}}, []byte(`{"r":{"s":["y"]}}`))
	assert.Equal(t, []Comparison{
		{"any_of[0].caller", []string{"machine"}, []string{"human"}, false},
		{"any_of[0].scopes_any", []string{"z"}, []string{"x"}, false},
		{"any_of[1].caller", []string{"machine"}, []string{"machine"}, true},
		{"any_of[1].claim r.s", []string{"y"}, []string{"y"}, true},
	}, got)
}

func TestAProviderWithoutAnIssuerComparesNone(t *testing.T) {
	c, err := Read([]byte(`{"tokens":{"providers":[{"name":"envoy","claims_from":{}}]},"routes":[{"path":"/**"}]}`))
	require.NoError(t, err)
	for _, got := range c.Token("e30.eyJleHAiOjIwMDB9.", nil, 1000) {
		assert.NotEqual(t, "issuer", got.What)
		assert.True(t, got.OK, got.What)
	}
}

func TestARequirementOfAnEventMayBeOfClaims(t *testing.T) {
	e, err := ReadEvent([]byte(`{"event_type":"access_denied","path":"/","metadata":{"required":{"claims":{"tenant":["a","b"]}}}}`))
	require.NoError(t, err)
	assert.Equal(t, []Comparison{{"claims", nil, []string{"tenant: a, b"}, false}}, (&Configured{}).Event(e, -1))
}

func TestEscapedTextIsTheSameJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		text, err := json.Marshal(s)
		require.NoError(t, err)
		escaped := Escape(text)
		for _, r := range string(escaped) {
			assert.False(t, acts(r) || r < ' ', "%q", r)
		}
		var back, want string
		require.NoError(t, json.Unmarshal(text, &want))
		require.NoError(t, json.Unmarshal(escaped, &back))
		assert.Equal(t, want, back)
	})
}

func FuzzReadEvent(f *testing.F) {
	f.Add([]byte(`{"event_type":"access_denied","path":"/","metadata":{"reason":"no_route","required":{"scopes_all":["a"]}}}`))
	f.Add([]byte(`{"event_type":"request","method":"GET","metadata":{"route":"x","rule":"y","issuer":"z"}}`))
	c, err := Read([]byte(`{"tokens":{"providers":[{"name":"p","issuer":"i"}]},"routes":[{"path":"/a/*","methods":["GET"],"hosts":["h"]}]}`))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ReadEvent(text)
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		route, _ := c.RouteOf(e)
		c.EventNotes(e, route)
		c.Event(e, route)
	})
}
