package policy_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/policy"
	"gatehouse/core/policy/policytest"
)

func TestTheCorpusIsUpToDate(t *testing.T) {
	file, err := os.ReadFile("policytest/spellings.txt")
	require.NoError(t, err)
	assert.Equal(t, string(policytest.Write(policytest.Generate())), string(file), "run go generate ./core/policy/policytest")
	assert.Equal(t, policytest.Generate(), policytest.Spellings())
	assert.Greater(t, len(policytest.Spellings()), 1000)
}

// TestNoSpellingReachesATreeThatTheRoutesProtect holds the verdicts of the routes against the
// models of servers: no spelling may match the open route and be read by a server as a path of the
// protected tree.
func TestNoSpellingReachesATreeThatTheRoutesProtect(t *testing.T) {
	const protected, open = 0, 1
	table := policy.NewTable([]policy.Route{route(t, "", "", "/"+policytest.Protected+"/**"), route(t, "", "", "/**")})
	rules := map[string]policy.PathRules{"default": {}, "all kinds allowed": {Allow: policy.AllPathKinds}}
	for name, kind := range kinds {
		rules[name] = policy.PathRules{Allow: kind}
	}
	reads := map[string]int{}  // by model: the spellings that it reads as the protected tree
	routes := map[string]int{} // by verdict
	for name, rule := range rules {
		for _, rule.IgnoreCase = range []bool{false, true} {
			for _, raw := range policytest.Spellings() {
				verdict := verdictOf(table, rule, raw)
				if verdict < 0 {
					routes["refused"]++
					continue
				}
				routes[[]string{"protected", "open"}[verdict]]++
				p, _, _ := strings.Cut(raw, "?")
				for model, read := range policytest.Servers {
					if !inProtectedTree(read(p), rule.IgnoreCase) {
						continue
					}
					reads[model]++
					require.Equal(t, protected, verdict, "%s: %q gets around the protected route: a server %s", name, raw, model)
				}
			}
		}
	}
	t.Logf("%d spellings; verdicts over all rules: %v", len(policytest.Spellings()), routes)
	assert.Greater(t, routes["refused"], 1000)
	assert.Greater(t, routes["protected"], 100)
	assert.Greater(t, routes["open"], 100)
	for model := range policytest.Servers {
		assert.Greater(t, reads[model], 20, model)
	}
	assert.Equal(t, open, verdictOf(table, policy.PathRules{}, "/public"))
}

// verdictOf is the route of a target, -1 if it is refused.
func verdictOf(table *policy.Table, rule policy.PathRules, raw string) int {
	path, others, safe := rule.Read(raw)
	if !safe {
		return -1
	}
	own := table.Match("gate", "GET", path)
	for _, other := range others {
		if table.Match("gate", "GET", other) != own {
			return -1
		}
	}
	return own
}

var inUpperCase = strings.ToUpper(policytest.Protected)

// inProtectedTree reports whether a server's reading of a path is in the protected tree. A server
// that ignores case may fold it, or write it in upper case.
func inProtectedTree(segments []string, ignoreCase bool) bool {
	for _, first := range segments {
		switch {
		case first == "":
		case ignoreCase:
			return strings.EqualFold(first, policytest.Protected) || strings.ToUpper(first) == inUpperCase
		default:
			return first == policytest.Protected
		}
	}
	return false
}
