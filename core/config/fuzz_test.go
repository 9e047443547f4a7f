package config_test

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/core/config"
)

// FuzzParse: whatever the document, Parse ends, each error has a place, no secret shows, and what
// is accepted is consistent.
func FuzzParse(f *testing.F) {
	for _, c := range refused {
		if len(c.doc) < 4096 {
			f.Add([]byte(c.doc))
		}
	}
	f.Add([]byte(everything))
	f.Add([]byte(`{` + closed + `}`))
	const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"
	f.Fuzz(func(t *testing.T, doc []byte) {
		c, err := config.Parse(doc, func(name string) (string, bool) { return secret, name != "UNSET" })
		if err != nil {
			var problems config.Problems
			if !errors.As(err, &problems) || len(problems) == 0 || c != nil {
				t.Fatalf("%v, %v", c, err)
			}
			for _, p := range problems {
				if p.Path == "" || p.Message == "" || strings.ContainsAny(p.Path+p.Message, "\n\r") {
					t.Fatalf("%q", p)
				}
			}
			if strings.Contains(err.Error(), secret) && !strings.Contains(string(doc), secret) {
				t.Fatal("secret in", err)
			}
			return
		}
		consistent(t, c)
	})
}

func consistent(t *testing.T, c *config.Config) {
	if len(c.Routes) == 0 {
		t.Fatal("no routes")
	}
	for _, p := range c.Tokens.Providers {
		sources := 0
		for _, has := range []bool{p.Inline != nil, p.Remote != nil, p.ClaimsFrom != nil} {
			if has {
				sources++
			}
		}
		if sources != 1 || p.Name == "" || (p.ClaimsFrom == nil) != (p.Algorithms != 0) || p.ClaimsFrom == nil && p.Issuer == "" {
			t.Fatalf("%+v", p)
		}
		if p.ClaimsFrom == nil && p.AnyAudience == (len(p.Audiences) > 0) {
			t.Fatalf("%+v", p)
		}
	}
	for _, l := range c.Limits {
		if len(l.Windows) == 0 || len(l.Windows) > 4 || len(l.Identifier) == 0 || l.MaxIdentifiers < 1 {
			t.Fatalf("%+v", l)
		}
	}
	for _, r := range c.Routes {
		for i, index := range r.RateLimits {
			if i > 0 && r.RateLimits[i-1] >= index {
				t.Fatalf("not in order: %v", r.RateLimits)
			}
			for _, w := range c.Limits[index].Windows {
				if r.Cost < 1 || r.Cost > w.Max || w.Length < second {
					t.Fatalf("%+v, %+v", r, w)
				}
			}
		}
	}
}
