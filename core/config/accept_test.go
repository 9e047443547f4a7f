package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/caller"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
	"gatehouse/core/metrics"
	"gatehouse/core/policy"
	"gatehouse/core/ratelimit"
)

func parse(t *testing.T, doc string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte(doc), nil)
	require.NoError(t, err)
	return c
}

func pattern(t *testing.T, s string) policy.Pattern {
	t.Helper()
	p, err := policy.ParsePattern(s)
	require.NoError(t, err)
	return p
}

const second = 1_000_000_000

func TestTheSmallestConfigurationHasEveryDefault(t *testing.T) {
	c := parse(t, `{`+closed+`,"rate_limits":[{"name":"l","max_requests":5,"window_seconds":60}]}`)
	assert.Equal(t, &config.Config{
		Tokens: config.Tokens{
			Providers: []config.Provider{{
				Rules: jwt.Rules{
					Name: "main", Issuer: "https://idp.example", Audiences: []string{"orders"}, AudienceClaims: []string{"aud"},
					Algorithms: jwt.NewAlgSet(jwt.RS256),
				},
				Profile:      caller.Auto,
				ScopesClaims: []string{"scope", "scp"}, GroupsClaims: []string{"groups", "cognito:groups", "roles", "realm_access.roles"},
				Remote: &config.Remote{
					Cluster: "idp", URI: "https://idp.example/jwks.json", Authority: "idp.example", Path: "/jwks.json",
					RefreshSeconds: 600, TimeoutSeconds: 5, MaxStaleSeconds: 86400, MinRefetchSeconds: 10,
				},
			}},
			From:         []config.Source{{Header: "authorization", Scheme: "Bearer"}},
			Forward:      true,
			CacheEntries: 4096, MaxTokenBytes: 16384,
		},
		Routes: []policy.Route{{Name: "/**", Pattern: pattern(t, "/**"), AnyOf: []policy.Requirement{{Caller: caller.Any}}, RateLimits: []int{0}, Cost: 1, Audit: true}},
		Limits: []config.Limit{{
			Rule: ratelimit.Rule{
				Name: "l", Windows: []ratelimit.Window{{Max: 5, Length: 60 * second}},
				KeyedBy: c.Limits[0].KeyedBy, MaxIdentifiers: 65536,
			},
			Identifier: [][]config.Element{{{Kind: config.UserID}, {Kind: config.IP}}},
			PrefixV4:   32, PrefixV6: 64, Caller: caller.Any,
		}},
		LimitHeaders: config.LimitHeaders{XRateLimit: true, RateLimit: true},
		Audit: config.Audit{
			Enabled: true, Exclude: []policy.Pattern{pattern(t, "/health"), pattern(t, "/metrics")},
			Log: config.LogInfo, State: "gatehouse_audit", MaxFieldBytes: 1024,
		},
		Identity: config.Identity{Prefix: "x-gatehouse-", Fields: []string{"user-id", "client-id", "caller", "issuer", "scopes", "groups"}},
		Metrics:  config.Metrics{PerRoute: true, Naming: metrics.Envoy},
		Hash:     c.Hash,
	}, c)
}

