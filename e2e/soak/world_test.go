package soak_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

type object = map[string]any

// keyText is the key of the audit chain, base64.
const keyText = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// providerOf is a provider's configuration. Its cluster has the provider's name.
func providerOf(name string, more object) object {
	p := object{
		"name": name, "issuer": issuerURL(name), "audiences": []any{"orders"}, "algorithms": []any{"RS256", "ES256"},
		"jwks": object{
			"cluster": name, "uri": "http://" + name + ".example/jwks.json",
			"refresh_seconds": 10, "timeout_seconds": 3, "min_refetch_seconds": 2, "max_stale_seconds": 86400,
		},
	}
	for key, value := range more {
		p[key] = value
	}
	return p
}

func issuerURL(provider string) string { return "https://" + provider + ".example" }

// configuration is the plugin's configuration after so many updates. Route flip asks for another
// scope after each.
func configuration(version int) object {
	flaky := providerOf("flaky", nil)
	flaky["jwks"].(object)["max_stale_seconds"] = 10
	return object{
		"tokens": object{"providers": []any{
			providerOf("main", nil),
			providerOf("partner", object{
				"audiences": []any{"orders", "partners"}, "clock_skew_seconds": 2,
				"required_claims": []any{"jti"}, "claims": object{"token_use": []any{"access"}},
			}),
			flaky,
		}},
		"routes": []any{
			object{"name": "health", "path": "/health", "auth": "none"},
			// No event says which limit refused here: one limit for each caller may.
			object{"name": "quiet", "path": "/quiet/**", "audit": false, "skip_rate_limits": []any{"free-plan"}},
			object{"name": "account", "path": "/account/**", "caller": "human"},
			object{"name": "batch", "path": "/batch/**", "methods": []any{"POST"}, "caller": "machine", "scopes_all": []any{"jobs/write"}},
			object{"name": "reports", "path": "/reports/**", "any_of": []any{
				object{"caller": "human", "scopes_any": []any{"reports/read", "admin"}},
				object{"caller": "machine", "groups_any": []any{"reporting"}},
			}},
			object{"name": "tenants", "path": "/tenants/*/orders", "claims": object{"tenant": []any{"a", "b"}}},
			object{"name": "public", "path": "/public/**", "auth": "optional"},
			object{"name": "members", "path": "/members/**", "auth": "optional", "scopes_all": []any{"profile"}},
			object{"name": "login", "path": "/login", "auth": "optional", "rate_limits": []any{"addresses"}},
			object{"name": "exports", "path": "/exports/**", "rate_limits": []any{"exports"}},
			object{"name": "search", "path": "/search", "rate_limits": []any{"shared"}, "skip_rate_limits": []any{"daily"}, "cost": 3},
			object{"name": "unlimited", "path": "/unlimited/**", "skip_rate_limits": []any{"*"}},
			object{"name": "quota", "path": "/quota/**", "rate_limits": []any{"quota"}},
			object{"name": "cross", "path": "/cross/**", "cors_preflight": "pass"},
			object{"name": "flip", "path": "/flip/**", "scopes_all": []any{[]string{"openid", "jobs/write"}[version%2]}},
			object{"name": "api", "path": "/api/**"},
		},
		"rate_limits": []any{
			object{"name": "addresses", "when": "before_auth", "identifier": []any{"ip"}, "max_requests": 12, "window_seconds": 3, "apply": "by_name"},
			object{"name": "people", "caller": "human", "windows": []any{
				object{"max_requests": 10, "window_seconds": 1}, object{"max_requests": 40, "window_seconds": 10},
			}},
			object{"name": "clients", "caller": "machine", "identifier": []any{"client_id"}, "max_requests": 30, "window_seconds": 5},
			object{"name": "guests", "caller": "anonymous", "identifier": []any{"ip"}, "max_requests": 20, "window_seconds": 4},
			object{"name": "free-plan", "claims": object{"plan": []any{"free"}}, "max_requests": 6, "window_seconds": 3},
			object{"name": "shared", "apply": "by_name", "identifier": []any{"global"}, "max_requests": 900, "window_seconds": 6},
			object{"name": "exports", "apply": "by_name", "identifier": []any{"user_id|ip", "route"}, "windows": []any{
				object{"max_requests": 3, "window_seconds": 7}, object{"max_requests": 8, "window_seconds": 30},
			}},
			// However slow a machine is, this one gets full.
			object{"name": "quota", "apply": "by_name", "identifier": []any{"route"}, "max_requests": 15, "window_seconds": 3600},
			// Nothing that refuses comes after it, and each charge is 1, so that what it counts can
			// be told exactly.
			object{"name": "daily", "shadow": true, "max_requests": 40, "window_seconds": 86400},
		},
		"cors": object{"allow_origins": []any{"https://app.example"}},
		"audit": object{
			"log": "none", "exclude_paths": []any{"/health"}, "headers": []any{idHeader},
			"chain": object{"key_id": "soak", "hmac_key": keyText},
			"http":  object{"cluster": "receiver", "path": "/in", "batch_events": 200, "queue_events": 800, "timeout_seconds": 2},
		},
	}
}

