package shipped_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// prometheusName does to a metric's name what Envoy does by stats_tags: the first group of a
// pattern is cut out, the second is the label's value. Envoy's expressions are RE2, as Go's.
func prometheusName(t *testing.T, b envoy.Bootstrap, name string) (string, map[string]string) {
	t.Helper()
	labels := map[string]string{}
	short := name
	for _, tag := range b["stats_config"].(map[string]any)["stats_tags"].([]any) {
		tag := tag.(map[string]any)
		groups := regexp.MustCompile(tag["regex"].(string)).FindStringSubmatch(name)
		if groups == nil {
			continue
		}
		label := tag["tag_name"].(string)
		require.NotContains(t, labels, label, "two patterns for one label of %s", name)
		labels[label] = groups[2]
		require.Contains(t, short, groups[1], "overlapping groups in %s", name)
		short = strings.Replace(short, groups[1], "", 1)
	}
	return strings.TrimPrefix(short, "wasmcustom."), labels
}

func TestTheShippedStatsTagsTurnNamePartsIntoLabels(t *testing.T) {
	b := shipped(t)
	type labels = map[string]string
	for _, test := range []struct {
		stat, name string
		labels     labels
	}{
		{"gatehouse_tokens_validated_total", "gatehouse_tokens_validated_total", labels{}},
		{"gatehouse_tokens_failed_total.reason.expired_token.provider.main", "gatehouse_tokens_failed_total", labels{"reason": "expired_token", "provider": "main"}},
		{"gatehouse_requests_total.route.account__.decision.human_required", "gatehouse_requests_total", labels{"route": "account__", "decision": "human_required"}},
		{"gatehouse_callers_total.caller.human", "gatehouse_callers_total", labels{"caller": "human"}},
		{"gatehouse_token_cache_total.result.hit", "gatehouse_token_cache_total", labels{"result": "hit"}},
		{"gatehouse_rate_limit_decisions_total.rule.per_caller.decision.shadow_limited", "gatehouse_rate_limit_decisions_total", labels{"rule": "per_caller", "decision": "shadow_limited"}},
		{"gatehouse_rate_limit_evictions_total.rule.per_caller", "gatehouse_rate_limit_evictions_total", labels{"rule": "per_caller"}},
		{"gatehouse_jwks_fetches_total.provider.main.result.ok", "gatehouse_jwks_fetches_total", labels{"provider": "main", "result": "ok"}},
		{"gatehouse_audit_events_total.event_type.auth_success", "gatehouse_audit_events_total", labels{"event_type": "auth_success"}},
		{"gatehouse_audit_dropped_total", "gatehouse_audit_dropped_total", labels{}},
		{"gatehouse_jwks_age_seconds.provider.main", "gatehouse_jwks_age_seconds", labels{"provider": "main"}},
		{"gatehouse_audit_queue_events", "gatehouse_audit_queue_events", labels{}},
		{"gatehouse_validation_duration_us", "gatehouse_validation_duration_us", labels{}},
		// Names that an operator may choose, though they are those of labels.
		{"gatehouse_requests_total.route.decision.decision.admitted", "gatehouse_requests_total", labels{"route": "decision", "decision": "admitted"}},
		{"gatehouse_requests_total.route.reason.decision.rule", "gatehouse_requests_total", labels{"route": "reason", "decision": "rule"}},
		{"gatehouse_rate_limit_decisions_total.rule.decision.decision.limited", "gatehouse_rate_limit_decisions_total", labels{"rule": "decision", "decision": "limited"}},
		{"gatehouse_jwks_fetches_total.provider.result.result.error", "gatehouse_jwks_fetches_total", labels{"provider": "result", "result": "error"}},
	} {
		name, got := prometheusName(t, b, "wasmcustom."+test.stat)
		assert.Equal(t, test.name, name, test.stat)
		assert.Equal(t, test.labels, got, test.stat)
	}
}

// TestEnvoyAcceptsTheShippedConfiguration leaves the Wasm filters out: it is about all the rest,
// jwt_authn included, in the Envoy at hand, and takes no compilation.
func TestEnvoyAcceptsTheShippedConfiguration(t *testing.T) {
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	p := start(t, envoy.Options{Config: filepath.Join(root, "envoy.yaml"), Edits: []envoy.Edit{withoutWasm}})
	text, err := p.PrometheusText(t.Context())
	require.NoError(t, err)
	assert.Contains(t, text, "envoy_listener_manager_total_listeners_active{} 2")
	assert.NotContains(t, strings.Join(p.Log.Lines(), "\n"), "deprecated")
}

