package real

import (
	"errors"
	"fmt"
	"strings"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
	"gatehouse/e2e/scenario"
)

type object = map[string]any

// edits turn the repo's envoy.yaml into one with a listener for each scenario. All share one vm_id,
// and with it a VM, as a VM for each would take seconds to compile; so state that Gatehouse shares
// within a vm_id is shared by scenarios, which is why no two of them may have a limit of the same
// name.
func edits(scenarios []*scenario.Scenario, name func(*scenario.Scenario) string, issuer *toy.Issuer, upstream string) []envoy.Edit {
	env := object{}
	out := []envoy.Edit{
		envoy.Endpoint("upstream", upstream),
		envoy.Endpoint("idp", issuer.Address()),
		nowhere,
		istioTags,
	}
	for _, s := range scenarios {
		for variable, value := range s.Env {
			env[variable] = value
		}
		out = append(out, listener(s, name(s), issuer))
	}
	return append(out, envoy.RemoveListener("gate"), envoy.RemoveListener("gate_envoy_jwt"), environment(env))
}

// listener adds a scenario's.
func listener(s *scenario.Scenario, name string, issuer *toy.Issuer) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		config, err := s.PluginConfig(issuer.JWKS())
		if err != nil {
			return err
		}
		from := "gate"
		if s.Around.JWTAuthn != "" {
			from = "gate_envoy_jwt"
		}
		if err := errors.Join(envoy.CopyListener(from, name)(b), envoy.PluginConfig(name, string(config))(b)); err != nil {
			return err
		}
		manager, err := b.ConnectionManager(name)
		if err != nil {
			return err
		}
		if sourcesVary(s) {
			manager["xff_num_trusted_hops"] = 1
		}
		manager["access_log"] = []any{accessLog(name)}
		if s.Around.JWTAuthn != "" {
			if err := jwtAuthn(b, name, s.Around.JWTAuthn, issuer); err != nil {
				return err
			}
		}
		if n := s.Around.LocalRateLimit; n > 0 {
			filters, _ := manager["http_filters"].([]any)
			last := len(filters) - 1 // the router
			manager["http_filters"] = append(filters[:last:last], localRateLimit(n), filters[last])
		}
		return nil
	}
}

// sourcesVary reports whether clients have addresses that a loopback connection can't have.
func sourcesVary(s *scenario.Scenario) bool {
	for i := range s.Steps {
		if !local(s.Steps[i].Request.IP()) {
			return true
		}
	}
	return false
}

func local(ip string) bool { return strings.HasPrefix(ip, "127.") }

// The time at which Envoy began to read a request: its format, and how Go reads that.
const (
	startFormat = "%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%"
	startLayout = "2006-01-02T15:04:05.000000Z"
)

// accessLog writes the facts about each request that the runner can learn only from Envoy.
func accessLog(name string) object {
	return object{
		"name": "envoy.access_loggers.stdout",
		"typed_config": object{
			"@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
			"path":  "/dev/stdout",
			"log_format": object{"json_format": object{
				"listener": name,
				"start":    startFormat,
				"details":  "%RESPONSE_CODE_DETAILS%",
				"audit":    "%FILTER_STATE(wasm.gatehouse_audit:PLAIN)%",
				"id":       "%REQ(x-request-id)%",
			}},
		},
	}
}

// jwtAuthn adapts the jwt_authn filter of envoy.yaml: the issuer's keys at once, and with "strict"
// bad tokens refused.
func jwtAuthn(b envoy.Bootstrap, listener, how string, issuer *toy.Issuer) error {
	filter, err := b.HTTPFilter(listener, "JwtAuthentication")
	if err != nil {
		return err
	}
	providers, _ := filter["providers"].(object)
	provider, ok := providers["main"].(object)
	if !ok {
		return fmt.Errorf("listener %s: jwt_authn has no provider main", listener)
	}
	provider["issuer"] = scenario.IssuerName
	delete(provider, "remote_jwks")
	provider["local_jwks"] = object{"inline_string": string(issuer.JWKS())}
	if how == "strict" {
		filter["rules"] = []any{object{"match": object{"prefix": "/"}, "requires": object{"provider_name": "main"}}}
	}
	return nil
}

func localRateLimit(requests int) object {
	always := object{"default_value": object{"numerator": 100, "denominator": "HUNDRED"}}
	return object{
		"name": "envoy.filters.http.local_ratelimit",
		"typed_config": object{
			"@type":       "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
			"stat_prefix": "scenario", "filter_enabled": always, "filter_enforced": always,
			"token_bucket": object{"max_tokens": requests, "tokens_per_fill": 1, "fill_interval": "3600s"},
		},
	}
}

// environment gives all VMs the same variables: Envoy tells VMs apart by vm_id, configuration and
// code alone.
func environment(variables object) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		resources, _ := b["static_resources"].(object)
		listeners, _ := resources["listeners"].([]any)
		for _, l := range listeners {
			l, _ := l.(object)
			name, _ := l["name"].(string)
			filter, err := b.HTTPFilter(name, "Wasm")
			if err != nil {
				return err
			}
			config, _ := filter["config"].(object)
			vm, ok := config["vm_config"].(object)
			if !ok {
				return fmt.Errorf("listener %s: no vm_config", name)
			}
			vm["environment_variables"] = object{"key_values": variables}
		}
		return nil
	}
}

// nowhere is a cluster whose host refuses connections: only root can listen on port 1.
func nowhere(b envoy.Bootstrap) error {
	return envoy.AddCluster(`{name: nowhere, connect_timeout: 0.2s, load_assignment: {cluster_name: nowhere, endpoints: [{lb_endpoints: [
		{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}}]}]}}`)(b)
}

// istioTags are what Istio's bootstrap has for the labels in proxyConfig.extraStatTags.
func istioTags(b envoy.Bootstrap) error {
	stats, _ := b["stats_config"].(object)
	if stats == nil {
		return errors.New("no stats_config")
	}
	tags, _ := stats["stats_tags"].([]any)
	for _, label := range []string{"reason", "route", "decision", "caller", "result", "rule", "event_type", "provider", "version"} {
		tags = append(tags, object{"tag_name": label, "regex": `(` + label + `=\.=(.*?);\.;)`})
	}
	stats["stats_tags"] = tags
	b["stats_flush_on_admin"] = true // else histograms are five seconds old
	return nil
}
