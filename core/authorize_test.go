package core_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core"
	verified "gatehouse/core/claims"
	"gatehouse/core/reason"
)

// requirement is an alternative of any_of, as the configuration has it.
type requirement struct {
	Caller    string              `json:"caller,omitempty"`
	ScopesAll []string            `json:"scopes_all,omitempty"`
	ScopesAny []string            `json:"scopes_any,omitempty"`
	GroupsAny []string            `json:"groups_any,omitempty"`
	Claims    map[string][]string `json:"claims,omitempty"`
}

// failure is how a requirement refuses a caller: how far it got, and what metadata.required says.
type failure struct {
	step     int
	why      reason.Reason
	required string
}

// refuses reads the definition: caller, scopes, groups, claims.
func (q requirement) refuses(kind string, scopes, groups []string, tenant string) failure {
	lacks := func(have []string) func(string) bool {
		return func(want string) bool { return !slices.Contains(have, want) }
	}
	required := func(field string, value any) string {
		text, _ := json.Marshal(map[string]any{field: value})
		return string(text)
	}
	switch {
	case q.Caller == "human" && kind != "human":
		return failure{0, reason.HumanRequired, ""}
	case q.Caller == "machine" && kind != "machine":
		return failure{0, reason.MachineRequired, ""}
	case slices.ContainsFunc(q.ScopesAll, lacks(scopes)):
		return failure{1, reason.InsufficientScope, required("scopes_all", q.ScopesAll)}
	case len(q.ScopesAny) > 0 && !slices.ContainsFunc(q.ScopesAny, func(s string) bool { return slices.Contains(scopes, s) }):
		return failure{1, reason.InsufficientScope, required("scopes_any", q.ScopesAny)}
	case len(q.GroupsAny) > 0 && !slices.ContainsFunc(q.GroupsAny, func(s string) bool { return slices.Contains(groups, s) }):
		return failure{2, reason.GroupRequired, required("groups_any", q.GroupsAny)}
	case q.Claims != nil && !slices.Contains(q.Claims["tenant"], tenant):
		return failure{3, reason.ClaimRequired, required("claims", q.Claims)}
	}
	return failure{-1, reason.None, ""}
}

func TestAnyOfIsTheDefinition(t *testing.T) {
	outer := t
	words := func(all ...string) *rapid.Generator[[]string] {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(all), 0, len(all), rapid.ID[string])
	}
	alternatives := rapid.Custom(func(t *rapid.T) requirement {
		q := requirement{
			Caller:    rapid.SampledFrom([]string{"any", "human", "machine"}).Draw(t, "caller"),
			ScopesAll: words("r", "w").Draw(t, "scopes_all"),
			ScopesAny: words("x", "y").Draw(t, "scopes_any"),
			GroupsAny: words("g", "h").Draw(t, "groups_any"),
		}
		if tenants := words("a", "b").Draw(t, "tenants"); len(tenants) > 0 {
			q.Claims = map[string][]string{"tenant": tenants}
		}
		return q
	})
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(alternatives, 1, 4).Draw(t, "any_of")
		kind := rapid.SampledFrom([]string{"human", "machine", "unknown"}).Draw(t, "kind")
		scopes := words("r", "w", "x", "y").Draw(t, "scopes")
		groups := words("g", "h").Draw(t, "groups")
		tenant := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "tenant")

		best := failure{step: -2}
		for _, q := range list {
			f := q.refuses(kind, scopes, groups, tenant)
			if f.why == reason.None {
				best = f
				break
			}
			if f.step > best.step {
				best = f
			}
		}

		anyOf, err := json.Marshal(list)
		require.NoError(t, err)
		g := open(outer, `"tokens":{"providers":[{"name":"p","claims_from":{"envoy_metadata":{"filter":"f","key":"k"}}}]},
			"routes":[{"path":"/**","any_of":`+string(anyOf)+`}]`)
		token := map[string]any{"sub": "u", "exp": wall.Unix() + 60, "scope": scopes, "groups": groups, "tenant": tenant}
		switch kind {
		case "human":
			token["email"] = "u@example.com"
		case "machine":
			token["client_id"] = "u"
		}
		payload, err := json.Marshal(token)
		require.NoError(t, err)
		set, err := verified.Parse(payload)
		require.NoError(t, err)
		r := g.request("GET /x", "")
		r.External = func(int) core.ExternalClaims { return core.ExternalClaims{Claims: set, Present: true} }
		g.Decide(r, &g.decision)
		require.Equal(t, best.why, g.decision.Reason, "%s: %s, scopes %v, groups %v, tenant %s", anyOf, kind, scopes, groups, tenant)
		event := g.finish(core.Outcome{Status: 200, Details: "via_upstream"})[0]["metadata"].(map[string]any)
		got, err := json.Marshal(event["required"])
		require.NoError(t, err)
		if best.required == "" {
			require.NotContains(t, event, "required")
		} else {
			require.JSONEq(t, best.required, string(got))
		}
	})
}

func TestAnAnonymousCallerMeetsAnAlternativeThatRequiresNothing(t *testing.T) {
	for anyOf, want := range map[string]reason.Reason{
		`[{"caller":"human"},{"scopes_all":["a"]}]`: reason.MissingToken,
		`[{"caller":"human"},{"caller":"any"}]`:     reason.None,
		`[{"caller":"any","groups_any":["g"]}]`:     reason.MissingToken,
	} {
		g := open(t, `"routes":[{"path":"/**","auth":"optional","any_of":`+anyOf+`}]`)
		assert.Equal(t, want, g.decide("GET /", "").Reason, anyOf)
	}
}

func TestTheChallengeNamesTheScopesOfTheAlternativeThatGotFurthest(t *testing.T) {
	g := open(t, `"routes":[{"path":"/**","any_of":[{"caller":"machine","scopes_all":["a"]},{"caller":"human","scopes_all":["b"],"scopes_any":["c","d"]}]}]`)
	challenge := `Bearer realm="gatehouse", error="insufficient_scope", scope="`
	d := g.decide("GET /", main(t).mint(t, claims{"scope": "x"}))
	assert.Equal(t, challenge+`b"`, header(d.Response, "www-authenticate"))
	d = g.decide("GET /", main(t).mint(t, claims{"scope": "b"}))
	assert.Equal(t, challenge+`c d"`, header(d.Response, "www-authenticate"))
}
