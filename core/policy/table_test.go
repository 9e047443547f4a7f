package policy_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/policy"
)

// route is the short way to write one: "GET,POST api.example.com /path".
func route(t require.TestingT, methods, hosts, pattern string) policy.Route {
	r := policy.Route{Name: pattern, Pattern: mustPattern(t, pattern)}
	for m := range strings.FieldsSeq(methods) {
		r.Methods = append(r.Methods, m)
	}
	for h := range strings.FieldsSeq(hosts) {
		r.Hosts = append(r.Hosts, mustHost(t, h))
	}
	return r
}

func TestTheFirstRouteThatFitsWins(t *testing.T) {
	table := policy.NewTable([]policy.Route{
		0: route(t, "", "", "/health"),
		1: route(t, "POST", "", "/batch/**"),
		2: route(t, "", "*.admin.example", "/**"),
		3: route(t, "", "", "/users/*/avatar"),
		4: route(t, "", "", "/users/me/**"),
		5: route(t, "GET PUT", "api.example a.example", "/users/**"),
		6: route(t, "", "", "/batch"),
		7: route(t, "", "", "/health"),
		8: route(t, "", "", "/"),
	})
	for _, row := range []struct {
		host, method, path string
		want               int
	}{
		{"api.example", "GET", "/health", 0},
		{"api.example", "GET", "/health/", 0},
		{"api.example", "GET", "/health/x", -1},
		{"api.example", "POST", "/batch", 1},
		{"api.example", "POST", "/batch/a/b", 1},
		{"api.example", "GET", "/batch", 6},
		{"api.example", "post", "/batch", 6},
		{"api.example", "GET", "/batch/a", -1},
		{"x.admin.example", "GET", "/anything", 2},
		{"x.admin.example", "GET", "/health", 0},
		{"api.example", "GET", "/users/me/avatar", 3},
		{"api.example", "GET", "/users/me/name", 4},
		{"api.example", "GET", "/users/7/name", 5},
		{"a.example", "PUT", "/users", 5},
		{"api.example", "HEAD", "/users", -1},
		{"b.example", "GET", "/users/7/name", -1},
		{"", "GET", "/users/7/name", -1},
		{"", "GET", "/", 8},
		{"api.example", "OPTIONS", "*", -1},
		{"api.example", "CONNECT", "", -1},
	} {
		assert.Equal(t, row.want, table.Match(row.host, row.method, row.path), "%s %s %s", row.method, row.host, row.path)
	}
	assert.Equal(t, "/users/**", table.Route(5).Name)
	assert.Equal(t, -1, policy.NewTable(nil).Match("h", "GET", "/"))
	assert.Equal(t, -1, policy.NewTable(make([]policy.Route, 1)).Match("h", "GET", "/"), "a route without pattern fits nothing")
}

// grammar is a pattern as a regular expression.
func grammar(pattern string) *regexp.Regexp {
	tree := strings.HasSuffix(pattern, "/**")
	pattern = strings.TrimSuffix(pattern, "/**")
	expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `[^/]+`)
	switch {
	case tree:
		return regexp.MustCompile(`^` + expression + `(/.*)?$`)
	case pattern == "/":
		return regexp.MustCompile(`^/$`)
	}
	return regexp.MustCompile(`^` + expression + `/?$`)
}

func TestTheTableAgreesWithTryingEachRouteInTurn(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "c", "*"})
	patterns := rapid.Custom(func(t *rapid.T) string {
		p := "/" + strings.Join(rapid.SliceOfN(segment, 0, 4).Draw(t, "segments"), "/")
		if rapid.Bool().Draw(t, "tree") {
			p = strings.TrimSuffix(p, "/") + "/**"
		}
		return p
	})
	words := func(all ...string) *rapid.Generator[string] {
		return rapid.Map(rapid.SliceOfNDistinct(rapid.SampledFrom(all), 0, 2, rapid.ID[string]), func(w []string) string {
			return strings.Join(w, " ")
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "routes")
		routes := make([]policy.Route, n)
		for i := range routes {
			routes[i] = route(t, words("GET", "PUT").Draw(t, "methods"), words("x.example", "*.example").Draw(t, "hosts"),
				patterns.Draw(t, "pattern"))
		}
		table := policy.NewTable(routes)
		for range 20 {
			host := rapid.SampledFrom([]string{"x.example", "y.example", "other", ""}).Draw(t, "host")
			method := rapid.SampledFrom([]string{"GET", "PUT", "POST"}).Draw(t, "method")
			path := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 5).Draw(t, "path"), "/")
			if path != "/" && rapid.Bool().Draw(t, "slash") {
				path += "/"
			}
			want := -1
			for i, r := range routes {
				fits := grammar(r.Pattern.String()).MatchString(path)
				if fits != r.Pattern.Match(path) {
					t.Fatalf("pattern %s, path %q: the grammar says %v", r.Pattern, path, fits)
				}
				if fits && (len(r.Methods) == 0 || strings.Contains(strings.Join(r.Methods, " "), method)) && hostFits(r.Hosts, host) {
					want = i
					break
				}
			}
			if got := table.Match(host, method, path); got != want {
				t.Fatalf("%s %s %s: got %d, want %d", method, host, path, got, want)
			}
		}
	})
}

func hostFits(patterns []policy.HostPattern, host string) bool {
	for _, p := range patterns {
		suffix, wild := strings.CutPrefix(p.String(), "*")
		if !wild && host == p.String() || wild && host != suffix && strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return len(patterns) == 0
}

// manyRoutes is a REST API of n routes, the last of which admits the rest.
func manyRoutes(t require.TestingT, n int) []policy.Route {
	routes := make([]policy.Route, 0, n)
	for i := range n - 1 {
		resource := "/api/v1/resource" + strconv.Itoa(i/4)
		routes = append(routes, route(t, []string{"GET", "POST", "", ""}[i%4], "",
			[]string{resource, resource, resource + "/*", resource + "/*/items/**"}[i%4]))
	}
	return append(routes, route(t, "", "", "/**"))
}

func TestMatchDoesNotAllocate(t *testing.T) {
	table := policy.NewTable(manyRoutes(t, 1000))
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		table.Match("api.example", "GET", "/api/v1/resource200/17/items/3")
		table.Match("api.example", "GET", "/nowhere/to/be/found")
	}))
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		table := policy.NewTable(manyRoutes(b, n))
		for name, path := range map[string]string{
			"last":     "/api/v1/resource" + strconv.Itoa((n-2)/4) + "/17/items/3",
			"fallback": "/somewhere/else",
		} {
			b.Run(strconv.Itoa(n)+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					table.Match("api.example", "GET", path)
				}
			})
		}
	}
	// The worst case: nothing tells the routes apart but their hosts.
	routes := make([]policy.Route, 1000)
	for i := range routes {
		routes[i] = route(b, "", "host"+strconv.Itoa(i)+".example", "/**")
	}
	table := policy.NewTable(routes)
	b.Run("1000/hosts", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			table.Match("host999.example", "GET", "/a/b")
		}
	})
}
