package manifest

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shipped is the repository's envoy.yaml with replacements: old, new, old, new….
func shipped(t *testing.T, replacements ...string) string {
	t.Helper()
	data, err := os.ReadFile("../../../../envoy.yaml")
	require.NoError(t, err)
	text := string(data)
	for i := 0; i < len(replacements); i += 2 {
		require.Contains(t, text, replacements[i])
		text = strings.ReplaceAll(text, replacements[i], replacements[i+1])
	}
	return text
}

const (
	jwksURI  = `"uri": "http://127.0.0.1:10080/jwks.json"`
	idp      = "  - name: idp\n"
	tls      = "\n    transport_socket: {name: tls, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
	trusting = tls + ", common_tls_context: {validation_context: {trusted_ca: {filename: ca.pem}}}}}\n"
	firstJWT = `                        "providers": [{
                          "name": "main",
                          "issuer": "http://127.0.0.1:10080",
                          "audiences": ["orders"],
                          "claims_from"`
	firstJSON = `                    {
                      "tokens": {
                        "providers": [{
                          "name": "main",
                          "issuer": "http://127.0.0.1:10080",
                          "audiences": ["orders"],
                          "algorithms"`
	router   = "          - &router\n"
	cors     = "          - {name: cors, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}\n"
	second   = "          - name: second\n            typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {name: second, vm_config: *vm, configuration: " + stringValue + "}}\n"
	route    = "                route: {cluster: upstream}"
	disabled = "\n                typed_per_filter_config: {gatehouse: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}"
)