// idHeader carries the number of a request.
const idHeader = "x-soak-id"

// gate is the listener under test. It comes from a watched directory, as a control plane delivers
// it, so that it can be updated.
type gate struct {
	t         *testing.T
	rec       *record
	dir       string
	bootstrap envoy.Bootstrap
	version   int
}

// edit takes the listener out of the static ones.
func (g *gate) edit(b envoy.Bootstrap) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &g.bootstrap); err != nil {
		return err
	}
	g.apply()
	b["node"] = object{"id": "soak", "cluster": "soak"}
	b["dynamic_resources"] = object{"lds_config": object{
		"resource_api_version": "V3",
		"path_config_source":   object{"path": g.file(), "watched_directory": object{"path": g.dir}},
	}}
	return envoy.RemoveListener("gate")(b)
}

func (g *gate) file() string { return filepath.Join(g.dir, "lds.json") }

// apply delivers the next version of the listener. Its access log names the version.
func (g *gate) apply() {
	g.t.Helper()
	config := configuration(g.version)
	name := "v" + strconv.Itoa(g.version)
	g.rec.write(g.t, "config-"+name+".json", config)
	g.rec.event("update", object{"version": name})
	g.deliver(config, name)
	g.version++
}

// applyBad delivers a configuration that is refused: a limit has no length.
func (g *gate) applyBad() {
	g.t.Helper()
	config := configuration(g.version)
	config["rate_limits"].([]any)[0].(object)["window_seconds"] = 0
	g.rec.event("bad update", nil)
	g.deliver(config, "bad")
}

func (g *gate) deliver(config object, name string) {
	g.t.Helper()
	text, err := json.Marshal(config)
	require.NoError(g.t, err)
	// Edits are made on a copy: each adds filters.
	var b envoy.Bootstrap
	whole, err := json.Marshal(g.bootstrap)
	require.NoError(g.t, err)
	require.NoError(g.t, json.Unmarshal(whole, &b))
	require.NoError(g.t, envoy.PluginConfig("gate", string(text))(b))
	require.NoError(g.t, g.logs(b, name))
	listener, err := b.Listener("gate")
	require.NoError(g.t, err)
	listener["address"] = object{"socket_address": object{"address": "127.0.0.1", "port_value": 0}}
	listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener"
	resource, err := json.Marshal(object{"version_info": name, "resources": []any{listener}})
	require.NoError(g.t, err)
	require.NoError(g.t, os.WriteFile(g.file()+".new", resource, 0o600))
	require.NoError(g.t, os.Rename(g.file()+".new", g.file())) // it becomes visible at once
}

// fields are those of a line in access.log, with tabs between them. Before and after are when Envoy
// called the filter, and when the filter had let the request pass.
var fields = []string{
	"%REQ(" + idHeader + ")%", "%REQ(:METHOD)%", "%RESPONSE_CODE%", "%RESPONSE_CODE_DETAILS%",
	"%FILTER_STATE(before:PLAIN)%", "%FILTER_STATE(after:PLAIN)%", now, "%GRPC_STATUS_NUMBER%",
	"%RESP(x-gatehouse-event-id)%", "%UPSTREAM_HOST%", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "%REQ(:PATH)%",
}

const now = "%EMIT_TIME(%s.%6f)%"

// logs has Envoy write its own account of each request, and the audit events to a file.
func (g *gate) logs(b envoy.Bootstrap, version string) error {
	manager, err := b.ConnectionManager("gate")
	if err != nil {
		return err
	}
	stamp := func(key string) object {
		return object{"name": key, "typed_config": object{
			"@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
			"on_request_headers": []any{object{
				"object_key": key, "factory_key": "envoy.string",
				"format_string": object{"text_format_source": object{"inline_string": now}},
			}},
		}}
	}
	file := func(name, format string, more object) object {
		form := object{"text_format_source": object{"inline_string": format + "\n"}}
		for key, value := range more {
			form[key] = value
		}
		return object{"name": "file", "typed_config": object{
			"@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
			"path":  g.rec.path(name), "log_format": form,
		}}
	}
	filters := manager["http_filters"].([]any)
	manager["http_filters"] = append([]any{stamp("before"), filters[0], stamp("after")}, filters[1:]...)
	manager["access_log"] = []any{
		file("access.log", version+"\t"+strings.Join(fields, "\t"), nil),
		file("audit.log", "%FILTER_STATE(wasm.gatehouse_audit:PLAIN)%", object{"omit_empty_values": true}),
	}
	return nil
}
