package config

import (
	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
)

var tokens = Shape{Type: Object, Fields: []Field{
	{Name: "providers", Required: true, Shape: &Shape{Type: List, Min: 1, Max: 64, Element: &provider},
		Doc: "The issuers that are trusted."},
	{Name: "token_from", Default: `[{"header":"authorization","scheme":"Bearer"}]`,
		Shape: &Shape{Type: List, Min: 1, Max: 8, Element: &source},
		Doc:   "Where a request carries its token. Tokens in two places, two `authorization` headers, and two token cookies of one name are refused as `malformed_token`, and so is a header or a cookie that a server could take for the token's (`x_token` for `x-token`)."},
	{Name: "forward_token", Default: `true`, Shape: &boolean,
		Doc: "Whether the upstream sees the token."},
	{Name: "cache_entries", Default: `4096`, Shape: &Shape{Type: Integer, Min: 0, Max: 262144},
		Doc: "How many verified tokens each worker remembers; 0 for none."},
	{Name: "max_token_bytes", Default: `16384`, Shape: &Shape{Type: Integer, Min: 256, Max: 65536},
		Doc: "Longer tokens are refused as `token_too_large`."},
	{Name: "resources", Shape: &Shape{Type: List, Min: 1, Max: MaxResources, Element: &resource},
		Doc: "The protected resources (RFC 9728) whose metadata the gate publishes, at `/.well-known/oauth-protected-resource` and the identifier's path. Clients, those of the Model Context Protocol among them, find their authorization server by it: 401 and `insufficient_scope` name it in `www-authenticate`."},
}}

// algorithms are the registered names; RFC 9864 gives EdDSA a second one.
var algorithms = append(jwt.AllAlgs.Names(), "Ed25519")

var provider = Shape{Type: Object,
	Choices: []Choice{
		{Need: []string{"jwks", "algorithms"}, Also: []string{"types"}},
		{Need: []string{"claims_from"}},
	},
	Fields: []Field{
		{Name: "name", Required: true, Shape: &label,
			Doc: "Labels metrics, and stands before user ids in the admin API. Unique."},
		{Name: "issuer", Shape: &Shape{Type: Text, Min: 1, Max: 2048},
			Doc: "The `iss` of its tokens, compared exactly; it chooses the provider. One segment of its path may be `{claim}`, the name of a claim that has the same value: `https://login.microsoftonline.com/{tid}/v2.0`; `claims` must then list the values of that claim. Unique. Required with `jwks`."},
		{Name: "audiences", Shape: &Shape{Type: List, Min: 1, Max: 64, Unique: true, Element: &Shape{Type: Text, Min: 1, Max: 1024}},
			Doc: "A token needs one of them. Required with `jwks`, unless `any_audience` is true."},
		{Name: "any_audience", Default: `false`, Shape: &boolean,
			Doc: "Admits tokens for any audience, those meant for other services included."},
		{Name: "audience_claims", Default: `["aud"]`, Shape: &Shape{Type: List, Min: 1, Max: 8, Unique: true, Element: &claimName},
			Doc: "The first of them that the token has decides. Cognito's access tokens have no `aud`: `[\"aud\",\"client_id\"]`."},
		{Name: "algorithms", Shape: &Shape{Type: List, Min: 1, Max: int64(len(algorithms)), Unique: true, Element: &Shape{Type: Text, Enum: algorithms}},
			Doc: "The signature algorithms (RFC 7518, RFC 8037) that are accepted; `EdDSA` and `Ed25519` (RFC 9864) are one. `HS*` cannot be mixed with the others. Required with `jwks`."},
		{Name: "types", Shape: &Shape{Type: List, Min: 1, Max: 8, Unique: true, Element: &Shape{Type: Text, Max: 128}},
			Doc: "Accepted values of the `typ` header, compared without case and without `application/`; `\"\"` is an absent one. By default `typ` may be absent, `JWT` or `at+jwt`."},
		{Name: "clock_skew_seconds", Default: `0`, Shape: &Shape{Type: Integer, Min: 0, Max: 300},
			Doc: "Tolerance for `exp` and `nbf`."},
		{Name: "required_claims", Default: `[]`, Shape: &Shape{Type: List, Max: 32, Unique: true, Element: &claimName},
			Doc: "Claims that a token needs beside `exp`."},
		{Name: "claims", Shape: &claimValues,
			Doc: "Claims and the values they may have, as in routes, for every token of the provider; other tokens get 401 `invalid_claim`. `{\"token_use\": [\"access\"]}` keeps Cognito's ID tokens out. `[\"*\"]` is any value, only for the claim in `issuer`."},
		{Name: "scopes_claims", Default: `["scope","scp"]`,
			Shape: &Shape{Type: List, Min: 1, Max: 16, Unique: true, Element: &claimName},
			Doc:   "The claims with the scopes, a string or a list. The first of them that the token has decides."},
		{Name: "profile", Default: `"auto"`, Shape: &Shape{Type: Text, Enum: []string{"auto", "cognito"}},
			Doc: "How humans and machines are told apart: see [m2m.md](m2m.md)."},
		{Name: "groups_claims", Default: `["groups","cognito:groups","roles","realm_access.roles"]`,
			Shape: &Shape{Type: List, Max: 16, Unique: true, Element: &claimName},
			Doc:   "The claims whose union are the caller's groups: a string, or the strings of a list. If you set this field, also the names in an object whose values are objects with members, as Zitadel writes roles."},
		{Name: "jwks", Shape: &keySet,
			Doc: "The keys of the issuer. Either this or `claims_from`."},
		{Name: "claims_from", Shape: &claimsFrom,
			Doc: "Takes claims that Envoy's or Istio's own JWT filter verified. Either this or `jwks`."},
	},
}

