package config_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/core/config"
)

// TestLimitsOfARouteAreThoseOfTheDefinition draws routes and limits. A limit applies to a route
// that names it. If it applies everywhere, it also applies to a route whose auth isn't none and
// that doesn't skip it. A preflight that passes charges those that are named or charged before
// authentication.
func TestLimitsOfARouteAreThoseOfTheDefinition(t *testing.T) {
	type object = map[string]any
	rapid.Check(t, func(t *rapid.T) {
		var limits []any
		var everywhere, before, all []string
		for i := range rapid.IntRange(0, 5).Draw(t, "limits") {
			name := "limit" + strconv.Itoa(i)
			limit := object{"name": name, "max_requests": 1, "window_seconds": 1, "identifier": []string{"ip"}}
			if rapid.Bool().Draw(t, "before") {
				limit["when"] = "before_auth"
				before = append(before, name)
			}
			all = append(all, name)
			switch rapid.IntRange(0, 2).Draw(t, "apply") {
			case 0:
				limit["apply"] = "by_name"
			case 1:
				limit["apply"] = "everywhere"
				everywhere = append(everywhere, name)
			default:
				everywhere = append(everywhere, name)
			}
			limits = append(limits, limit)
		}
		subset := func(of []string, label string) (out []string) {
			for _, name := range of {
				if rapid.Bool().Draw(t, label) {
					out = append(out, name)
				}
			}
			return out
		}
		auth := rapid.SampledFrom([]string{"required", "optional", "none"}).Draw(t, "auth")
		named := subset(all, "named")
		skipped := slices.DeleteFunc(subset(everywhere, "skipped"), func(name string) bool { return slices.Contains(named, name) })
		route := object{"path": "/**", "auth": auth}
		if named != nil || rapid.Bool().Draw(t, "empty list") {
			route["rate_limits"] = append([]string{}, named...)
			slices.Reverse(route["rate_limits"].([]string))
		}
		if skipped != nil {
			route["skip_rate_limits"] = skipped
		} else if rapid.Bool().Draw(t, "skip all") {
			route["skip_rate_limits"] = []string{"*"}
			skipped = everywhere
		}
		pass := rapid.Bool().Draw(t, "top level passes preflights")
		top := map[bool]string{false: "check", true: "pass"}[pass]
		if rapid.Bool().Draw(t, "route says") {
			pass = rapid.Bool().Draw(t, "route passes preflights")
			route["cors_preflight"] = map[bool]string{false: "check", true: "pass"}[pass]
		}
		doc, err := json.Marshal(object{
			"cors_preflight": top,
			"tokens":         object{"providers": []any{object{"name": "p", "claims_from": object{"envoy_metadata": object{"filter": "f", "key": "k"}}}}},
			"routes":         []any{route}, "rate_limits": append([]any{}, limits...),
		})
		if err != nil {
			t.Fatal(err)
		}
		c, err := config.Parse(doc, nil)
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		var want, preflight []int
		for i, name := range all {
			applies := slices.Contains(everywhere, name) && auth != "none" && !slices.Contains(skipped, name)
			if slices.Contains(named, name) || applies {
				want = append(want, i)
				if pass && (slices.Contains(named, name) || slices.Contains(before, name)) {
					preflight = append(preflight, i)
				}
			}
		}
		if got := c.Routes[0].PreflightLimits; !slices.Equal(got, preflight) || c.Routes[0].CORSPass != pass {
			t.Fatalf("%s: for preflights want %v, got %v", doc, preflight, got)
		}
		if got := c.Routes[0].RateLimits; !slices.Equal(got, want) {
			t.Fatalf("%s: want %v, got %v", doc, want, got)
		}
	})
}