// everything is a configuration with every field, most with another value than the default.
const everything = `{
	"mode": "observe", "unsafe_paths": ["encoded_slash", "semicolon"], "path_case": "ignore", "cors_preflight": "check",
	"tokens": {
		"providers": [
			{"name": "a", "issuer": "i", "any_audience": true, "audience_claims": ["aud", "client_id"], "algorithms": ["ES256", "Ed25519"],
			 "types": ["Application/AT+JWT", "", "jwt"], "clock_skew_seconds": 300, "required_claims": ["sub"], "claims": {"token_use": ["access"]}, "profile": "cognito", "scopes_claims": ["permissions"], "groups_claims": [],
			 "jwks": {"cluster": "c", "uri": "http://127.0.0.1:8080/keys?v=1", "refresh_seconds": 10, "timeout_seconds": 1, "max_stale_seconds": 20, "min_refetch_seconds": 2}},
			{"name": "b", "claims_from": {"envoy_metadata": {"filter": "f", "key": "k"}, "failed_status_key": "fail"}},
			{"name": "c", "issuer": "c", "audiences": ["a", "b"], "algorithms": ["HS256"],
			 "jwks": {"inline": {"more": [1], "keys": [{"kty": "oct", "kid": "1", "k": "` + k32 + `"}, {"kty": "oct", "k": {"env": "HMAC"}}]}}},
			{"name": "d", "issuer": "https://d.example", "audiences": ["a"], "algorithms": ["RS256"],
			 "jwks": {"cluster": "d", "discovery": "https://d.example/.well-known/openid-configuration"}}
		],
		"resources": [{"identifier": "https://api.example/mcp", "scopes": ["mcp"], "authorization_servers": ["https://as.example"]}, {"identifier": {"hosts": ["*.b.example"], "path": "/mcp"}, "authorization_servers": ["https://as.example"]}],
		"token_from": [{"header": "X-Token", "scheme": "Token"}, {"cookie": "session"}], "forward_token": false, "cache_entries": 0, "max_token_bytes": 8e3
	},
	"routes": [
		{"path": "/a/*/b", "methods": ["GET", "POST"], "hosts": ["*.Example.com"], "name": "ab", "auth": "optional", "caller": "machine",
		 "scopes_all": ["r", "w"], "scopes_any": ["x"], "groups_any": ["g"], "claims": {"tenant": ["a", "b"], "realm.x": ["c"]},
		 "rate_limits": ["named", "flood"], "skip_rate_limits": ["everywhere"], "cost": 3, "audit": false, "cors_preflight": "pass"},
		{"path": "/open", "auth": "none"},
		{"path": "/open/limited", "auth": "none", "rate_limits": ["everywhere"]},
		{"path": "/h", "caller": "human", "rate_limits": [], "skip_rate_limits": ["*"]},
		{"path": "/**"},
		{"path": "/any", "any_of": [{"caller": "human", "scopes_all": ["r"]}, {"scopes_any": ["s"], "groups_any": ["g"], "claims": {"c": ["v"]}}]}
	],
	"rate_limits": [
		{"name": "flood", "max_requests": 1000, "window_seconds": 1, "identifier": ["ip"], "when": "before_auth", "ip_prefix_v4": 24, "ip_prefix_v6": 48},
		{"name": "everywhere", "windows": [{"max_requests": 10, "window_seconds": 1}, {"max_requests": 100, "window_seconds": 3600}],
		 "identifier": ["claim:org|client_id", "header:X-Key", "route", "method", "host", "global"], "caller": "human", "claims": {"plan": ["free", "trial"]}, "shadow": true, "headers": false, "max_identifiers": 7, "on_contention": "allow"},
		{"name": "named", "max_requests": 3, "window_seconds": 60.0, "apply": "by_name", "caller": "anonymous"}
	],
	"audit": {"enabled": false, "exclude_paths": ["/x/**"], "log": "critical", "access_log": "gate_2",
		"http": {"cluster": "logs", "path": "/in?x=1", "headers": {"Authorization": {"env": "HMAC"}, "host": "logs.example"}, "batch_events": 7, "flush_seconds": 3, "queue_events": 70, "timeout_seconds": 9}, "claims": ["email"], "headers": ["X-Region"], "max_field_bytes": 16,
		"chain": {"key_id": "2026-03", "hmac_key": {"env": "HMAC"}}},
	"cors": {"allow_origins": ["https://app.example", "http://localhost:8080"], "allow_credentials": true, "expose_headers": ["retry-after", "ratelimit"]},
	"identity_headers": {"prefix": "x-me-", "fields": ["caller", "user-id"], "claims": ["email", "cognito:groups"]},
	"limit_headers": ["x-ratelimit-epoch"],
	"metrics": {"per_route": false, "naming": "istio"},
	"admin": {"token": {"env": "HMAC"}}
}`

