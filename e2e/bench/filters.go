package main

import (
	"encoding/json"
	"fmt"
)

type object = map[string]any

const typePrefix = "type.googleapis.com/envoy.extensions."

// filter is an entry of http_filters.
func filter(name, typ string, config object) object {
	typed := object{"@type": typePrefix + typ}
	for k, v := range config {
		typed[k] = v
	}
	return object{"name": name, "typed_config": typed}
}

// router ends every chain.
func router() object {
	return filter("envoy.filters.http.router", "filters.http.router.v3.Router", nil)
}

// wasm loads a module; configuration may be nil.
func wasm(module string, configuration object) object {
	config := object{
		"name": "gate", "failure_policy": "FAIL_CLOSED",
		"vm_config": object{
			"vm_id": "bench", "runtime": "envoy.wasm.runtime.v8",
			"code": object{"local": object{"filename": module}},
		},
	}
	if configuration != nil {
		text, err := json.Marshal(configuration)
		if err != nil {
			panic(err) // maps of strings and numbers
		}
		config["configuration"] = object{
			"@type": "type.googleapis.com/google.protobuf.StringValue", "value": string(text),
		}
	}
	return filter("gatehouse", "filters.http.wasm.v3.Wasm", object{"config": config})
}

// jwtAuthn is Envoy's own verification. cacheSize 0 leaves its token cache off, which is its
// default.
func jwtAuthn(keys string, cacheSize int) object {
	provider := object{
		"issuer": issuerName, "audiences": []any{audience},
		"local_jwks":          object{"inline_string": keys},
		"from_headers":        []any{object{"name": "authorization", "value_prefix": "Bearer "}},
		"forward":             true,
		"payload_in_metadata": "payload",
		"claim_to_headers":    []any{object{"header_name": "x-user", "claim_name": "sub"}},
		"clear_route_cache":   false,
		"clock_skew_seconds":  60,
		"require_expiration":  true,
	}
	if cacheSize > 0 {
		provider["jwt_cache_config"] = object{"jwt_cache_size": cacheSize}
	}
	return filter("envoy.filters.http.jwt_authn", "filters.http.jwt_authn.v3.JwtAuthentication", object{
		"providers": object{"main": provider},
		"rules":     []any{object{"match": object{"prefix": "/"}, "requires": object{"provider_name": "main"}}},
	})
}

// localRateLimit is Envoy's own limiter, with the headers that it can send and one token bucket for
// all.
func localRateLimit() object {
	enabled := object{"default_value": object{"numerator": 100, "denominator": "HUNDRED"}}
	return filter("envoy.filters.http.local_ratelimit", "filters.http.local_ratelimit.v3.LocalRateLimit", object{
		"stat_prefix": "bench",
		"token_bucket": object{
			"max_tokens": ample, "tokens_per_fill": ample, "fill_interval": "60s",
		},
		"filter_enabled": enabled, "filter_enforced": enabled,
		"enable_x_ratelimit_headers": "DRAFT_VERSION_03",
	})
}

// jsonAccessLog writes a line of JSON for each request, with what an audit event holds as far as
// Envoy knows it.
func jsonAccessLog(path string) object {
	return object{"name": "envoy.access_loggers.file", "typed_config": object{
		"@type": typePrefix + "access_loggers.file.v3.FileAccessLog", "path": path,
		"log_format": object{"json_format": object{
			"timestamp": "%START_TIME%", "user_id": "%REQ(X-USER)%", "path": "%REQ(:PATH)%", "method": "%REQ(:METHOD)%",
			"status_code": "%RESPONSE_CODE%", "ip_address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
			"user_agent": "%REQ(USER-AGENT)%", "details": "%RESPONSE_CODE_DETAILS%", "duration_ms": "%DURATION%",
			"request_id": "%REQ(X-REQUEST-ID)%",
		}},
	}}
}

// auditLog writes the audit event that the filter leaves in filter state, as the repository's
// envoy.yaml does.
func auditLog(path string) object {
	return object{"name": "envoy.access_loggers.file", "typed_config": object{
		"@type": typePrefix + "access_loggers.file.v3.FileAccessLog", "path": path,
		"log_format": object{
			"omit_empty_values":  true,
			"text_format_source": object{"inline_string": "%FILTER_STATE(wasm.gatehouse_audit:PLAIN)%\n"},
		},
	}}
}

