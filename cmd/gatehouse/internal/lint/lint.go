// Package lint finds what is valid in a configuration but can't be meant: routes that an earlier
// one hides, and limits, providers and alternatives that can't come into play. It also says what to
// write instead of what people bring from elsewhere.
package lint

import (
	"encoding/json"
	"strconv"
)

// Warning is a finding at a path of the configuration.
type Warning struct{ Path, Message string }

// document is what a valid configuration says about routes, limits and providers.
type document struct {
	PathCase string `json:"path_case"`
	Tokens   struct {
		Providers []struct{ Name string }
	}
	Routes []route
	Limits []limit `json:"rate_limits"`
}

type route struct {
	Path    string
	Methods []string
	Hosts   []string
	Auth    string
	requirements
	AnyOf      []requirements `json:"any_of"`
	RateLimits []string       `json:"rate_limits"`
	SkipLimits []string       `json:"skip_rate_limits"`
}

// requirements are what a route, or an alternative of its any_of, requires of a caller.
type requirements struct {
	Caller    string
	ScopesAll []string            `json:"scopes_all"`
	ScopesAny []string            `json:"scopes_any"`
	GroupsAny []string            `json:"groups_any"`
	Claims    map[string][]string `json:"claims"`
}

type limit struct {
	Name   string
	Caller string
	Apply  string
	When   string
}

// Warnings looks at a configuration that the parser has accepted.
func Warnings(config []byte) (out []Warning) {
	var d document
	if err := json.Unmarshal(config, &d); err != nil {
		return nil // a shape that only the parser knows
	}
	hidden := make([]bool, len(d.Routes))
	for i := range d.Routes {
		if w := d.hiding(i, hidden); w != "" {
			out = append(out, Warning{indexed("routes", i), w})
		}
		out = append(out, d.pathWarnings(i)...)
		out = append(out, d.Routes[i].alternatives(indexed("routes", i))...)
	}
	out = append(out, d.limits(hidden)...)
	out = append(out, d.providers()...)
	return append(out, variables(config)...)
}

func indexed(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }
