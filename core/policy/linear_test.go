package policy_test

import (
	"strings"
	"testing"

	"gatehouse/core/policy"
)

// TestManySeparatorsCostLinearWork would take hours if each separator cost work in the rest of the
// value.
func TestManySeparatorsCostLinearWork(t *testing.T) {
	units := []string{"/", "/a", "//", "/.", "/..", ".", "%", "%2", "%2f", "/%2F", "%25", "%252f", "%25%32%35", "%3f", "%23", "%3b", ";", ";a/",
		"/;", "a;b%2fc%3bd/", "%c3%a9", "%C5%BF", "{", "?", "#", "\\", "\x00", "é", ":", "[", "]", ",", "@", "1.", "0x.", "A"}
	table := policy.NewTable([]policy.Route{
		route(t, "", "", "/a/*/*/*/*/*/*/*/*/x"), route(t, "", "", "/*/a/*/a/*/a/*/a/**"), route(t, "", "*.example.com", "/**"),
	})
	for _, unit := range units {
		value := strings.Repeat(unit, 4<<20/len(unit))
		_ = policy.SafeMethod(value)
		_, _ = policy.NormalizeHost(value)
		_, _ = policy.NormalizeHost("[" + value + "]")
		path, _ := policy.NormalizePath("/" + value)
		_ = table.Match("a.example.com", "GET", path)
		_ = table.Match("a.example.com", "GET", "/a/b/c/d/e/f/g/h/"+value)
		// A path with every kind has up to 256 readings, each as long as the path.
		for _, raw := range []string{"/" + value, "/a%2f;%3b%3f%25//" + value} {
			_, _, _ = policy.PathRules{Allow: policy.AllPathKinds, IgnoreCase: true}.Read(raw[:1<<17])
		}
	}
}
