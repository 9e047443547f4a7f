package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/policy"
	"gatehouse/core/policy/policytest"
)

var kinds = map[string]policy.PathKinds{
	"encoded_slash": policy.EncodedSlash, "encoded_delimiter": policy.EncodedDelimiter, "semicolon": policy.Semicolon,
	"double_slash": policy.DoubleSlash, "encoded_percent": policy.EncodedPercent,
}

func TestAllowedSpellingsAreReadInEveryWay(t *testing.T) {
	for _, c := range []struct {
		kind, raw string
		want      []string
	}{
		{"encoded_slash", "/a%2fb", []string{"/a%2Fb", "/a/b"}},
		{"encoded_slash", "/a/%2Fb", []string{"/a/%2Fb", "/a//b", "/a/b"}},
		{"encoded_delimiter", "/a%3fb/c", []string{"/a%3Fb/c", "/a"}},
		{"encoded_delimiter", "/a%23b/c?d", []string{"/a%23b/c", "/a"}},
		{"semicolon", "/a;v=1/b", []string{"/a%3Bv=1/b", "/a/b"}},
		{"semicolon", "/a%3bv/b;", []string{"/a%3Bv/b%3B", "/a%3Bv/b", "/a/b"}},
		{"semicolon", "/a/;v/b", []string{"/a/%3Bv/b", "/a//b", "/a/b"}},
		{"double_slash", "/a//b", []string{"/a//b", "/a/b"}},
		{"double_slash", "//a/b", []string{"//a/b", "/a/b", "/b"}},
		{"double_slash", "///a//b", []string{"///a//b", "/a/b", "//b", "/b"}},
		{"encoded_percent", "/100%25", []string{"/100%25"}},
		{"encoded_percent", "/a%2541%25zz", []string{"/a%2541%25zz", "/aA%25zz"}},
		{"encoded_percent", "/a%252fb", []string{"/a%252Fb", "/a%2Fb", "/a/b"}},
		{"encoded_percent", "/a%253Fb", []string{"/a%253Fb", "/a%3Fb", "/a"}},
		{"encoded_percent", "/a%252eb", []string{"/a%252Eb", "/a.b"}},
		{"encoded_percent", "/%25c3%25A9", []string{"/%25c3%25A9", "/%C3%A9"}},
	} {
		t.Run(c.raw, func(t *testing.T) {
			got, others, safe := policy.PathRules{Allow: kinds[c.kind]}.Read(c.raw)
			require.True(t, safe)
			assert.Equal(t, strings.ToUpper(c.want[0]), strings.ToUpper(got))
			assert.ElementsMatch(t, c.want[1:], others)
			for name, kind := range kinds {
				_, _, safe := policy.PathRules{Allow: kind}.Read(c.raw)
				assert.Equal(t, name == c.kind, safe, name)
				_, _, safe = policy.PathRules{Allow: policy.AllPathKinds &^ kind}.Read(c.raw)
				assert.Equal(t, name != c.kind, safe, "all but "+name)
			}
		})
	}
}

func TestASafePathHasOneReading(t *testing.T) {
	for _, raw := range []string{"/", "/a/b?x;//", "/caf%c3%a9", "/a:b"} {
		want, _ := policy.NormalizePath(raw)
		got, others, safe := policy.PathRules{Allow: policy.AllPathKinds}.Read(raw)
		assert.True(t, safe, raw)
		assert.Equal(t, want, got, raw)
		assert.Empty(t, others, raw)
	}
}

