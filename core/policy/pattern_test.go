package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/policy"
)

func mustPattern(t require.TestingT, s string) policy.Pattern {
	p, err := policy.ParsePattern(s)
	require.NoError(t, err, s)
	return p
}

func TestPatternsMatchAsTheGrammarSays(t *testing.T) {
	for pattern, paths := range map[string]struct{ yes, no []string }{
		"/": {[]string{"/"}, []string{"/a", "", "a"}},
		"/exact": {
			[]string{"/exact", "/exact/"},
			[]string{"/", "/Exact", "/exact/a", "/exac", "/exactly", "exact"},
		},
		"/a/b": {[]string{"/a/b", "/a/b/"}, []string{"/a", "/a/", "/a/b/c", "/ab"}},
		"/**":  {[]string{"/", "/a", "/a/b/"}, []string{"", "*", "a"}},
		"/tree/**": {
			[]string{"/tree", "/tree/", "/tree/a", "/tree/a/b/c/"},
			[]string{"/", "/trees", "/tre", "/Tree/a", "/a/tree"},
		},
		"/users/*/avatar": {
			[]string{"/users/7/avatar", "/users/a%20b/avatar/", "/users/*/avatar"},
			[]string{"/users/avatar", "/users/7/8/avatar", "/users/7", "/users/7/avatar/x", "/users/7/Avatar"},
		},
		"/*":       {[]string{"/a", "/a/"}, []string{"/", "/a/b"}},
		"/*/b/*":   {[]string{"/a/b/c", "/x/b/y/"}, []string{"/a/b", "/b/c", "/a/c/b"}},
		"/*/**":    {[]string{"/a", "/a/", "/a/b/c"}, []string{"/"}},
		"/a/*/**":  {[]string{"/a/b", "/a/b/c"}, []string{"/a", "/a/"}},
		"/a%20b/*": {[]string{"/a%20b/c"}, []string{"/a b/c", "/a+b/c"}},
		"/v1/orders:purge": {
			[]string{"/v1/orders:purge"},
			[]string{"/v1/orders"},
		},
	} {
		p := mustPattern(t, pattern)
		for _, path := range paths.yes {
			assert.True(t, p.Match(path), "%s should cover %q", pattern, path)
		}
		for _, path := range paths.no {
			assert.False(t, p.Match(path), "%s should not cover %q", pattern, path)
		}
	}
	assert.False(t, policy.Pattern{}.Match("/"), "the zero pattern covers nothing")
}

// A caller must not get past a route by another spelling of its path.
func TestOtherSpellingsOfAPathMeetTheSamePattern(t *testing.T) {
	p := mustPattern(t, "/v1/orders:purge")
	for _, raw := range []string{"/v1/orders:purge", "/v1/orders%3Apurge", "/v1/orders%3apurge/", "/%761/orders:%70urge?x"} {
		path, safe := policy.NormalizePath(raw)
		require.True(t, safe, raw)
		assert.True(t, p.Match(path), raw)
	}
	p = mustPattern(t, "/caf%C3%A9/%7Bx%7D")
	for _, raw := range []string{"/caf%C3%A9/%7Bx%7D", "/caf%c3%a9/{x}"} {
		path, safe := policy.NormalizePath(raw)
		require.True(t, safe, raw)
		assert.True(t, p.Match(path), raw)
	}
}

func TestParsePatternSaysInOneLineWhatItWants(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                              "begins with /",
		"a":                             "begins with /",
		"*":                             "begins with /",
		"**":                            "begins with /",
		"https://h/a":                   "begins with /",
		"/a/":                           "no / at the end",
		"/**/":                          "no / at the end",
		"//":                            "without query",
		"/a//b":                         "without query",
		"/a/../b":                       "without query",
		"/a/.":                          "without query",
		"/a;b":                          "without query",
		"/a#b":                          "without query",
		`/a\b`:                          "without query",
		"/a%2fb":                        "without query",
		"/a%":                           "without query",
		"/café":                         "without query",
		"/a b":                          "without query",
		"/a?b":                          "normal form, /a",
		"/users/{id}":                   "* as a whole segment",
		"/a/[0-9]+":                     "* as a whole segment",
		"/%61":                          "normal form, /a",
		"/%c3%a9":                       "normal form, /%C3%A9",
		"/a*":                           "* as a whole segment",
		"/*a/b":                         "* as a whole segment",
		"/***":                          "* as a whole segment",
		"/**/a":                         "* as a whole segment",
		"/a/**/b":                       "* as a whole segment",
		"/a/**/**":                      "* as a whole segment",
		"/a/b**":                        "* as a whole segment",
		"/" + strings.Repeat("a", 1024): "at most 1024",
	} {
		p, err := policy.ParsePattern(pattern)
		require.Error(t, err, pattern)
		assert.Contains(t, err.Error(), want, pattern)
		assert.NotContains(t, err.Error(), "\n")
		assert.Equal(t, policy.Pattern{}, p)
	}
}

func FuzzParsePattern(f *testing.F) {
	for _, seed := range []string{"/", "/exact", "/tree/**", "/users/*/avatar", "/**", "/*/**", "/a%20b", "/a*", "//", "/a/", "/***", "/a?b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := policy.ParsePattern(s)
		if err != nil {
			require.Equal(t, policy.Pattern{}, p)
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.Equal(t, s, p.String())
		again, err := policy.ParsePattern(p.String())
		require.NoError(t, err)
		require.Equal(t, p, again)

		// A pattern covers itself, with its stars read as segments' names, and with a slash at its
		// end.
		path, safe := policy.NormalizePath(s)
		require.True(t, safe)
		require.True(t, p.Match(path))
		require.True(t, p.Match(strings.TrimSuffix(path, "/")+"/"))
	})
}

// NormalizePath's answer to an unsafe path is "", which must be on nobody's list.
func TestNoPatternCoversTheEmptyPath(t *testing.T) {
	for _, s := range []string{"/**", "/", "/*", "/a", "/a/**"} {
		p, err := policy.ParsePattern(s)
		require.NoError(t, err)
		assert.False(t, p.Match(""), s)
	}
}