var keySet = Shape{Type: Object,
	Choices: []Choice{
		{Need: []string{"inline"}},
		{Need: []string{"uri", "cluster"}, Also: fetchFields},
		{Need: []string{"discovery", "cluster"}, Also: fetchFields},
	},
	Fields: []Field{
		{Name: "inline", Shape: &inlineSet,
			Doc: "A JWK Set (RFC 7517). Either this, or `cluster` and `uri`."},
		{Name: "cluster", Shape: &Shape{Type: Text, Min: 1, Max: 256},
			Doc: "The name of the Envoy cluster that leads to the issuer."},
		{Name: "uri", Shape: &Shape{Type: Text, Min: 1, Max: 2048, Format: &uriFormat},
			Doc: "The JWK Set's address. Its host and path are what the request asks for; the cluster decides where it goes, and whether over TLS."},
		{Name: "discovery", Shape: &Shape{Type: Text, Min: 1, Max: 2048, Format: &uriFormat},
			Doc: "In place of `uri`, the address of the OpenID configuration (RFC 8414), such as `https://idp.example/.well-known/openid-configuration`. Its `issuer` must be the provider's, and its `jwks_uri` have the same scheme and authority."},
		{Name: "refresh_seconds", Default: `600`, Shape: &Shape{Type: Integer, Min: 10, Max: 86400},
			Doc: "Time between fetches. An answer's `cache-control: max-age` can shorten it, down to `min_refetch_seconds`; `no-cache` and `no-store` don't."},
		{Name: "timeout_seconds", Default: `5`, Shape: &Shape{Type: Integer, Min: 1, Max: 60},
			Doc: "Of one fetch, and of a request that waits for the first set."},
		{Name: "max_stale_seconds", Default: `86400`, Shape: &Shape{Type: Integer, Min: 10, Max: 604800},
			Doc: "How old a set may get while fetches fail. At least `refresh_seconds`."},
		{Name: "min_refetch_seconds", Default: `10`, Shape: &Shape{Type: Integer, Min: 1, Max: 3600},
			Doc: "The least time between fetches that unknown `kid`s or a `max-age` trigger."},
	},
}

// fetchFields are the fields of a set that is fetched.
var fetchFields = []string{"refresh_seconds", "timeout_seconds", "max_stale_seconds", "min_refetch_seconds"}

var inlineSet = Shape{Type: Object, Open: true, Secret: true, Fields: []Field{
	{Name: "keys", Required: true, Shape: &Shape{Type: List, Min: 1, Max: jwks.MaxKeys, Element: &inlineKey},
		Doc: "The keys. Other members of the set are ignored."},
}}

var inlineKey = Shape{Type: Object, Open: true, Fields: []Field{
	{Name: "kty", Required: true, Shape: &Shape{Type: Text, Min: 1, Max: 16},
		Doc: "`RSA`, `EC`, `OKP` or `oct`. The other members are as RFC 7518 has them."},
	{Name: "k", Shape: &Shape{Type: Either, Secret: true, Either: append(secretText.Either[:len(secretText.Either):len(secretText.Either)], &Shape{Type: Null})},
		Doc: "A symmetric key, base64url; `{\"env\": \"NAME\"}` reads it from the VM's environment variables, so that Envoy's config dump doesn't show it."},
}}

// secretText is a secret: the text itself, or the environment variable that has it.
var secretText = Shape{Type: Either, Secret: true, Either: []*Shape{
	{Type: Text, Min: 1, Max: 4096},
	{Type: Object, Fields: []Field{
		{Name: "env", Required: true, Shape: &Shape{Type: Text, Min: 1, Max: 256, Format: &envFormat},
			Doc: "The variable's name. Its value is what would stand here."},
	}},
}}

var claimsFrom = Shape{Type: Object, Fields: []Field{
	{Name: "envoy_metadata", Required: true, Shape: &Shape{Type: Object, Fields: []Field{
		{Name: "filter", Required: true, Shape: &Shape{Type: Text, Min: 1, Max: 256},
			Doc: "The metadata's namespace: `envoy.filters.http.jwt_authn`."},
		{Name: "key", Required: true, Shape: &Shape{Type: Text, Min: 1, Max: 256},
			Doc: "The filter's `payload_in_metadata`. Istio's is `payload`, Envoy Gateway's the provider's name."},
	}}, Doc: "Where the claims are."},
	{Name: "failed_status_key", Shape: &Shape{Type: Text, Min: 1, Max: 256},
		Doc: "The filter's `failed_status_in_metadata`: tells a bad token from none. Needed where the filter has `allow_missing_or_failed`."},
}}

var source = Shape{Type: Object,
	Choices: []Choice{
		{Need: []string{"header"}, Also: []string{"scheme"}},
		{Need: []string{"cookie"}},
	},
	Fields: []Field{
		{Name: "header", Shape: &headerName,
			Doc: "A request header. Either this or `cookie`."},
		{Name: "scheme", Shape: &Shape{Type: Text, Min: 1, Max: 64, Format: &tokenFormat},
			Doc: "What stands before the token in the header, compared without case. Without it, the token is the whole value."},
		{Name: "cookie", Shape: &Shape{Type: Text, Min: 1, Max: 256, Format: &tokenFormat},
			Doc: "A cookie. Either this or `header`."},
	},
}