func TestWhatMakesAGateWeakerThanItLooksIsAWarning(t *testing.T) {
	for name, test := range map[string]struct {
		text     string
		warnings []string // the beginning of each, of all plugins in turn
	}{
		"nothing": {shipped(t), nil},
		"a cluster that isn't there": {shipped(t, `"cluster": "idp"`, `"cluster": "ipd"`),
			[]string{"tokens.providers[0].jwks.cluster: there is no cluster ipd in this file"}},
		"a cluster that may come from a control plane": {shipped(t, `"cluster": "idp"`, `"cluster": "ipd"`, "static_resources:",
			"dynamic_resources: {cds_config: {path_config_source: {path: cds.yaml}}}\nstatic_resources:"), nil},
		"https over a cluster without TLS": {shipped(t, jwksURI, `"uri": "https://127.0.0.1:10080/jwks.json"`),
			[]string{"tokens.providers[0].jwks.cluster: the URI is https, but the cluster idp has no TLS"}},
		"TLS that checks no certificate": {shipped(t, jwksURI, `"uri": "https://127.0.0.1:10080/jwks.json"`, idp, "  - name: idp"+tls+"}}\n"),
			[]string{"tokens.providers[0].jwks.cluster: the cluster idp checks no certificate"}},
		"TLS": {shipped(t, jwksURI, `"uri": "https://127.0.0.1:10080/jwks.json"`, idp, "  - name: idp"+trusting), nil},
		"an audit cluster that isn't there": {shipped(t, `"audit": {"log": "none"}`, `"audit": {"http": {"cluster": "sink", "path": "/"}}`),
			[]string{"audit.http.cluster: there is no cluster sink", "audit.http.cluster: there is no cluster sink"}},
		"no vm_id":      {shipped(t, "vm_id: gatehouse", ""), []string{"vm_config.vm_id: not set", "vm_config.vm_id: not set"}},
		"no stats_tags": {shipped(t, "gatehouse_", "other_"), []string{"stats_config.stats_tags: none", "stats_config.stats_tags: none"}},
		"an address that clients choose": {shipped(t, "use_remote_address: true", "use_remote_address: false"),
			[]string{"use_remote_address: not true", "use_remote_address: not true"}},
		"an address that clients choose by default": {shipped(t, "          use_remote_address: true\n", ""),
			[]string{"use_remote_address: not true", "use_remote_address: not true"}},
		"an address from a header": {shipped(t, "use_remote_address: true", `original_ip_detection_extensions: [{name: h, typed_config: {"@type": `+
			`type.googleapis.com/envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig, header_name: x}}]`),
			[]string{"original_ip_detection_extensions: a client", "original_ip_detection_extensions: a client"}},
		"disabled on a route": {shipped(t, route, route+disabled), []string{"typed_per_filter_config: the gate is disabled on a route; there identity headers pass unstripped",
			"typed_per_filter_config: the gate is disabled on a route; there identity headers pass unstripped"}},
		"disabled by default": {shipped(t, "          - name: gatehouse\n", "          - name: gatehouse\n            disabled: true\n"),
			[]string{"http_filters: the gate is disabled unless", "http_filters: the gate is disabled unless"}},
		"optional for an Envoy without Wasm": {shipped(t, "          - name: gatehouse\n", "          - name: gatehouse\n            is_optional: true\n"),
			[]string{"http_filters: is_optional", "http_filters: is_optional"}},
		"two gates with one audit state": {shipped(t, router, second+router),
			[]string{"audit.access_log: two gates in one chain write the filter state wasm.gatehouse_audit"}},
		"two gates with two audit states": {shipped(t, router, strings.Replace(second, `"auth":"none"}]`, `"auth":"none"}],"audit":{"access_log":"second"}`, 1)+router), nil},
		"forward_token and internal redirects": {shipped(t, route, strings.Replace(route, "upstream}", "upstream, internal_redirect_policy: {}}", 1),
			`"tokens": {`, `"tokens": {"forward_token": false,`), []string{"internal_redirect_policy: a redirected", "internal_redirect_policy: a redirected"}},
		"internal redirects alone": {shipped(t, route, strings.Replace(route, "upstream}", "upstream, internal_redirect_policy: {}}", 1)), nil},
		"cors behind the gate":     {shipped(t, router, cors+router), []string{"http_filters: the cors filter stands behind"}},
		"tokens from the query by default": {shipped(t, `from_headers: [{name: authorization, value_prefix: "Bearer "}]`, ""),
			[]string{"jwt_authn.providers.main: takes tokens from the query"}},
		"tokens from the query": {shipped(t, `from_headers: [{name: authorization, value_prefix: "Bearer "}]`, "from_params: [t]"),
			[]string{"jwt_authn.providers.main.from_params: takes tokens from the query"}},
		"no jwt_authn": {shipped(t, "jwt_authn.v3.JwtAuthentication", "other.v3.Other"),
			[]string{"tokens.providers[0].claims_from: there is no jwt_authn in front"}},
		"no payload_in_metadata": {shipped(t, "payload_in_metadata: payload", ""),
			[]string{"jwt_authn.providers: want payload_in_metadata: payload"}},
		"another payload_in_metadata": {shipped(t, "payload_in_metadata: payload", "payload_in_metadata: claims"),
			[]string{"tokens.providers[0].claims_from.envoy_metadata.key: jwt_authn has no payload_in_metadata of this name, only claims"}},
		"jwt_authn takes the token from own verification": {shipped(t, "forward: true", "forward: false", firstJWT,
			strings.Replace(firstJWT, `"name": "main"`, `"name": "own", "issuer": "http://127.0.0.1:10080", "audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"cluster": "idp", `+
				jwksURI+`}}, {"name": "main"`, 1)), []string{"jwt_authn.providers.main.forward: without forward: true it removes the token that tokens.providers[0] verifies"}},
		"jwt_authn of another issuer": {shipped(t, "forward: true", "forward: false", firstJWT,
			strings.Replace(firstJWT, `"name": "main"`, `"name": "own", "issuer": "http://other", "audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"cluster": "idp", `+
				jwksURI+`}}, {"name": "main"`, 1)), nil},
		"a QUIC listener": {shipped(t, "  - name: gate\n", "  - name: gate\n    udp_listener_config: {quic_options: {}}\n"),
			[]string{"udp_listener_config.quic_options: Envoy 1.40 asks no filter for its event when an HTTP/3 request ends"}},
		"a connection manager for HTTP/3": {strings.Replace(envoy(stringValue), "          http_filters:", "          codec_type: HTTP3\n          http_filters:", 1),
			[]string{"vm_config.vm_id: not set", "codec_type: Envoy 1.40 asks no filter for its event", "stats_config.stats_tags"}},
		"a QUIC listener without events": {shipped(t, "  - name: gate\n", "  - name: gate\n    udp_listener_config: {quic_options: {}}\n", `"audit": {"log": "none"}`, `"audit": {"enabled": false}`), nil},
		"an admin API for everybody": {shipped(t, "address: 127.0.0.1, port_value: 10000", "address: 0.0.0.0, port_value: 10000", firstJSON, strings.Replace(firstJSON, "{\n", `{"admin": {"token": "0123456789abcdef0123456789abcdef"},`+"\n", 1)),
			[]string{"admin: the admin API's listener isn't bound to loopback: want address 127.0.0.1 or ::1, got 0.0.0.0"}},
		"an admin API": {shipped(t, firstJSON, strings.Replace(firstJSON, "{\n", `{"admin": {"token": "0123456789abcdef0123456789abcdef"},`+"\n", 1)), nil},
		"Istio's phase AUTHN": {strings.NewReplacer("phase: AUTHZ", "phase: AUTHN", "    routes:",
			"    tokens: {providers: [{name: m, claims_from: {envoy_metadata: {filter: envoy.filters.http.jwt_authn, key: payload}}}]}\n    routes:").Replace(istio),
			[]string{"spec.phase: AUTHN runs before Istio's jwt_authn, so tokens.providers[0].claims_from never sees claims"}},
		"Istio's root namespace": {strings.Replace(istio, "{name: gate}", "{name: gate, namespace: istio-system}", 1),
			[]string{"metadata.namespace: istio-system is Istio's root namespace: without a spec.selector or targetRefs the gate stands on every workload"}},
		"Istio's root namespace, an empty selector": {strings.NewReplacer("{name: gate}", "{name: gate, namespace: istio-system}", "  phase:", "  selector: {}\n  phase:").Replace(istio),
			[]string{"metadata.namespace: istio-system is Istio's root namespace"}},
		"Istio's root namespace with a selector": {strings.NewReplacer("{name: gate}", "{name: gate, namespace: istio-system}", "  phase:", "  selector: {matchLabels: {app: x}}\n  phase:").Replace(istio), nil},
		"Istio's root namespace with a target":   {strings.NewReplacer("{name: gate}", "{name: gate, namespace: istio-system}", "  phase:", "  targetRefs: [{kind: Gateway, name: x}]\n  phase:").Replace(istio), nil},
		"another namespace of Istio's":           {strings.Replace(istio, "{name: gate}", "{name: gate, namespace: shop}", 1), nil},
		"Istio's phase AUTHN with keys":          {strings.Replace(istio, "phase: AUTHZ", "phase: AUTHN", 1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			plugins, err := Read([]byte(test.text))
			require.NoError(t, err)
			var got []Finding
			for _, p := range plugins {
				assert.Empty(t, p.Errors)
				got = append(got, p.Warnings...)
			}
			require.Len(t, got, len(test.warnings), "%v", got)
			for i, w := range got {
				assert.True(t, strings.HasPrefix(w.String(), test.warnings[i]), "%s", w)
				assert.NotZero(t, w.Place, "%s", w)
			}
		})
	}
}

