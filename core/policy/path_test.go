package policy_test

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/policy"
)

func TestNormalizePathReturnsOneSpellingOfAPath(t *testing.T) {
	for raw, want := range map[string]string{
		"/":                       "/",
		"/a/b":                    "/a/b",
		"/a/b/":                   "/a/b/",
		"/a?x=/../;%zz#y":         "/a",
		"/?":                      "/",
		"/%61%2D%2d%7E%5f":        "/a--~_",
		"/a%40b%3Ac":              "/a@b:c",
		"/%21%24%26%27%28%29%2A":  "/!$&'()*",
		"/%2B%2C%3D":              "/+,=",
		"/caf%c3%a9":              "/caf%C3%A9",
		"/%E2%82%AC%f0%9f%98%80x": "/%E2%82%AC%F0%9F%98%80x",
		"/a%20b%22":               "/a%20b%22",
		"/{id}|^`\"<>[]":          "/%7Bid%7D%7C%5E%60%22%3C%3E%5B%5D",
		"/%7bid%7D":               "/%7Bid%7D",
		"/...":                    "/...",
		"/.well-known/a..b/..c":   "/.well-known/a..b/..c",
		"/A/a":                    "/A/a",
	} {
		got, safe := policy.NormalizePath(raw)
		assert.True(t, safe, raw)
		assert.Equal(t, want, got, raw)
	}
}

func TestNormalizePathRefusesWhatARouterCouldReadDifferently(t *testing.T) {
	for _, raw := range []string{
		"", "*", "a", "a/b", "?x", "http://host/a", "host:443", // no path: empty, OPTIONS *, relative, absolute and authority form
		"//", "//a", "/a//b", "/a//", "/a//?x",
		"/.", "/..", "/./a", "/../a", "/a/.", "/a/..", "/a/../b", "/a/./b", "/a/..?x",
		"/%2e", "/%2E%2e/a", "/.%2e/a", "/a%2Eb",
		"/a%2fb", "/a%2Fb", "/a%5cb", `/a\b`, `/a/..\b`,
		"/a;b", "/a;", "/..;/a", "/a%3bb", "/a%3Bb",
		"/a%25b", "/a%252e", "/a%252fb",
		"/a%3fb", "/a%3F", "/a%23", "/a%23b?c",
		"/a%", "/a%2", "/a%zz", "/a%2g", "/a%g2", "/%u002e", "/a%?20",
		"/a%00", "/a%0a", "/a%0D", "/a%1f", "/a%7F",
		"/a\x00", "/a\n", "/a\r\nb", "/a\tb", "/a b", "/a\x7f",
		"/a#b", "/a#",
		"/café", "/\xff", "/\x80", "/\uff0e\uff0e/a",
		"/%ff", "/%80", "/%c3", "/%c3x", "/%c3%28", "/%C0%AE", "/%c0%af", "/%e0%80%af", "/%f0%80%80%af", "/%ed%a0%80", "/%f4%90%80%80",
	} {
		got, safe := policy.NormalizePath(raw)
		assert.False(t, safe, "%q", raw)
		assert.Empty(t, got, "%q", raw)
	}
}

var (
	unsafeBytes   = regexp.MustCompile(`[^!-~]|[\\;#]`)
	unsafeEscapes = regexp.MustCompile(`(?i)%(2e|2f|5c|25|3b|3f|23|[01][0-9a-f]|7f)`)
	anyEscape     = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	plainByte     = regexp.MustCompile(`^[A-Za-z0-9\-._~!$&'()*+,=:@]$`)
)

// oracle reads paths with the standard library's decoder and regular expressions.
func oracle(raw string) (normal string, safe bool) {
	p, _, _ := strings.Cut(raw, "?")
	decoded, err := url.PathUnescape(p)
	if err != nil || !strings.HasPrefix(p, "/") || !utf8.ValidString(decoded) ||
		unsafeBytes.MatchString(p) || unsafeEscapes.MatchString(p) || !isClean(p) {
		return "", false
	}
	var out strings.Builder
	for _, c := range []byte(decoded) {
		if c == '/' || plainByte.Match([]byte{c}) {
			out.WriteByte(c)
		} else {
			out.WriteString(strings.ToUpper(url.PathEscape(string([]byte{c}))))
		}
	}
	return out.String(), true
}