func withoutWasm(b envoy.Bootstrap) error {
	for _, listener := range []string{"gate", "gate_envoy_jwt"} {
		manager, err := b.ConnectionManager(listener)
		if err != nil {
			return err
		}
		var kept []any
		for _, filter := range manager["http_filters"].([]any) {
			if filter.(map[string]any)["name"] != "gatehouse" {
				kept = append(kept, filter)
			}
		}
		manager["http_filters"] = kept
	}
	return nil
}

// TestJWTAuthnLeavesTheClaimsOrTheFailureForGatehouse reads the metadata that the second gate of
// envoy.yaml relies on.
func TestJWTAuthnLeavesTheClaimsOrTheFailureForGatehouse(t *testing.T) {
	issuer, err := toy.StartIssuer("", "http://127.0.0.1:10080")
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	upstream, err := toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(upstream.Stop)
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	p := start(t, envoy.Options{Config: filepath.Join(root, "envoy.yaml"), Edits: []envoy.Edit{
		withoutWasm, envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address()),
		func(b envoy.Bootstrap) error {
			manager, err := b.ConnectionManager("gate_envoy_jwt")
			if err != nil {
				return err
			}
			logger := manager["access_log"].([]any)[0].(map[string]any)["typed_config"].(map[string]any)
			logger["log_format"] = map[string]any{"text_format_source": map[string]any{
				"inline_string": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn)%\n",
			}}
			return nil
		},
	}})

	claims := issuer.Human("alice", "orders", time.Hour)
	sign := func(c toy.Claims) string {
		token, err := issuer.Sign(c)
		require.NoError(t, err)
		return token
	}
	good := sign(claims)
	tampered, err := toy.Tampered(good)
	require.NoError(t, err)
	stranger, err := issuer.Sign(claims, toy.Header("kid", "nobody"))
	require.NoError(t, err)
	ctx := waiting(t)
	next := 0
	for _, test := range []struct {
		name, header, query string
		payload             bool
		code                float64
		fault               toy.Fault
	}{
		{"good, while the keys cannot be fetched", "Bearer " + good, "", false, 40, toy.Fault{Status: http.StatusInternalServerError}},
		{"good", "Bearer " + good, "", true, 0, toy.Fault{}},
		{"missing", "", "", false, 1, toy.Fault{}},
		{"in the query, which does not count", "", "?access_token=" + good, false, 1, toy.Fault{}},
		{"expired", "Bearer " + sign(claims.With("exp", 1)), "", false, 3, toy.Fault{}},
		{"not a token", "Bearer abc", "", false, 4, toy.Fault{}},
		{"another issuer", "Bearer " + sign(claims.With("iss", "http://other.example")), "", false, 24, toy.Fault{}},
		{"another audience", "Bearer " + sign(claims.With("aud", "other")), "", false, 25, toy.Fault{}},
		{"tampered", "Bearer " + tampered, "", false, 26, toy.Fault{}},
		{"unknown key", "Bearer " + stranger, "", false, 32, toy.Fault{}},
	} {
		issuer.Misbehave(test.fault)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL("gate_envoy_jwt", "/"+test.query), nil)
		require.NoError(t, err)
		if test.header != "" {
			request.Header.Set("Authorization", test.header)
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		var echo toy.Echo
		require.NoError(t, json.NewDecoder(response.Body).Decode(&echo))
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusOK, response.StatusCode, test.name)
		assert.Equal(t, test.header, echo.Header.Get("Authorization"), "%s: the token goes on", test.name)

		var line string
		line, next, err = p.Stdout.Wait(ctx, next, func(string) bool { return true })
		require.NoError(t, err)
		var metadata struct {
			Payload map[string]any `json:"payload"`
			Fail    struct {
				Code float64 `json:"code"`
			} `json:"fail"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &metadata), line)
		assert.Equal(t, test.code, metadata.Fail.Code, test.name)
		if test.payload {
			assert.Equal(t, "alice", metadata.Payload["sub"])
		} else {
			assert.Nil(t, metadata.Payload, test.name)
		}
	}
}