// neverSafe are paths that no configuration lets through.
var neverSafe = []string{
	"", "*", "a", "http://host/a",
	"/.", "/..", "/a/../b", "/a/./b", "/a/..", "/a/..?x", "//..", "/a//../b",
	"/%2e", "/%2E%2e/a", "/.%2e/a", "/a%2Eb",
	"/..;/a", "/a/..;x=1/b", "/.;/a", "/a/.;x", "/..%3b/a", "/;x/../a",
	"/a%2f..%2fb", "/..%2fa", "/a%2F.", "/a%2f..;x", "/..;%2fa",
	"/a/..%3fb", "/..%23", "/a%2f..%3f",
	"/%252e%252e/a", "/a/.%252e", "/a%252f..%252fb", "/..%253ba", "/..%253Fa", "/%252e%253b/a",
	`/a\b`, "/a%5cb", "/a%255cb", "/a%255Cb",
	"/a%", "/a%2", "/a%zz", "/a%u002e", "/%c0%ae", "/%ff", "/%25ff", "/%25c0%25ae", "/%25c3",
	"/a%00", "/a%2500", "/a%250a", "/a%257f", "/a\x00", "/a b", "/a\n", "/\xff", "/é",
	"/a#b", "/a%2525", "/a%252525", "/a%25253b",
}

func TestSomePathsAreNeverSafe(t *testing.T) {
	for _, raw := range neverSafe {
		for _, ignoreCase := range []bool{false, true} {
			got, others, safe := policy.PathRules{Allow: policy.AllPathKinds, IgnoreCase: ignoreCase}.Read(raw)
			assert.False(t, safe, "%q", raw)
			assert.Empty(t, got, "%q", raw)
			assert.Empty(t, others, "%q", raw)
		}
	}
}

// requireReadings checks that every server's reading of a path is among those that Read returns,
// and that none has a dot segment.
func requireReadings(t require.TestingT, raw string, allow policy.PathKinds) {
	first, others, safe := policy.PathRules{Allow: allow}.Read(raw)
	if !safe {
		require.Empty(t, first)
		require.Empty(t, others)
		return
	}
	readings := append([]string{first}, others...)
	require.LessOrEqual(t, len(readings), 256)
	var all [][]string
	for _, reading := range readings {
		require.NotRegexp(t, `[^!-~]|[\\;#?]|%(2e|5c|[01][0-9a-f]|7f)`, reading)
		segments := policytest.Segments(reading)
		require.NotContains(t, segments, "..")
		require.NotContains(t, segments, ".")
		all = append(all, policytest.WithoutRuns(segments))
	}
	p, _, _ := strings.Cut(raw, "?")
	for name, read := range policytest.Servers {
		want := policytest.WithoutRuns(read(p))
		require.True(t, slices.ContainsFunc(all, func(got []string) bool { return slices.Equal(want, got) }),
			"%q: a server that %s reads %q, which isn't among %q", raw, name, want, readings)
	}
}

// unsafePath draws targets of the kinds that can be allowed.
func unsafePath() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{"/", "/", "/", "/", "a", "b", "admin", ".", "..", ";", ";x=1", "%3b", "%2f", "%2F", "%3F", "%23", "%25",
		"%252f", "%252F", "%253b", "%253f", "%2541", "%25", "%41", "%c3%a9", "%25c3%25a9", "41", "zz", "?x"})
	return rapid.Map(rapid.SliceOfN(piece, 0, 7), func(pieces []string) string { return "/" + strings.Join(pieces, "") })
}

func TestEveryServersReadingIsKnown(t *testing.T) {
	passed := 0
	rapid.Check(t, func(t *rapid.T) {
		raw := unsafePath().Draw(t, "raw")
		allow := policy.PathKinds(rapid.ByteRange(0, byte(policy.AllPathKinds)).Draw(t, "allow"))
		requireReadings(t, raw, allow)
		if _, others, safe := (policy.PathRules{Allow: allow}).Read(raw); safe && len(others) > 0 {
			passed++
		}
	})
	assert.Greater(t, passed, 5)
}

func FuzzPathRules(f *testing.F) {
	for _, raw := range neverSafe {
		f.Add(raw, byte(policy.AllPathKinds))
	}
	for _, raw := range []string{"/a%2fb", "/a;v/b", "//a//b", "/100%25", "/a%253bx/b", "/a%3fb"} {
		f.Add(raw, byte(policy.AllPathKinds))
	}
	f.Fuzz(func(t *testing.T, raw string, allow byte) {
		requireReadings(t, raw, policy.PathKinds(allow)&policy.AllPathKinds)
	})
}

