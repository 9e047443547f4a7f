package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/config"
)

// Parts of configurations, to make malformed ones of.
const (
	provider = `"name":"main","issuer":"https://idp.example","audiences":["orders"],"algorithms":["RS256"],"jwks":{"cluster":"idp","uri":"https://idp.example/jwks.json"}`
	toks     = `"tokens":{"providers":[{` + provider + `}]}`
	open     = `"routes":[{"path":"/**","auth":"none"}]`
	closed   = toks + `,"routes":[{"path":"/**"}]`
	k32      = `MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY`
)

// fieldsOf lists the fields of the object at a path, as an error about an unknown field does.
func fieldsOf(path string) string {
	shape := config.Fields()
	for name := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' }) {
		for _, f := range shape.Fields {
			if f.Name == strings.TrimSuffix(name, "[]") {
				shape = f.Shape
			}
		}
		if strings.HasSuffix(name, "[]") {
			shape = shape.Element
		}
	}
	var names []string
	for _, f := range shape.Fields {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

func withProvider(fields string) string {
	return `{"tokens":{"providers":[{` + fields + `}]},"routes":[{"path":"/**"}]}`
}

// issuedBy is the provider with another issuer.
func issuedBy(issuer string) string {
	return strings.Replace(provider, "https://idp.example", issuer, 1)
}

// wantSegment is the error for braces that aren't one whole segment of an issuer's path.
func wantSegment(issuer string) string {
	return `tokens.providers[0].issuer: want one {claim} in place of one whole segment of the path of a URL, as https://idp.example/{tid}/v2.0, got "` + issuer + `"`
}

func withInline(keys, algorithms string) string {
	return withProvider(`"name":"main","issuer":"i","audiences":["a"],"algorithms":[` + algorithms + `],"jwks":{"inline":{"keys":[` + keys + `]}}`)
}
func withTokens(fields string) string {
	return `{"tokens":{"providers":[{` + provider + `}],` + fields + `},"routes":[{"path":"/**"}]}`
}
func withRoutes(routes string) string    { return `{` + toks + `,"routes":[` + routes + `]}` }
func withRoute(fields string) string     { return withRoutes(`{"path":"/a",` + fields + `}`) }
func withLimits(limits string) string    { return `{` + closed + `,"rate_limits":[` + limits + `]}` }
func withLimit(fields string) string     { return withLimits(`{"name":"l",` + fields + `}`) }
func withTop(field, value string) string { return `{` + closed + `,"` + field + `":` + value + `}` }

var refused = slices.Concat(refusedElsewhere, refusedPolicies)

// malformed is a document and the errors in it.
type malformed struct {
	doc  string
	want []string
}

// refusedElsewhere are malformed documents, tokens, audit and the rest.
var refusedElsewhere = []malformed{
	// The document.
	{``, []string{`line 1, column 1: not JSON: unexpected end`}},
	{`[]`, []string{`line 1, column 1: want a JSON object, got a list`}},
	{"{\n  \"mode\": enforce\n}", []string{`line 2, column 11: not JSON: invalid character 'e' at start of value`}},
	{`{` + open + `} {}`, []string{`line 1, column 44: want nothing after the configuration's object`}},
	{"{\"mode\":\"\xff\"}", []string{`line 1, column 10: not JSON: invalid UTF-8`}},
	{`{` + open + `,"mode":"enforce","mode":"observe"}`, []string{`mode: duplicate key`}},
	{`{` + open + `,"audit":{"claims":[],"log":"info","claims":[]}}`, []string{`audit.claims: duplicate key`}},
	{strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40), []string{`line 1, column 161: nested more than 32 deep`}},
	{`{"routes":"` + strings.Repeat("x", config.MaxBytes) + `"}`, []string{`line 1, column 1: want at most 1048576 bytes, got 1048589`}},

	// The top level.
	{`{}`, []string{`routes: required: want a list of 1..1000`}},
	{`{"routes":[]}`, []string{`routes: want a list of 1..1000, got 0`}},
	{`{"routes":{}}`, []string{`routes: want a list of 1..1000, got an object`}},
	{`{"routes":null}`, []string{`routes: want a list of 1..1000, got null`}},
	{`{"routes":[{"path":"/**"}]}`, []string{`tokens: required, unless every route is "auth": "none"`}},
	{`{` + open + `,"mod":"observe"}`, []string{`mod: unknown field, want one of ` + fieldsOf("") + `; did you mean mode?`}},
	{`{` + open + `,"nope":1}`, []string{`nope: unknown field, want one of ` + fieldsOf("")}},
	{`{` + open + `,"mode":"watch"}`, []string{`mode: want "enforce" or "observe", got "watch"`}},
	{`{` + open + `,"unsafe_paths":true}`, []string{`unsafe_paths: want "refuse" or "allow", or a list of 0..5, got true`}},
	{`{` + open + `,"unsafe_paths":"some"}`, []string{`unsafe_paths: want "refuse" or "allow", got "some"`}},
	{`{` + open + `,"unsafe_paths":["backslash","semicolon","semicolon"]}`, []string{
		`unsafe_paths[0]: want "encoded_slash", "encoded_delimiter", "semicolon", "double_slash" or "encoded_percent", got "backslash"`,
		`unsafe_paths[2]: "semicolon" is already in the list`,
	}},
	{`{` + open + `,"path_case":"fold"}`, []string{`path_case: want "match" or "ignore", got "fold"`}},
	{`{"path_case":"ignore","routes":[{"path":"/caf%C3%A9","auth":"none"}],"audit":{"exclude_paths":["/%C3%9Cber/**"]}}`, []string{
		`routes[0].path: want no letter beyond ASCII with "path_case": "ignore": servers fold such letters differently, got "/caf%C3%A9"`,
		`audit.exclude_paths[0]: want no letter beyond ASCII with "path_case": "ignore": servers fold such letters differently, got "/%C3%9Cber/**"`,
	}},

	// tokens
	{`{"tokens":{},"routes":[{"path":"/**"}]}`, []string{`tokens.providers: required: want a list of 1..64`}},
	{`{"tokens":{"providers":[]},"routes":[{"path":"/**"}]}`, []string{`tokens.providers: want a list of 1..64, got 0`}},
	{withTokens(`"cache_entries":-1`), []string{`tokens.cache_entries: want 0..262144, got -1`}},
	{withTokens(`"cache_entries":1.5`), []string{`tokens.cache_entries: want 0..262144, got 1.5`}},
	{withTokens(`"max_token_bytes":"16384"`), []string{`tokens.max_token_bytes: want 256..65536, got "16384"`}},
	{withTokens(`"forward_token":"no"`), []string{`tokens.forward_token: want true or false, got "no"`}},
	{withTokens(`"token_from":[]`), []string{`tokens.token_from: want a list of 1..8, got 0`}},
	{withTokens(`"token_from":[{"header":"x","cookie":"y"}]`), []string{`tokens.token_from[0].cookie: not together with header`}},
	{withTokens(`"token_from":[{"cookie":"y","scheme":"Bearer"}]`), []string{`tokens.token_from[0].scheme: not together with cookie`}},
	{withTokens(`"token_from":[{"scheme":"Bearer"}]`), []string{`tokens.token_from[0]: want either header, or cookie`}},
	{withTokens(`"token_from":[{"header":"x y"},{"cookie":"a;b"}]`), []string{
		`tokens.token_from[0].header: want an HTTP token (RFC 9110), got "x y"`,
		`tokens.token_from[1].cookie: want an HTTP token (RFC 9110), got "a;b"`,
	}},
	{withTokens(`"token_from":[{"header":"Cookie"}]`), []string{`tokens.token_from[0].header: want {"cookie": NAME} for a token in a cookie`}},
	{withTokens(`"token_from":[{"header":"X-Token"},{"header":"x-token","scheme":"Bearer"}]`), []string{`tokens.token_from[1]: the same place as tokens.token_from[0]`}},
	{withTokens(`"token_from":[{"header":"X-Token"},{"header":"x_token"},{"cookie":"my.session"},{"cookie":"My_Session"}]`), []string{
		`tokens.token_from[1]: the same place as tokens.token_from[0] to servers that fold names`,
		`tokens.token_from[3]: the same place as tokens.token_from[2] to servers that fold names`,
	}},
	{withTokens(`"token_from":[{"header":"authorisation"},{"query":"token"}]`), []string{
		`tokens.token_from[1]: want either header, or cookie`,
		`tokens.token_from[1].query: unknown field, want one of ` + fieldsOf("tokens.token_from[]"),
	}},

	// tokens.providers
	{withProvider(``), []string{
		`tokens.providers[0]: want either jwks and algorithms, or claims_from`,
		`tokens.providers[0].name: required: want a string of 1..64 characters`,
	}},
	{withProvider(`"name":"main","jwks":{"cluster":"idp","uri":"https://idp.example/"}`), []string{
		`tokens.providers[0].algorithms: required with jwks`,
		`tokens.providers[0].issuer: required with jwks`,
		`tokens.providers[0].audiences: required with jwks, unless "any_audience": true`,
	}},
	{withProvider(`"name":"a b","issuer":"","audiences":[],"algorithms":[],"jwks":{"cluster":"","uri":"ftp://x/"}`), []string{
		`tokens.providers[0].name: want letters, digits, '.', '_' and '-', got "a b"`,
		`tokens.providers[0].issuer: want a string of 1..2048 characters, got 0`,
		`tokens.providers[0].audiences: want a list of 1..64, got 0`,
		`tokens.providers[0].algorithms: want a list of 1..14, got 0`,
		`tokens.providers[0].jwks.cluster: want a string of 1..256 characters, got 0`,
		`tokens.providers[0].jwks.uri: want a URI https://HOST/PATH or http://HOST/PATH, got "ftp://x/"`,
	}},
	{withProvider(provider + `,"any_audience":true`), []string{`tokens.providers[0].audiences: not together with any_audience`}},
	{withProvider(strings.Replace(provider, "RS256", "none", 1)), []string{`tokens.providers[0].algorithms[0]: want "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512" or "Ed25519", got "none"`}},
	{withProvider(strings.Replace(provider, `"RS256"`, `"RS256","HS256","RS256"`, 1)), []string{
		`tokens.providers[0].algorithms[1]: HS* cannot be mixed with other algorithms in one provider`,
		`tokens.providers[0].algorithms[2]: "RS256" is already in the list`,
	}},
	{withProvider(provider + `,"claims":{"tid":["*"],"b":["a","*"]}`), []string{
		`tokens.providers[0].claims.tid[0]: want a value: "*" is for the claim in braces in a provider's issuer; required_claims asks for any value`,
		`tokens.providers[0].claims.b[1]: want a value: "*" is for the claim in braces in a provider's issuer; required_claims asks for any value`,
	}},
	{withRoute(`"claims":{"tid":["*"]}`), []string{`routes[0].claims.tid[0]: want a value: "*" is for the claim in braces in a provider's issuer; required_claims asks for any value`}},
	{withProvider(issuedBy("https://idp.example/{tid}/v2.0")), []string{
		`tokens.providers[0].claims: want the values of tid, which is in the issuer: {"tid": [...]}, or ["*"] for any`}},
	{withProvider(issuedBy("https://idp.example/{tid}/v2.0") + `,"claims":{"other":["a"]}`), []string{
		`tokens.providers[0].claims: want the values of tid, which is in the issuer: {"tid": [...]}, or ["*"] for any`}},
	{withProvider(issuedBy("https://idp.example/{tid}/v2.0") + `,"claims":{"tid":["a","*"]}`), []string{
		`tokens.providers[0].claims.tid[1]: want "*" alone, or the values`}},
	{withProvider(issuedBy("https://idp.example/{tid}/{aid}") + `,"claims":{"tid":["a"]}`), []string{wantSegment("https://idp.example/{tid}/{aid}")}},
	{withProvider(issuedBy("https://{tid}.example/")), []string{wantSegment("https://{tid}.example/")}},
	{withProvider(issuedBy("https://idp.example/t-{tid}")), []string{wantSegment("https://idp.example/t-{tid}")}},
	{withProvider(issuedBy("https://idp.example/{}/v2.0")), []string{wantSegment("https://idp.example/{}/v2.0")}},
	{withProvider(issuedBy("https://idp.example/{tid}/v2.0") + `,"claims":{"tid":["a"]}},{` +
		strings.Replace(issuedBy("https://idp.example/a/{x}"), `"main"`, `"b"`, 1) + `,"claims":{"x":["*"]}`), []string{
		`tokens.providers[1].issuer: some issuer fits this and tokens.providers[0].issuer`}},
	{withProvider(provider + `,"claims":{"token_use":"access","a":[],"b":[1]}`), []string{
		`tokens.providers[0].claims.token_use: want a list of 1..64, got "access"`,
		`tokens.providers[0].claims.a: want a list of 1..64, got 0`,
		`tokens.providers[0].claims.b[0]: want a string of 1..1024 characters, got 1`,
	}},
	{withProvider(provider + `,"clock_skew_seconds":301,"profile":"okta","required_claims":[""],"types":["jwt","jwt"]`), []string{
		`tokens.providers[0].clock_skew_seconds: want 0..300, got 301`,
		`tokens.providers[0].profile: want "auto" or "cognito", got "okta"`,
		`tokens.providers[0].required_claims[0]: want a string of 1..256 characters, got 0`,
		`tokens.providers[0].types[1]: "jwt" is already in the list`,
	}},
	{withProvider(provider + `,"groups_claims":"groups"`), []string{`tokens.providers[0].groups_claims: want a list of 0..16, got "groups"`}},
	{withProvider(provider + `,"claims_from":{"envoy_metadata":{"filter":"f","key":"k"}}`), []string{`tokens.providers[0].claims_from: not together with jwks`}},
	{withProvider(`"name":"m","algorithms":["RS256"],"claims_from":{"envoy_metadata":{"filter":"f","key":"k"}}`), []string{`tokens.providers[0].algorithms: not together with claims_from`}},
	{withProvider(`"name":"m","types":["jwt"],"claims_from":{"envoy_metadata":{"filter":"f"},"failed_status_key":""}`), []string{
		`tokens.providers[0].types: not together with claims_from`,
		`tokens.providers[0].claims_from.envoy_metadata.key: required: want a string of 1..256 characters`,
		`tokens.providers[0].claims_from.failed_status_key: want a string of 1..256 characters, got 0`,
	}},
	{withProvider(`"name":"m","issuer":"i","audiences":["a"]`), []string{`tokens.providers[0]: want either jwks and algorithms, or claims_from`}},
	{`{"tokens":{"providers":[{` + provider + `},{` + provider + `}]},"routes":[{"path":"/**"}]}`, []string{
		`tokens.providers[1].name: the same as tokens.providers[0].name`,
		`tokens.providers[1].issuer: the same as tokens.providers[0].issuer`,
	}},
	{`{"tokens":{"providers":[{` + provider + `},{` + strings.NewReplacer(`"main"`, `"MAIN"`, "https://idp.example\"", "https://other\"").Replace(provider) + `}]},"routes":[{"path":"/**"}]}`, []string{`tokens.providers[1].name: "MAIN" is "main" in metrics, and so is tokens.providers[0].name`}},
	{`{"tokens":{"providers":[{"name":"a","issuer":"i","claims_from":{"envoy_metadata":{"filter":"f","key":"k"}}},{"name":"b","claims_from":{"envoy_metadata":{"filter":"f","key":"k"}}}]},"routes":[{"path":"/**"}]}`, []string{`tokens.providers[1].issuer: required where several providers read the same envoy_metadata`}},

	// tokens.providers[].jwks
	{withProvider(strings.Replace(provider, `"cluster":"idp",`, ``, 1)), []string{`tokens.providers[0].jwks.cluster: required with uri`}},
	{withProvider(strings.Replace(provider, `"cluster":"idp",`, `"inline":{"keys":[{"kty":"RSA"}]},`, 1)), []string{
		`tokens.providers[0].jwks.inline: want at least one key that fits the provider's algorithms; keys[0]: n or e is not base64url`,
		`tokens.providers[0].jwks.uri: not together with inline`,
	}},
	{withProvider(strings.Replace(provider, `"cluster":"idp",`, `"cluster":"idp","refresh_seconds":9,"timeout_seconds":0,"max_stale_seconds":604801,"min_refetch_seconds":3601,`, 1)), []string{
		`tokens.providers[0].jwks.refresh_seconds: want 10..86400, got 9`,
		`tokens.providers[0].jwks.timeout_seconds: want 1..60, got 0`,
		`tokens.providers[0].jwks.max_stale_seconds: want 10..604800, got 604801`,
		`tokens.providers[0].jwks.min_refetch_seconds: want 1..3600, got 3601`,
	}},
	{withProvider(strings.Replace(provider, `"cluster":"idp",`, `"cluster":"idp","refresh_seconds":600,"max_stale_seconds":60,`, 1)), []string{`tokens.providers[0].jwks.max_stale_seconds: want at least refresh_seconds, 600, got 60`}},
	{withProvider(strings.Replace(provider, `https://idp.example/jwks.json`, `https://user@idp.example/jwks.json`, 1)), []string{`tokens.providers[0].jwks.uri: want a URI https://HOST/PATH or http://HOST/PATH, got "https://user@idp.example/jwks.json"`}},
	{withProvider(strings.Replace(provider, `https://idp.example/jwks.json`, `https://idp.example`, 1)), []string{`tokens.providers[0].jwks.uri: want a URI https://HOST/PATH or http://HOST/PATH, got "https://idp.example"`}},
	{withInline(``, `"RS256"`), []string{`tokens.providers[0].jwks.inline.keys: want a list of 1..256, got 0`}},
	{withInline(`{"kty":"oct","k":"`+k32+`"}`, `"RS256"`), []string{`tokens.providers[0].jwks.inline: want at least one key that fits the provider's algorithms`}},
	{withInline(`{"kty":"oct","k":"`+k32+`"}`, `"HS512"`), []string{`tokens.providers[0].jwks.inline: want at least one key that fits the provider's algorithms`}},
	{withInline(`{"kty":"oct","k":null}`, `"HS256"`), []string{`tokens.providers[0].jwks.inline: want at least one key that fits the provider's algorithms; keys[0]: secret below 32 bytes`}},
	{withInline(`{"kty":"oct","k":{"env":"UNSET"}}`, `"HS256"`), []string{`tokens.providers[0].jwks.inline.keys[0].k.env: the environment variable UNSET is not set`}},
	{withInline(`{"kty":"oct","k":{"env":"SHORT"}}`, `"HS256"`), []string{`tokens.providers[0].jwks.inline: want at least one key that fits the provider's algorithms; keys[0]: k is not base64url`}},
	{withInline(`{"kty":"oct","k":{"env":"NOT_UTF8"}}`, `"HS256"`), []string{`tokens.providers[0].jwks.inline: want at least one key that fits the provider's algorithms; keys[0]: k is not base64url`}},
	{withInline(`{"kty":"oct","k":{"env":"1 2","file":"s3cret"}}`, `"HS256"`), []string{
		`tokens.providers[0].jwks.inline.keys[0].k.env: want the name of an environment variable, got a string`,
		`tokens.providers[0].jwks.inline.keys[0].k.file: unknown field, want one of env`,
	}},
	{withInline(`{"kty":"oct","k":["s3cret"]},"s3cret",{"k":"s3cret"},{"kty":"oct","k":""}`, `"HS256"`), []string{
		`tokens.providers[0].jwks.inline.keys[0].k: want a string of 1..4096 characters, or an object, or null, got a list`,
		`tokens.providers[0].jwks.inline.keys[1]: want an object, got a string`,
		`tokens.providers[0].jwks.inline.keys[2].kty: required: want a string of 1..16 characters`,
		`tokens.providers[0].jwks.inline.keys[3].k: want a string of 1..4096 characters, got 0`,
	}},

	// admin
	{withTop("admin", `{}`), []string{`admin.token: required: want a string of 1..4096 characters, or an object`}},
	{withTop("admin", `{"token":"s3cret"}`), []string{`admin.token: want at least 32 visible ASCII characters, got a string of 6 bytes`}},
	{withTop("admin", `{"token":"0123456789abcdef s3cret 0123456789abcdef"}`), []string{`admin.token: want at least 32 visible ASCII characters, got a string of 40 bytes`}},
	{withTop("admin", `{"token":{"env":"EMPTY"}}`), []string{`admin.token.env: the environment variable EMPTY is not set`}},
	{withTop("admin", `{"token":{"env":"UNSET"},"tokens":1}`), []string{
		`admin.token.env: the environment variable UNSET is not set`, `admin.tokens: unknown field, want one of token; did you mean token?`,
	}},
	{withTop("admin", `["s3cret"]`), []string{`admin: want an object, got a list`}},
	{withTop("admin", `{"token":["s3cret"]}`), []string{`admin.token: want a string of 1..4096 characters, or an object, got a list`}},

	// audit, identity_headers, metrics
	{withTop("audit", `{"htpp":{},"http":{},"chain":{}}`), []string{
		`audit.htpp: unknown field, want one of ` + fieldsOf("audit") + `; did you mean http?`,
		`audit.http.cluster: required: want a string of 1..256 characters`,
		`audit.chain.key_id: required: want a string of 1..64 characters`,
		`audit.chain.hmac_key: required: want a string of 1..4096 characters, or an object`,
	}},
	{`{` + toks + `,"routes":[{"path":"/a","audit":"open"},{"path":"/b","audit":"close"}],"audit":{"log":"none"}}`, []string{
		`routes[0].audit: "open" needs audit.log or audit.http: an access log has one line a request, at its end`,
		`routes[1].audit: want "open", got "close"`,
	}},
	{withTop("audit", `{"chain":{"key_id":"a b","hmac_key":["s3cret"],"key":"s3cret"}}`), []string{
		`audit.chain.key_id: want letters, digits, '.', '_' and '-', got "a b"`,
		`audit.chain.hmac_key: want a string of 1..4096 characters, or an object, got a list`,
		`audit.chain.key: unknown field, want one of ` + fieldsOf("audit.chain"),
	}},
	{withTop("audit", `{"chain":{"key_id":"k","hmac_key":"s3cret"}}`), []string{`audit.chain.hmac_key: want base64 of 32..1024 bytes, got text of 6 characters that isn't base64`}},
	{withTop("audit", `{"chain":{"key_id":"k","hmac_key":"s3cretAA"}}`), []string{`audit.chain.hmac_key: want base64 of 32..1024 bytes, got 6 bytes`}},
	{withTop("audit", `{"chain":{"key_id":"k","hmac_key":{"env":"NOT_UTF8"}}}`), []string{`audit.chain.hmac_key: want base64 of 32..1024 bytes, got text of 8 characters that isn't base64`}},
	{withTop("audit", `{"chain":{"key_id":"k","hmac_key":{"env":"UNSET"}}}`), []string{`audit.chain.hmac_key.env: the environment variable UNSET is not set`}},
	{withTop("audit", `{"http":{"cluster":"logs","path":"events","headers":{"Content-Length":"1","a b":"c","x-a":{"env":"UNSET"},"X-B":"1","x-b":"2","x-c":"a\u00e9"},"batch_events":1001,"flush_seconds":0,"timeout_seconds":61}}`), []string{
		`audit.http.path: want a path that begins with '/', got "events"`,
		`audit.http.headers.Content-Length: Gatehouse sets this header itself`,
		`audit.http.headers["a b"]: want an HTTP token (RFC 9110) as name`,
		`audit.http.headers.x-a.env: the environment variable UNSET is not set`,
		`audit.http.headers.x-b: the same header twice`,
		`audit.http.headers.x-c: want a header value of visible ASCII characters and spaces`,
		`audit.http.batch_events: want 1..1000, got 1001`,
		`audit.http.flush_seconds: want 1..60, got 0`,
		`audit.http.timeout_seconds: want 1..60, got 61`,
	}},
	{withTop("audit", `{"http":{"cluster":"logs","batch_events":500,"queue_events":100}}`), []string{`audit.http.queue_events: want at least batch_events, 500, got 100`}},
	{withProvider(`"name":"a","issuer":"i","audiences":["a"],"algorithms":["RS256"],"jwks":{"cluster":"c","uri":"https://i/k","discovery":"https://i/d"}`), []string{
		`tokens.providers[0].jwks.discovery: not together with uri`,
	}},
	{withProvider(`"name":"a","issuer":"i","audiences":["a"],"algorithms":["RS256"],"jwks":{"discovery":"i/d"}`), []string{
		`tokens.providers[0].jwks.cluster: required with discovery`,
		`tokens.providers[0].jwks.discovery: want a URI https://HOST/PATH or http://HOST/PATH, got "i/d"`,
	}},
	{withTop("audit", `{"access_log":"Gate 2"}`), []string{`audit.access_log: want lower-case letters, digits and '_', got "Gate 2"`}},
	{withTop("audit", `{"access_log":1}`), []string{`audit.access_log: want true or false, or a string of 1..64 characters, got 1`}},
	{withTop("audit", `{"log":"warning","max_field_bytes":8,"exclude_paths":["health","/a/"]}`), []string{
		`audit.log: want "none", "trace", "debug", "info", "warn", "error" or "critical", got "warning"`,
		`audit.max_field_bytes: want 16..65536, got 8`,
		`audit.exclude_paths[0]: want a path that begins with '/', got "health"`,
		`audit.exclude_paths[1]: want no / at the end: /exact also matches /exact/, and /tree/** the tree below, got "/a/"`,
	}},
	{withTop("audit", `{"headers":["Authorization","cookie","x-a","X-A","a b"],"claims":["cookie"]}`), []string{
		`audit.headers[0]: want none of authorization, proxy-authorization, cookie and the headers in tokens.token_from`,
		`audit.headers[1]: want none of authorization, proxy-authorization, cookie and the headers in tokens.token_from`,
		`audit.headers[3]: "x-a" is already in the list`,
		`audit.headers[4]: want an HTTP token (RFC 9110), got "a b"`,
		`audit.claims[0]: want none of authorization, proxy-authorization, cookie and the headers in tokens.token_from`,
	}},
	{`{"tokens":{"providers":[{` + provider + `}],"token_from":[{"header":"X-Token"}]},"routes":[{"path":"/**"}],"audit":{"headers":["x-token"]},"identity_headers":{"prefix":"x-"}}`, []string{
		`audit.headers[0]: want none of authorization, proxy-authorization, cookie and the headers in tokens.token_from`,
		`identity_headers.prefix: want a prefix of your own: "x-" would remove the headers x-forwarded-*`,
	}},
	{withTop("identity_headers", `"off"`), []string{`identity_headers: want "none", got "off"`}},
	{withTop("identity_headers", `["none"]`), []string{`identity_headers: want "none", or an object, got a list`}},
	{withTop("identity_headers", `{"prefix":"X-Me-","claims":["a.b","a-b"]}`), []string{
		`identity_headers.prefix: want a header prefix: lower-case letters, digits and '-', from a letter to a '-', got "X-Me-"`,
		`identity_headers.claims[1]: the same header as identity_headers.claims[0]: claim-a-b`,
	}},
	{withTop("identity_headers", `{"prefix":"x-forwarded-"}`), []string{`identity_headers.prefix: want a prefix of your own: "x-forwarded-" would remove the headers x-forwarded-*`}},
	{withTop("identity_headers", `{"prefix":"x-forwarded-user-"}`), []string{`identity_headers.prefix: want a prefix of your own: "x-forwarded-user-" would remove the headers x-forwarded-*`}},
	{withTop("identity_headers", `{"prefix":"user-"}`), []string{`identity_headers.prefix: want a prefix of your own: "user-" would remove the header user-agent`}},
	{withTop("identity_headers", `{"prefix":"proxy-"}`), []string{`identity_headers.prefix: want a prefix of your own: "proxy-" would remove the headers proxy-*`}},
	{withTop("metrics", `{"per_route":"yes","naming":"prometheus"}`), []string{
		`metrics.per_route: want true or false, got "yes"`,
		`metrics.naming: want "envoy" or "istio", got "prometheus"`,
	}},

	// Everything at once, in document order.
	{`{"rate_limits":[{"name":"l","max_requests":1,"window_seconds":0}],"routes":[{"path":"a"}],"bogus":1,"mode":2}`, []string{
		`tokens: required, unless every route is "auth": "none"`,
		`rate_limits[0].window_seconds: want 1..86400, got 0`,
		`routes[0].path: want a path that begins with '/', got "a"`,
		`bogus: unknown field, want one of ` + fieldsOf(""),
		`mode: want "enforce" or "observe", got 2`,
	}},
}

func TestMalformedConfigurationsAreRefusedWithEveryError(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"SHORT": "s3cret", "NOT_UTF8": "\xff\xfes3cret"}[name]
		return v, ok
	}
	for _, c := range refused {
		_, err := config.Parse([]byte(c.doc), env)
		doc := c.doc
		if len(doc) > 300 {
			doc = doc[:300] + "…"
		}
		t.Run(c.want[0], func(t *testing.T) {
			require.Error(t, err, doc)
			assert.Equal(t, strings.Join(c.want, "\n"), err.Error(), doc)
			assert.NotContains(t, err.Error(), "s3cret", doc)
		})
	}
}