func TestJWTAuthnBehindTheGateIsAWarning(t *testing.T) {
	text := shipped(t)
	from := strings.Index(text, "          - name: envoy.filters.http.jwt_authn\n")
	to := from + strings.Index(text[from:], "          - name: gatehouse\n")
	end := to + strings.Index(text[to:], "          - *router\n")
	plugins, err := Read([]byte(text[:from] + text[to:end] + text[from:to] + text[end:]))
	require.NoError(t, err)
	require.Len(t, plugins, 2)
	assert.Equal(t, []string{"tokens.providers[0].claims_from: jwt_authn stands behind the gate, which never sees its claims: put it in front"}, texts(plugins[1].Warnings))
}

func TestWhatVerifiesTokensInFrontIsLookedAt(t *testing.T) {
	const (
		claims = "tokens: {providers: [{name: m, claims_from: {envoy_metadata: {filter: envoy.filters.http.jwt_authn, key: payload}}}]}"
		own    = "tokens: {providers: [{name: m, issuer: https://i, audiences: [a], algorithms: [RS256], jwks: {cluster: c, uri: https://i/}}]}"
		header = "fromHeaders: [{name: authorization, prefix: 'Bearer '}]"
		query  = "jwtRules: takes tokens from the query, too (access_token): set fromHeaders"
	)
	wasm := func(tokens string) string {
		return strings.Replace(istio, "    routes:", "    "+tokens+"\n    routes:", 1)
	}
	rule := func(rule string) string {
		return "---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: r}\nspec: {jwtRules: [{issuer: https://i, " + rule + "}]}\n"
	}
	policy := func(tokens, provider string) string {
		return strings.Replace(gateway, "      routes:", "      "+tokens+"\n      routes:", 1) +
			"---\napiVersion: gateway.envoyproxy.io/v1alpha1\nkind: SecurityPolicy\nspec: {jwt: {providers: [{" + provider + "}]}}\n"
	}
	for name, test := range map[string]struct {
		text     string
		warnings []string
	}{
		"Istio, from the header":           {wasm(claims) + rule(header), nil},
		"Istio, from the query by default": {wasm(claims) + rule("audiences: [a]"), []string{query}},
		"Istio, from the query":            {wasm(claims) + rule("fromParams: [t]"), []string{"jwtRules.fromParams: takes tokens from the query, which ends up in logs (RFC 9700): want fromHeaders alone"}},
		"Istio, in a List":                 {wasm(claims) + "---\napiVersion: v1\nkind: List\nitems:\n-" + indented("  ", strings.TrimPrefix(rule("audiences: [a]"), "---\n"))[1:], []string{query}},
		"Istio, the token removed":         {wasm(own) + rule(header), []string{"jwtRules.forwardOriginalToken: without forwardOriginalToken: true it removes the token that tokens.providers[0] verifies; or set spec.phase: AUTHN"}},
		"Istio, the token forwarded":       {wasm(own) + rule(header+", forwardOriginalToken: true"), nil},
		"Istio, behind the gate":           {strings.Replace(wasm(own), "AUTHZ", "AUTHN", 1) + rule(header), nil},
		"Envoy Gateway":                    {policy(claims, "name: payload, extractFrom: {headers: [{name: authorization}]}"), nil},
		"Envoy Gateway, another name":      {policy(claims, "name: idp, extractFrom: {headers: [{name: authorization}]}"), []string{"tokens.providers[0].claims_from.envoy_metadata.key: the SecurityPolicy has no provider of this name, only idp: the gate never sees claims"}},
		"Envoy Gateway, query by default":  {policy(claims, "name: payload"), []string{"jwt.providers.extractFrom: takes tokens from the query, too (access_token): set extractFrom.headers"}},
		"Envoy Gateway, query":             {policy(claims, "name: payload, extractFrom: {params: [t]}"), []string{"jwt.providers.extractFrom.params: takes tokens from the query, which ends up in logs (RFC 9700): want headers alone"}},
		"Envoy Gateway, own verification":  {policy(own, "name: payload"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.warnings, texts(read(t, test.text).Warnings))
		})
	}
}