func TestIgnoringCaseFoldsASCIILetters(t *testing.T) {
	rules := policy.PathRules{IgnoreCase: true}
	for raw, want := range map[string]string{
		"/Admin/X":       "/admin/x",
		"/%41dmin":       "/admin",
		"/caf%c3%a9/%7b": "/caf%c3%a9/%7b",
		"/CAF%C3%89":     "/caf%c3%89", // É and é stay two letters
	} {
		got, others, safe := rules.Read(raw)
		assert.True(t, safe, raw)
		assert.Equal(t, want, got, raw)
		assert.Empty(t, others, raw)
	}
	// Unicode folds these to ASCII letters, so a server may.
	for raw, want := range map[string]string{
		"/pro%EF%AC%81le": "/profile", "/pa%c3%9fword": "/password", "/%EF%AC%86aff": "/staff", "/%E2%84%AAeys": "/keys", "/%c5%bfecret": "/secret", "/adm%C4%B0n": "/admin", "/adm%c4%b1n": "/admin",
	} {
		got, others, safe := rules.Read(raw)
		assert.True(t, safe, raw)
		assert.NotEqual(t, want, got)
		assert.Equal(t, []string{want}, others, raw)
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { rules.Read("/api/v1/orders/17?expand=Lines") }))
}

func TestPatternsThatIgnoreCase(t *testing.T) {
	rules := policy.PathRules{IgnoreCase: true}
	for _, pattern := range []string{"/Admin/**", "/admin/**", "/ADMIN/**"} {
		p, err := mustPattern(t, pattern).FoldCase()
		require.NoError(t, err)
		assert.Equal(t, pattern, p.String())
		for _, raw := range []string{"/admin/x", "/ADMIN/x", "/aDmIn", "/%41dmin/"} {
			path, _, _ := rules.Read(raw)
			assert.True(t, p.Match(path), "%s %s", pattern, raw)
		}
	}
	p, err := mustPattern(t, "/A%20b/*/C%7C").FoldCase()
	require.NoError(t, err)
	path, _, _ := rules.Read("/a%20B/*/c|")
	assert.True(t, p.Match(path))
	for _, pattern := range []string{"/caf%C3%A9", "/%E4%B8%AD/**", "/*/%CE%A9"} {
		p, err := mustPattern(t, pattern).FoldCase()
		require.Error(t, err, pattern)
		assert.Contains(t, err.Error(), "no letter beyond ASCII")
		assert.Equal(t, policy.Pattern{}, p)
	}
	_, err = mustPattern(t, "/price/%E2%82%AC").FoldCase()
	assert.NoError(t, err, "the euro sign is no letter")
}

func TestAStarMatchesNoEmptySegment(t *testing.T) {
	table := policy.NewTable([]policy.Route{route(t, "", "", "/users/*/avatar"), route(t, "", "", "/users/**")})
	assert.Equal(t, 1, table.Match("h", "GET", "/users//avatar"))
	assert.Equal(t, 0, table.Match("h", "GET", "/users/7/avatar"))
	assert.False(t, mustPattern(t, "/users/*/avatar").Match("/users//avatar"))
}

// A path of any length costs the same for each byte: every reading is bounded by it, and so is
// their number.
func TestReadingsAreBounded(t *testing.T) {
	for _, piece := range []string{"/", "//", ";", "%3b", "%2f", "%3f", "%23", "%25", "%252f", "%253b", "a;b%2fc%3bd%3f/", "%25%32"} {
		raw := "/a" + strings.Repeat(piece, 1000)
		first, others, safe := policy.PathRules{Allow: policy.AllPathKinds}.Read(raw)
		if !safe {
			continue
		}
		assert.LessOrEqual(t, len(others), 255, piece)
		for _, reading := range append(others, first) {
			assert.LessOrEqual(t, len(reading), 3*len(raw), piece)
		}
	}
}