func TestEveryFieldIsRead(t *testing.T) {
	c, err := config.Parse([]byte(everything), func(name string) (string, bool) { return strings.ToUpper(k32), name == "HMAC" })
	require.NoError(t, err)
	assert.True(t, c.Observe)
	assert.Equal(t, policy.PathRules{Allow: policy.EncodedSlash | policy.Semicolon, IgnoreCase: true}, c.Paths)

	a, b := c.Tokens.Providers[0], c.Tokens.Providers[1]
	assert.Equal(t, config.Provider{
		Rules: jwt.Rules{Name: "a", Issuer: "i", AnyAudience: true, AudienceClaims: []string{"aud", "client_id"},
			Algorithms: jwt.NewAlgSet(jwt.ES256, jwt.EdDSA), Types: []string{"at+jwt", "", "jwt"}, SkewSeconds: 300, RequiredClaims: []string{"sub"},
			Claims: []jwt.ClaimRule{{Name: "token_use", Values: []string{"access"}}}},
		Profile: caller.Cognito, ScopesClaims: []string{"permissions"}, GroupObjects: true,
		Remote: &config.Remote{Cluster: "c", URI: "http://127.0.0.1:8080/keys?v=1", Authority: "127.0.0.1:8080", Path: "/keys?v=1",
			RefreshSeconds: 10, TimeoutSeconds: 1, MaxStaleSeconds: 20, MinRefetchSeconds: 2},
	}, a)
	assert.Equal(t, &config.ClaimsFrom{Filter: "f", Key: "k", FailedStatusKey: "fail"}, b.ClaimsFrom)
	assert.Nil(t, b.Remote)
	assert.Empty(t, b.Issuer)
	assert.Equal(t, []config.Source{{Header: "x-token", Scheme: "Token"}, {Cookie: "session"}}, c.Tokens.From)
	assert.False(t, c.Tokens.Forward)
	assert.Zero(t, c.Tokens.CacheEntries)
	assert.Equal(t, 8000, c.Tokens.MaxTokenBytes)

	assert.Len(t, c.Tokens.Providers[2].Inline.Keys, 2)
	assert.Equal(t, &config.Remote{Cluster: "d", URI: "https://d.example/.well-known/openid-configuration", Discovery: true,
		Authority: "d.example", Path: "/.well-known/openid-configuration",
		RefreshSeconds: 600, TimeoutSeconds: 5, MaxStaleSeconds: 86400, MinRefetchSeconds: 10}, c.Tokens.Providers[3].Remote)
	assert.Equal(t, []string{"a", "b"}, c.Tokens.Providers[2].Audiences)

	host, err := policy.ParseHost("*.example.com")
	require.NoError(t, err)
	assert.Equal(t, policy.Route{
		Name: "ab", Pattern: pattern(t, "/a/*/b"), Methods: []string{"GET", "POST"}, Hosts: []policy.HostPattern{host},
		Auth: policy.Optional,
		AnyOf: []policy.Requirement{{
			Caller: caller.Machine, ScopesAll: []string{"r", "w"}, ScopesAny: []string{"x"}, GroupsAny: []string{"g"},
			Claims: []policy.ClaimRule{{Name: "tenant", Values: []string{"a", "b"}}, {Name: "realm.x", Values: []string{"c"}}},
		}},
		RateLimits: []int{0, 2}, Cost: 3, CORSPass: true, PreflightLimits: []int{0, 2},
	}, c.Routes[0])
	assert.Equal(t, policy.None, c.Routes[1].Auth)
	assert.Empty(t, c.Routes[1].RateLimits, "auth none: no limit unless named")
	assert.Equal(t, []int{1}, c.Routes[2].RateLimits)
	assert.Equal(t, []policy.Requirement{{Caller: caller.Human}}, c.Routes[3].AnyOf)
	assert.Equal(t, []policy.Requirement{
		{Caller: caller.Human, ScopesAll: []string{"r"}},
		{Caller: caller.Any, ScopesAny: []string{"s"}, GroupsAny: []string{"g"}, Claims: []policy.ClaimRule{{Name: "c", Values: []string{"v"}}}},
	}, c.Routes[5].AnyOf)
	assert.Empty(t, c.Routes[3].RateLimits, "it skips all that apply everywhere")
	assert.Equal(t, []int{0, 1}, c.Routes[4].RateLimits, "by_name limits only where named")

	flood, everywhere, named := c.Limits[0], c.Limits[1], c.Limits[2]
	assert.True(t, flood.BeforeAuth)
	assert.Equal(t, [2]int{24, 48}, [2]int{flood.PrefixV4, flood.PrefixV6})
	assert.Equal(t, [][]config.Element{
		{{Kind: config.Claim, Name: "org"}, {Kind: config.ClientID}}, {{Kind: config.Header, Name: "x-key"}},
		{{Kind: config.Route}}, {{Kind: config.Method}}, {{Kind: config.Host}}, {{Kind: config.Global}},
	}, everywhere.Identifier)
	assert.Equal(t, []ratelimit.Window{{Max: 10, Length: second}, {Max: 100, Length: 3600 * second}}, everywhere.Windows)
	assert.Equal(t, caller.Human, everywhere.Caller)
	assert.Equal(t, []policy.ClaimRule{{Name: "plan", Values: []string{"free", "trial"}}}, everywhere.Claims)
	assert.True(t, everywhere.Shadow)
	assert.True(t, everywhere.Hidden)
	assert.False(t, flood.Hidden)
	assert.Equal(t, config.LimitHeaders{XRateLimit: true, Epoch: true}, c.LimitHeaders)
	assert.True(t, everywhere.AllowOnContention)
	assert.Equal(t, 7, everywhere.MaxIdentifiers)
	assert.True(t, named.ByName)
	assert.Equal(t, caller.Anonymous, named.Caller)

	assert.Equal(t, config.Audit{Exclude: []policy.Pattern{pattern(t, "/x/**")}, Log: config.LogCritical, State: "gate_2",
		HTTP: &config.AuditHTTP{
			Cluster: "logs", Authority: "logs.example", Path: "/in?x=1", Headers: []config.HTTPHeader{{Name: "authorization", Value: strings.ToUpper(k32)}},
			BatchEvents: 7, QueueEvents: 70, FlushSeconds: 3, TimeoutSeconds: 9,
		},
		Claims: []string{"email"}, Headers: []string{"x-region"}, MaxFieldBytes: 16, Chain: c.Audit.Chain}, c.Audit)
	assert.Equal(t, "2026-03", c.Audit.Chain.KeyID)
	assert.Len(t, c.Audit.Chain.Key, 32)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", *c.Audit.Chain, c.Audit.Chain, *c.Audit.Chain, c.Audit.Chain.Key), "[")
	assert.Equal(t, config.Identity{Prefix: "x-me-", Fields: []string{"caller", "user-id"}, Claims: []string{"email", "cognito:groups"}}, c.Identity)
	assert.Equal(t, config.CORS{Origins: []string{"https://app.example", "http://localhost:8080"}, Credentials: true, Expose: "retry-after, ratelimit"}, c.CORS)
	assert.Equal(t, "cognito-groups", config.IdentityHeader("cognito:groups"))
	assert.Equal(t, config.Secret(strings.ToUpper(k32)), c.Admin.Token)
	assert.Equal(t, config.Metrics{Naming: metrics.Istio}, c.Metrics)
}

func TestWarningsNameTheirPathInDocumentOrder(t *testing.T) {
	c := parse(t, `{
		"rate_limits": [
			{"name": "a", "max_requests": 1, "window_seconds": 1, "identifier": ["header:x-key", "host"]},
			{"name": "b", "max_requests": 1, "window_seconds": 1, "apply": "by_name"},
			{"name": "c", "max_requests": 1, "window_seconds": 1, "identifier": ["ip", "claim:x|method"]},
			{"name": "d", "max_requests": 1, "window_seconds": 1, "identifier": ["ip", "method"], "apply": "by_name"}
		],
		`+toks+`,
		"routes": [{"path": "/x", "methods": ["GET", "CONNECT"], "rate_limits": ["a", "c", "d"]}, {"path": "/**"}, {"path": "/late"}],
		"unsafe_paths": "allow"
	}`)
	assert.Equal(t, []string{
		"rate_limits[0].identifier[0]: a caller who chooses its header:x-key chooses its own key, and so its own limit",
		"rate_limits[0].identifier[1]: a caller who chooses its host chooses its own key, and so its own limit",
		"rate_limits[1]: applies to no route",
		"rate_limits[2].identifier[1]: over HTTP/2 a caller can make methods up, and so its own key and limit, on routes without methods such as routes[1]",
		"routes[0].methods[1]: no request has it: CONNECT is refused on every route (400 unsafe_method)",
		"routes[2]: never reached: routes[1] takes every request",
		"unsafe_paths: lets every kind through: list the kinds that the upstream's paths need",
	}, c.Warnings)
}

func TestUnsafePathsAreAllowedByKind(t *testing.T) {
	for value, want := range map[string]policy.PathKinds{
		`"refuse"`: 0, `"allow"`: policy.AllPathKinds, `[]`: 0,
		`["encoded_slash"]`: policy.EncodedSlash, `["encoded_delimiter"]`: policy.EncodedDelimiter, `["semicolon"]`: policy.Semicolon,
		`["double_slash"]`: policy.DoubleSlash, `["encoded_percent"]`: policy.EncodedPercent,
		`["encoded_percent", "encoded_slash", "double_slash", "semicolon", "encoded_delimiter"]`: policy.AllPathKinds,
	} {
		assert.Equal(t, want, parse(t, withTop("unsafe_paths", value)).Paths.Allow, value)
	}
}

func TestPathsThatIgnoreCaseAreFoldedEverywhere(t *testing.T) {
	c := parse(t, `{`+toks+`,"path_case":"ignore","routes":[{"path":"/Admin/**"}],"audit":{"exclude_paths":["/Health"]}}`)
	assert.True(t, c.Routes[0].Pattern.Match("/admin/x"))
	assert.False(t, c.Routes[0].Pattern.Match("/Admin/x"), "requests are folded too")
	assert.True(t, c.Audit.Exclude[0].Match("/health"))
	assert.Equal(t, "/Admin/**", c.Routes[0].Name)
}

func TestIdentityHeadersCanBeSwitchedOff(t *testing.T) {
	assert.Equal(t, config.Identity{}, parse(t, withTop("identity_headers", `"none"`)).Identity)
}

func TestARouteThatChecksNothingNeedsNoTokens(t *testing.T) {
	c := parse(t, `{`+open+`}`)
	assert.Equal(t, config.Tokens{Forward: true}, c.Tokens)
}

func TestKeyedByChangesWithWhatMakesAKey(t *testing.T) {
	keyed := func(fields string) string {
		return parse(t, withLimit(`"max_requests":1,"window_seconds":1,`+fields)).Limits[0].KeyedBy
	}
	same := keyed(`"identifier":["claim:a|ip","route"]`)
	assert.Equal(t, same, keyed(`"identifier":["claim:a|ip","route"],"shadow":true`))
	seen := map[string]bool{}
	for _, fields := range []string{
		`"identifier":["claim:a|ip","route"]`, `"identifier":["claim:a|ip"]`,
		`"identifier":["claim:a","ip","route"]`, `"identifier":["claim:b|ip","route"]`, `"identifier":["header:a|ip","route"]`,
		`"identifier":["claim:a|ip","route"],"ip_prefix_v4":24`, `"identifier":["claim:a|ip","route"],"ip_prefix_v6":48`,
	} {
		key := keyed(fields)
		assert.False(t, seen[key], fields)
		seen[key] = true
	}
	assert.Equal(t, keyed(`"identifier":["route"]`), keyed(`"identifier":["route"],"ip_prefix_v4":24`), "no ip, no prefix")
}

func TestAnInlineKeySetTakesSecretsFromTheEnvironment(t *testing.T) {
	doc := withInline(`{"kty":"oct","kid":"k1","alg":"HS256","k":{"env":"HMAC"}},{"kty":"oct","kid":"k2","k":"`+k32+`"},{"kty":"what"}`, `"HS256"`)
	c, err := config.Parse([]byte(doc), func(name string) (string, bool) { return k32, name == "HMAC" })
	require.NoError(t, err)
	set := c.Tokens.Providers[0].Inline
	require.Len(t, set.Keys, 2)
	assert.Equal(t, "k1", set.Keys[0].ID)
	assert.Equal(t, "0123456789abcdef0123456789abcdef", string(set.Keys[0].Secret))
	assert.Equal(t, []string{
		"tokens.providers[0].jwks.inline.keys[1].k: Envoy's config dump shows it; {\"env\": NAME} doesn't",
		"tokens.providers[0].jwks.inline.keys[2]: not used: unknown kty",
	}, c.Warnings)
}

func TestAnInlineKeySetKeepsWhatAKeyHas(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := jwk.Import(private)
	require.NoError(t, err)
	require.NoError(t, key.Set(jwk.KeyIDKey, `with "quotes" and ü`))
	require.NoError(t, key.Set("x5c-like", []any{nil, true, 1.5, map[string]any{"a": "b"}}))
	text, err := json.Marshal(key)
	require.NoError(t, err)

	c := parse(t, withInline(string(text), `"ES256"`))
	set := c.Tokens.Providers[0].Inline
	require.Len(t, set.Keys, 1)
	assert.Equal(t, `with "quotes" and ü`, set.Keys[0].ID)
	assert.Equal(t, jwks.EC, set.Keys[0].Type)
	assert.Equal(t, private.X.FillBytes(make([]byte, 32)), set.Keys[0].X)
	assert.Equal(t, []string{"tokens.providers[0].jwks.inline.keys[0].d: a private key should not be here: only its owner needs it"}, c.Warnings)
}

func TestOneProviderMayHaveManyRoutesAndLimits(t *testing.T) {
	var doc strings.Builder
	doc.WriteString(`{` + toks + `,"metrics":{"per_route":false},"routes":[`)
	doc.WriteString(strings.TrimSuffix(strings.Repeat(`{"path":"/a"},`, 1000), ",") + `]}`)
	assert.Len(t, parse(t, doc.String()).Routes, 1000)
}

func TestTheExampleInEnvoyYAMLIsUnderstood(t *testing.T) {
	page, err := os.ReadFile("../../envoy.yaml")
	require.NoError(t, err)
	found := 0
	plain := regexp.MustCompile(`(?m)^ *#.*\n`).ReplaceAllString(string(page), "")
	for _, part := range strings.Split(plain, "value: |\n")[1:] {
		var doc any
		d := json.NewDecoder(strings.NewReader(part))
		require.NoError(t, d.Decode(&doc))
		parse(t, part[:d.InputOffset()])
		found++
	}
	assert.Equal(t, 2, found)
}

func TestAnIssuerWithTenants(t *testing.T) {
	c := parse(t, `{"tokens":{"providers":[
		{"name":"a","issuer":"https://idp.example/{tid}/v2.0","claims":{"tid":["*"],"ver":["2.0"]},"audiences":["o"],"algorithms":["RS256"],"jwks":{"cluster":"c","uri":"https://idp.example/k"}},
		{"name":"b","issuer":"https://idp.example/{tid}/v1.0","claims":{"tid":["x","y"]},"audiences":["o"],"algorithms":["RS256"],"jwks":{"cluster":"c","uri":"https://idp.example/k"}},
		{"name":"c","issuer":"https://idp.example/x/v1.0","audiences":["o"],"algorithms":["RS256"],"jwks":{"cluster":"c","uri":"https://idp.example/k"}}
		]},"routes":[{"path":"/**"}]}`)
	assert.Equal(t, []jwt.ClaimRule{{Name: "tid", Any: true}, {Name: "ver", Values: []string{"2.0"}}}, c.Tokens.Providers[0].Claims)
	assert.Equal(t, []jwt.ClaimRule{{Name: "tid", Values: []string{"x", "y"}}}, c.Tokens.Providers[1].Claims)
}

func TestResourcesAreParsed(t *testing.T) {
	host, err := policy.ParseHost("*.example.com")
	require.NoError(t, err)
	c := parse(t, withTokens(`"resources":[
		{"identifier":"https://API.example:8443/mcp","scopes":["mcp"],"authorization_servers":["https://as.example"]},
		{"identifier":"http://127.0.0.1:10000"},
		{"identifier":{"hosts":["*.Example.com"],"path":"/mcp"}},
		{"identifier":{"hosts":["a.example"]}}]`))
	servers := []string{"https://idp.example"}
	assert.Equal(t, []config.Resource{
		{Scheme: "https", Authority: "API.example:8443", Host: "api.example", Port: "8443", Path: "/mcp",
			Scopes: []string{"mcp"}, AuthorizationServers: []string{"https://as.example"}},
		{Scheme: "http", Authority: "127.0.0.1:10000", Host: "127.0.0.1", Port: "10000", AuthorizationServers: servers},
		{Hosts: []policy.HostPattern{host}, Path: "/mcp", AuthorizationServers: servers},
		{Hosts: c.Tokens.Resources[3].Hosts, AuthorizationServers: servers},
	}, c.Tokens.Resources)
}

func TestLimitHeadersMayBeLeftOut(t *testing.T) {
	assert.Equal(t, config.LimitHeaders{}, parse(t, withTop("limit_headers", `[]`)).LimitHeaders)
	assert.Equal(t, config.LimitHeaders{RateLimit: true}, parse(t, withTop("limit_headers", `["ratelimit"]`)).LimitHeaders)
}

// manyLimits are limits of four windows each, for callers in turn.
func manyLimits(n int, fields string, callers ...string) string {
	var limits []string
	for i := range n {
		limits = append(limits, fmt.Sprintf(`{"name":"limit-number-%03d","caller":%q%s,"windows":[{"max_requests":1000,"window_seconds":60},
			{"max_requests":10000,"window_seconds":600},{"max_requests":100000,"window_seconds":3600},{"max_requests":1000000,"window_seconds":86400}]}`,
			i, callers[i%len(callers)], fields))
	}
	return `"rate_limits":[` + strings.Join(limits, ",") + `]`
}

func TestLimitHeadersAreBounded(t *testing.T) {
	const few, many = 20, 40 // about 300 bytes each
	document := func(limits, more string) string { return `{` + closed + `,` + limits + more + `}` }
	warned := parse(t, document(manyLimits(few, "", "any"), "")).Warnings
	require.Len(t, warned, 1)
	assert.Regexp(t, `^routes\[0\]: the RateLimit fields of the limits that a request can meet here may have \d+ bytes, which some`, warned[0])

	_, err := config.Parse([]byte(document(manyLimits(many, "", "any"), "")), nil)
	require.Error(t, err)
	assert.Regexp(t, `^routes\[0\]: the RateLimit fields of the limits that a request can meet here may have \d+ bytes, want at most 8192: give limits "headers": false`,
		err.Error())

	for name, doc := range map[string]string{
		"hidden":                        document(manyLimits(many, `,"headers":false`, "any"), ""),
		"shadow":                        document(manyLimits(many, `,"shadow":true`, "any"), ""),
		"other headers":                 document(manyLimits(many, "", "any"), `,"limit_headers":["x-ratelimit"]`),
		"no caller meets them together": document(manyLimits(30, "", "human", "machine", "anonymous"), ""),
	} {
		assert.Empty(t, parse(t, doc).Warnings, name)
	}
}
