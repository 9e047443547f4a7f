package main

import (
	"gatehouse/cmd/gatehouse/internal/explain"
	"gatehouse/core"
	"gatehouse/core/caller"
	"gatehouse/core/config"
	"gatehouse/core/policy"
	"gatehouse/core/reason"
)

// explanation is what `explain` prints.
type explanation struct {
	Decision string           `json:"decision"` // admitted, refused, or answered by Gatehouse itself
	Status   *int             `json:"status"`   // of a refusal
	Reason   *string          `json:"reason"`
	WouldBe  *string          `json:"would_be"`
	Why      string           `json:"why"`
	Route    *explainedRoute  `json:"route"`
	Caller   *explainedCaller `json:"caller"`
	Limits   []explainedLimit `json:"limits"`
	// Compared is what was seen against what is configured.
	Compared []explain.Comparison `json:"compared"`
	// Nearest is a route that didn't match and would have decided instead; null if none came near.
	Nearest *explain.Near `json:"nearest_route"`
	Notes   []string      `json:"notes"`
}

type explainedRoute struct {
	Index  int      `json:"index"`
	Name   string   `json:"name"`
	Path   string   `json:"path"`
	Auth   string   `json:"auth"`
	Caller string   `json:"caller"`
	Limits []string `json:"rate_limits"`
}

type explainedCaller struct {
	Kind     string   `json:"kind"`
	Evidence *string  `json:"evidence"`
	Provider *string  `json:"provider"`
	UserID   *string  `json:"user_id"`
	ClientID *string  `json:"client_id"`
	Scopes   []string `json:"scopes"`
	Groups   []string `json:"groups"`
}

type explainedLimit struct {
	Name     string            `json:"name"`
	Admitted bool              `json:"admitted"`
	Shadow   bool              `json:"shadow"`
	Windows  []explainedWindow `json:"windows"`
}

type explainedWindow struct {
	Limit     uint64 `json:"limit"`
	Remaining uint64 `json:"remaining"`
}

func explanationOf(cfg *config.Config, d *core.Decision, hasToken bool) explanation {
	e := explanation{Decision: "admitted", Limits: []explainedLimit{}, Why: why(cfg, d), Compared: []explain.Comparison{}, Notes: []string{}}
	if d.Verdict == core.Answer {
		e.Decision = "answered"
	} else if d.Verdict != core.Admit {
		status := d.Reason.Status()
		e.Decision, e.Status, e.Reason = "refused", &status, orNull(d.Reason.String())
	}
	e.WouldBe = orNull(d.WouldBe.String())
	if d.Route >= 0 {
		e.Route = describeRoute(cfg, d.Route)
	}
	switch p := d.Principal; {
	case p != nil:
		e.Caller = &explainedCaller{
			Kind: p.Kind.String(), Evidence: orNull(p.Evidence), Provider: &cfg.Tokens.Providers[p.Provider].Name,
			UserID: orNull(p.UserID), ClientID: orNull(p.ClientID), Scopes: orEmpty(p.Scopes), Groups: orEmpty(p.Groups),
		}
	case !hasToken:
		e.Caller = &explainedCaller{Kind: "anonymous", Scopes: []string{}, Groups: []string{}}
	}
	for _, m := range d.LimitResults() {
		l := explainedLimit{Name: cfg.Limits[m.Limit].Name, Admitted: m.Result.Admitted, Shadow: cfg.Limits[m.Limit].Shadow}
		for _, w := range m.Result.Windows[:m.Result.N] {
			l.Windows = append(l.Windows, explainedWindow{w.Limit, w.Remaining})
		}
		e.Limits = append(e.Limits, l)
	}
	return e
}

func describeRoute(cfg *config.Config, i int) *explainedRoute {
	r := &cfg.Routes[i]
	route := &explainedRoute{
		Index: i, Name: r.Name, Path: r.Pattern.String(), Limits: []string{},
		Auth:   map[policy.Auth]string{policy.Required: "required", policy.Optional: "optional", policy.None: "none"}[r.Auth],
		Caller: caller.Any.String(),
	}
	if len(r.AnyOf) == 1 {
		route.Caller = r.AnyOf[0].Caller.String()
	}
	for _, l := range r.RateLimits {
		route.Limits = append(route.Limits, cfg.Limits[l].Name)
	}
	return route
}

// why is the decision in words.
func why(cfg *config.Config, d *core.Decision) string {
	because := d.Reason
	if d.WouldBe != reason.None {
		because = d.WouldBe
	}
	text := whyText(because)
	if d.WouldBe != reason.None {
		text = "admitted in observe mode; otherwise: " + text
	}
	if d.Rule >= 0 {
		text += " (" + cfg.Limits[d.Rule].Name + ")"
	}
	return text
}

func whyText(r reason.Reason) string {
	if text, ok := whys[r]; ok {
		return text
	}
	return "the token is bad: " + r.String()
}

var whys = map[reason.Reason]string{
	reason.None:              "every requirement of the route is met",
	reason.MissingToken:      "the route wants a token, or more than an anonymous caller has",
	reason.HumanRequired:     "the route wants a human",
	reason.MachineRequired:   "the route wants a machine",
	reason.InsufficientScope: "the token lacks a scope that the route wants",
	reason.GroupRequired:     "the caller is in none of the groups that the route wants",
	reason.ClaimRequired:     "a claim hasn't a value that the route wants",
	reason.NoRoute:           "no route matches host, method and path",
	reason.RateLimited:       "a rate limit refuses",
	reason.UnsafePath:        "the path could be read in more than one way",
	reason.UnsafeMethod:      "the method could be read in more than one way",
	reason.UnsafeHost:        "the host could be read in more than one way",
	reason.KeysUnavailable:   "the provider's keys are not to be had",
	reason.Contention:        "a rate limit's state could not be updated",
	reason.Internal:          "a fault of Gatehouse's own",
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
