package config

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

func TestFormatsAndTheirPatternsAgree(t *testing.T) {
	formats := map[string]struct {
		*Format
		alphabet string
	}{
		"name":   {&nameFormat, "aZ9._-/ é"},
		"all":    {&nameOrAllFormat, "aZ9._-/*"},
		"token":  {&tokenFormat, "aZ9!#$%&'*+-.^_`|~ \":;,é\n"},
		"scope":  {&scopeFormat, "aZ9!#[]\\\"~ é\n\x7f"},
		"method": {&methodFormat, "AZ9_-a "},
		"path":   {&pathFormat, "/a?"},
		"uri":    {&uriFormat, "a/:?#@[] \\é\n\"~>A"},
		"prefix": {&prefixFormat, "az9-_A"},
		"origin": {&originFormat, "https://a.Z9[]:_-é "},
		"env":    {&envFormat, "aZ9_-= é"},
		"state":  {&stateFormat, "az09_A-é"},
		"target": {&targetFormat, "/aZ9?#% é\n~"},
		"URL":    {&resourceFormat, "aZ9/:?#@[].~ \\é\n\""},
	}
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			re := regexp.MustCompile(f.Pattern)
			rapid.Check(t, func(t *rapid.T) {
				s := string(rapid.SliceOfN(rapid.SampledFrom([]rune(f.alphabet)), 0, 8).Draw(t, "s"))
				switch f.Format {
				case &uriFormat:
					s = rapid.SampledFrom([]string{"", "http://", "https://", "http:/", "HTTP://"}).Draw(t, "scheme") + s
				case &resourceFormat:
					s = rapid.SampledFrom([]string{"", "http://", "http://localhost", "http://127.", "http://127.0.0.1", "http://[::1]", "https://", "HTTPS://a"}).Draw(t, "begin") + s
				case &originFormat:
					s = rapid.SampledFrom([]string{"", "http://", "https://", "HTTP://"}).Draw(t, "scheme") + s
				case &targetFormat, &pathFormat:
					s = rapid.SampledFrom([]string{"", "/"}).Draw(t, "begin") + s
				}
				if f.ok(s) != re.MatchString(s) {
					t.Fatalf("%q: the function says %v, the pattern %v", s, f.ok(s), !f.ok(s))
				}
			})
		})
	}
}

func TestNumbersAreIntegersHoweverTheyAreWritten(t *testing.T) {
	for literal, want := range map[string]int64{"0": 0, "-0": 0, "60": 60, "60.0": 60, "6e1": 60, "6E+1": 60, "600e-1": 60, "-5": -5, "9007199254740992": 1 << 53} {
		if got, ok := integer(literal); !ok || got != want {
			t.Errorf("%s: want %d, got %d, %v", literal, want, got, ok)
		}
	}
	for _, literal := range []string{"0.5", "1e-1", "1e300", "-1e300", "1e999", "18446744073709551616"} {
		if got, ok := integer(literal); ok {
			t.Errorf("%s: want none, got %d", literal, got)
		}
	}
}

func TestEditDistanceIsLevenshteinsUpToTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.StringMatching(`[ab]{0,6}`).Draw(t, "a")
		b := rapid.StringMatching(`[ab]{0,6}`).Draw(t, "b")
		if got, want := editDistance(a, b, 4), min(slowDistance(a, b), 4); got != want {
			t.Fatalf("%q, %q: want %d, got %d", a, b, want, got)
		}
	})
}

// slowDistance is the definition.
func slowDistance(a, b string) int {
	switch {
	case a == "":
		return len(b)
	case b == "":
		return len(a)
	case a[0] == b[0]:
		return slowDistance(a[1:], b[1:])
	}
	return 1 + min(slowDistance(a[1:], b), slowDistance(a, b[1:]), slowDistance(a[1:], b[1:]))
}