// bootstrap is an Envoy with one listener, which answers every request that its filters let
// through.
func bootstrap(filters []object, accessLog object) object {
	chain := []any{}
	for _, f := range filters {
		chain = append(chain, f)
	}
	manager := object{
		"@type":       typePrefix + "filters.network.http_connection_manager.v3.HttpConnectionManager",
		"stat_prefix": "bench", "use_remote_address": true,
		"http_filters": append(chain, router()),
		"route_config": object{"virtual_hosts": []any{object{
			"name": "all", "domains": []any{"*"}, "routes": []any{object{
				"match": object{"prefix": "/"}, "direct_response": object{"status": 200, "body": object{"inline_string": "ok\n"}},
			}},
		}}},
	}
	if accessLog != nil {
		manager["access_log"] = []any{accessLog}
	}
	loopback := object{"socket_address": object{"address": "127.0.0.1", "port_value": 0}}
	return object{
		"admin": object{"address": loopback},
		"static_resources": object{"listeners": []any{object{
			"name": "bench", "address": object{"socket_address": object{"address": "127.0.0.1", "port_value": 0}},
			"filter_chains": []any{object{"filters": []any{object{
				"name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
			}}}},
		}}},
	}
}

// gate is a configuration of Gatehouse in which nothing is asked for but what its options add.
func gate(options ...func(object)) object {
	config := object{
		"routes": []any{object{"path": "/**", "auth": "none"}},
		"audit":  object{"enabled": false}, "identity_headers": "none", "metrics": object{"per_route": true},
	}
	for _, option := range options {
		option(config)
	}
	return config
}

// withTokens asks for a token of the issuer on every route.
func withTokens(keys string) func(object) {
	return func(c object) {
		var set any
		if err := json.Unmarshal([]byte(keys), &set); err != nil {
			panic(err) // the issuer's own JWK Set
		}
		c["tokens"] = object{"providers": []any{object{
			"name": "main", "issuer": issuerName, "audiences": []any{audience}, "algorithms": []any{"RS256"},
			"clock_skew_seconds": 60, "jwks": object{"inline": set},
		}}}
		c["routes"] = []any{object{"path": "/**"}}
	}
}

// withLimit adds a limit per caller, or per address where nothing asks for a token.
func withLimit(maxRequests int) func(object) {
	return func(c object) {
		limit := object{"name": "per-caller", "max_requests": maxRequests, "window_seconds": 60}
		if _, ok := c["tokens"]; !ok {
			limit["identifier"] = []any{"ip"}
			c["routes"] = []any{object{"path": "/**", "auth": "none", "rate_limits": []any{"per-caller"}}}
		}
		c["rate_limits"] = []any{limit}
	}
}

// withAudit records each request in filter state, for the access log, and nowhere else.
func withAudit(c object) { c["audit"] = object{"log": "none"} }

// withIdentity sends identity headers upstream.
func withIdentity(c object) { delete(c, "identity_headers") }

// withChain links audit events by HMAC.
func withChain(c object) {
	c["audit"].(object)["chain"] = object{
		"key_id": "bench", "hmac_key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
	}
}

// withRoutes puts n-1 other routes in front of the one that all requests take.
func withRoutes(n int) func(object) {
	return func(c object) {
		routes := c["routes"].([]any)
		last := routes[len(routes)-1]
		var all []any
		for i := range n - 1 {
			all = append(all, object{"path": fmt.Sprintf("/service-%d/items/*", i)})
		}
		c["routes"] = append(all, last)
	}
}

// withCache says how many tokens are remembered. With 16, callers who take turns never find theirs.
func withCache(entries int) func(object) {
	return func(c object) { c["tokens"].(object)["cache_entries"] = entries }
}

// withLimits adds n limits per caller, all of which every request meets.
func withLimits(n int) func(object) {
	return func(c object) {
		var limits []any
		for i := range n {
			limits = append(limits, object{"name": fmt.Sprintf("limit-%d", i), "max_requests": ample, "window_seconds": 60})
		}
		c["rate_limits"] = limits
	}
}

// withWindow adds one limit per caller.
func withWindow(maxRequests, seconds int) func(object) {
	return func(c object) {
		c["rate_limits"] = []any{object{"name": "per-caller", "max_requests": maxRequests, "window_seconds": seconds}}
	}
}

// withHeaderLimit limits by a header, so that the load generator can be as many callers as it
// likes.
func withHeaderLimit(c object) {
	c["routes"] = []any{object{"path": "/**", "auth": "none", "rate_limits": []any{"per-id"}}}
	c["rate_limits"] = []any{object{
		"name": "per-id", "max_requests": ample, "window_seconds": 3600, "identifier": []any{"header:x-id"},
		"max_identifiers": 1_000_000,
	}}
}
