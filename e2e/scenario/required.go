package scenario

// required is the metadata.required that a refusal of a route must have, from the route's own
// fields in the configuration. It is nil if the reason has none, and where a file must say it: for
// alternatives (any_of), several claims, and scopes of both kinds.
func (s *Scenario) required(route, reason string) any {
	field := map[string]string{"group_required": "groups_any", "claim_required": "claims", "insufficient_scope": "scopes_all"}[reason]
	r := s.route(route)
	if field == "" || r == nil {
		return nil
	}
	if _, all := r["scopes_all"]; field == "scopes_all" && !all {
		field = "scopes_any"
	}
	return map[string]any{field: number(r[field])}
}

// route finds a route of the scenario's configuration by its name, or its path.
func (s *Scenario) route(name string) map[string]any {
	config, _ := merge(s.common.Configs[s.base()], s.Config).(map[string]any)
	routes, _ := config["routes"].([]any)
	for _, r := range routes {
		r, _ := r.(map[string]any)
		own, named := r["name"]
		if name != "" && (own == name || !named && r["path"] == name) {
			return r
		}
	}
	return nil
}