// isClean reports whether a path is without dot and empty segments; a slash at its end is fine.
func isClean(p string) bool {
	clean := path.Clean(p)
	return p == clean || clean != "/" && p == clean+"/"
}

// rawPath draws targets in which everything that matters is frequent.
func rawPath() *rapid.Generator[string] {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"/", "/", "/", "a", "b", ".", "..", "%2e", "%2F", "%5C", "%25", ";", "\\", "?", "#", "%", "%4", "%41",
			"%c3%a9", "%c3", "%C0%AF", "%40", "@", "~", "%7E", "{", "*", "**", " ", "%20", "\x00", "é", "%3B", "%3f", "%23", "x=1", "//", "A", "|"}),
		rapid.StringN(0, 3, 3),
	)
	return rapid.Map(rapid.SliceOfN(piece, 0, 8), func(pieces []string) string { return "/" + strings.Join(pieces, "") })
}

func TestNormalizePathAgreesWithAnIndependentReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rawPath().Draw(t, "raw")
		want, wantSafe := oracle(raw)
		got, safe := policy.NormalizePath(raw)
		if safe != wantSafe || got != want {
			t.Fatalf("%q: got %q, %v; want %q, %v", raw, got, safe, want, wantSafe)
		}
	})
}

// requireNormal checks what is true for the normal form of every safe path.
func requireNormal(t require.TestingT, normal string) {
	again, safe := policy.NormalizePath(normal)
	require.True(t, safe, "%q", normal)
	require.Equal(t, normal, again, "normalizing twice changes nothing")
	require.NotContains(t, normal, "//")
	for _, segment := range strings.Split(normal, "/") {
		require.NotContains(t, []string{".", ".."}, segment)
	}
	for _, escape := range anyEscape.FindAllString(normal, -1) {
		require.Equal(t, strings.ToUpper(escape), escape)
		decoded, err := url.PathUnescape(escape)
		require.NoError(t, err)
		require.False(t, plainByte.MatchString(decoded), "%q has no need of %s", normal, escape)
	}
}

func FuzzNormalizePath(f *testing.F) {
	for _, seed := range []string{"/", "/a/b?c", "/%61", "/%c3%a9", "/a/../b", "//", "/a;b", "/a%2fb", "/{id}", "*", "", "/%", "/a%25b",
		"/a\\b", "/é", "/%C0%AE", "http://h/p"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		normal, safe := policy.NormalizePath(raw)
		want, wantSafe := oracle(raw)
		require.Equal(t, wantSafe, safe)
		require.Equal(t, want, normal)
		if safe {
			requireNormal(t, normal)
		}
		requireReadings(t, raw, policy.AllPathKinds)
	})
}

func TestNormalizePathDoesNotAllocateForANormalPath(t *testing.T) {
	for _, raw := range []string{"/", "/api/v1/orders/17?expand=lines", "/caf%C3%A9/a%20b/", "/a/../b", "/a%2fb"} {
		assert.Zero(t, testing.AllocsPerRun(100, func() { policy.NormalizePath(raw) }), raw)
	}
}

func BenchmarkNormalizePath(b *testing.B) {
	for name, raw := range map[string]string{
		"plain":   "/api/v1/orders/0198c2f1-7a7c-7a52-8d1e-5e5b6f0c1d2e/lines?expand=all",
		"escaped": "/api/v1/orders/a%20b%C3%A9?expand=all",
		"decoded": "/api/v1/%6frders/17",
		"unsafe":  "/api/v1/../admin",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				policy.NormalizePath(raw)
			}
		})
	}
}
