package config

import (
	"gatehouse/core/policy"
	"gatehouse/core/ratelimit"
)

var path = Shape{Type: Text, Min: 1, Max: policy.MaxPatternBytes, Format: &pathFormat}

var headerName = Shape{Type: Text, Min: 1, Max: 256, Format: &tokenFormat}

var scopes = Shape{Type: List, Min: 1, Max: 64, Unique: true, Element: &Shape{Type: Text, Min: 1, Max: 256, Format: &scopeFormat}}

var values = Shape{Type: List, Min: 1, Max: 64, Unique: true, Element: &Shape{Type: Text, Min: 1, Max: 1024}}

// claimValues are claims and the values that each may have.
var claimValues = Shape{Type: Map, Min: 1, Max: 16, Names: &claimName, Element: &values}

var requiredCaller = Shape{Type: Text, Enum: []string{"any", "human", "machine"}}

var groups = Shape{Type: List, Min: 1, Max: 64, Unique: true, Element: &Shape{Type: Text, Min: 1, Max: 256}}

// requirementFields are the fields of a route, and of its alternatives, that require something of a
// caller.
var requirementFields = []string{"caller", "scopes_all", "scopes_any", "groups_any", "claims"}

// alternative is an element of routes[].any_of. It isn't empty.
var alternative = Shape{Type: Object, Min: 1, Fields: []Field{
	{Name: "caller", Shape: &requiredCaller, Doc: "Who is admitted."},
	{Name: "scopes_all", Shape: &scopes, Doc: "The token needs all of these scopes."},
	{Name: "scopes_any", Shape: &scopes, Doc: "The token needs one of these scopes."},
	{Name: "groups_any", Shape: &groups, Doc: "The caller must be in one of these groups."},
	{Name: "claims", Shape: &claimValues, Doc: "Claims and the values they may have."},
}}

var route = Shape{Type: Object, Fields: []Field{
	{Name: "path", Required: true, Shape: &path,
		Doc: "`/exact` (and `/exact/`), `/tree/**` (the path itself and all below it), `/users/*/avatar` (`*` is one segment)."},
	{Name: "methods", Shape: &Shape{Type: List, Min: 1, Max: 16, Unique: true, Element: &Shape{Type: Text, Min: 1, Max: 32, Format: &methodFormat}},
		Doc: "Narrows the route to these. `GET` doesn't include `HEAD`. A request whose method has a lower-case letter, or is `CONNECT`, is refused on every route (400 `unsafe_method`)."},
	{Name: "hosts", Shape: &Shape{Type: List, Min: 1, Max: 64, Unique: true, Element: &Shape{Type: Text, Min: 1, Max: int64(len("*.")) + policy.MaxHostBytes}},
		Doc: "Narrows the route to these: exact, or `*.example.com`; compared in lower case, without port and trailing dot, IPv6 addresses in brackets. A request whose authority isn't one host with an optional port 0..65535 is refused on every route (400 `unsafe_host`)."},
	{Name: "name", Shape: &Shape{Type: Text, Min: 1, Max: 1024},
		Doc: "Labels metrics and audit events. By default the path. Unique after mapping to `[a-z0-9_]`, unless `metrics.per_route` is false."},
	{Name: "auth", Default: `"required"`, Shape: &Shape{Type: Text, Enum: []string{"required", "optional", "none"}},
		Doc: "`optional`: no token is an anonymous caller, a bad one still 401. `none`: tokens aren't looked at."},
	{Name: "caller", Default: `"any"`, Shape: &requiredCaller,
		Doc: "Who is admitted."},
	{Name: "scopes_all", Shape: &scopes,
		Doc: "The token needs all of these scopes."},
	{Name: "scopes_any", Shape: &scopes,
		Doc: "The token needs one of these scopes."},
	{Name: "groups_any", Shape: &groups,
		Doc: "The caller must be in one of these groups."},
	{Name: "claims", Shape: &claimValues,
		Doc: "Claims and the values they may have: `{\"tenant\": [\"a\",\"b\"]}`."},
	{Name: "any_of", Shape: &Shape{Type: List, Min: 1, Max: 16, Element: &alternative},
		Doc: "Alternatives, of which one must hold, instead of the fields above: people need scope X, services need role Y. If none holds, the refusal is that of the alternative that got furthest in the order caller, scopes, groups, claims; of equal ones the first."},
	{Name: "rate_limits", Shape: &Shape{Type: List, Max: 256, Unique: true, Element: &label},
		Doc: "Names of limits that apply here, beside those with `\"apply\": \"everywhere\"`. Where `auth` is `none`, only these apply."},
	{Name: "skip_rate_limits", Shape: &Shape{Type: List, Max: 256, Unique: true, Element: &labelOrAll},
		Doc: "Names of limits with `\"apply\": \"everywhere\"` that don't apply here; `[\"*\"]` is all of them."},
	{Name: "cost", Default: `1`, Shape: &Shape{Type: Integer, Min: 1, Max: maxRequests},
		Doc: "What a request charges to each of its limits. At most the `max_requests` of each limit that applies."},
	{Name: "audit", Default: `true`, Shape: &Shape{Type: Either, Either: []*Shape{&boolean, {Type: Text, Enum: []string{"open"}}}},
		Doc: "`open` writes one more event when a request is admitted, for streams that stay open for hours: `metadata.phase` is `open`, and the event at the end names it in `metadata.open_event_id`. It goes to `audit.log` and `audit.http`, of which one is required, not to the access log. `false` leaves the route's requests out of the audit log, refusals too; what the upstream reports of its own is recorded."},
	{Name: "cors_preflight", Shape: &Shape{Type: Text, Enum: preflightWords},
		Doc: "`pass`: an `OPTIONS` with `origin` and `access-control-request-method` passes unauthenticated, and charges only limits that the route names or that have `\"when\": \"before_auth\"`. By default as at the top level."},
}}

// preflightWords are the values of cors_preflight.
var preflightWords = []string{"check", "pass"}

// maxRequests bounds rate_limits[].max_requests and what one request can cost.
const maxRequests = 1_000_000_000

var windowFields = []Field{
	{Name: "max_requests", Required: true, Shape: &Shape{Type: Integer, Min: 1, Max: maxRequests},
		Doc: "The cost that is admitted in any window."},
	{Name: "window_seconds", Required: true, Shape: &Shape{Type: Integer, Min: 1, Max: ratelimit.MaxLength / second},
		Doc: "The window's length."},
}

var rateLimit = Shape{Type: Object,
	Choices: []Choice{
		{Need: []string{"max_requests", "window_seconds"}},
		{Need: []string{"windows"}},
	},
	Fields: []Field{
		{Name: "name", Required: true, Shape: &label,
			Doc: "Labels headers, metrics and audit events. Unique after mapping to `[a-z0-9_]`."},
		{Name: "max_requests", Shape: &Shape{Type: Integer, Min: 1, Max: maxRequests},
			Doc: "The cost that is admitted in any window of `window_seconds`."},
		{Name: "window_seconds", Shape: &Shape{Type: Integer, Min: 1, Max: ratelimit.MaxLength / second},
			Doc: "The window's length. With `max_requests`, or `windows` instead of both."},
		{Name: "windows", Shape: &Shape{Type: List, Min: 1, Max: ratelimit.MaxWindows, Element: &Shape{Type: Object, Fields: windowFields}},
			Doc: "Several windows at once, each of another length."},
		{Name: "identifier", Default: `["user_id|ip"]`,
			Shape: &Shape{Type: List, Min: 1, Max: 8, Unique: true, Element: &Shape{Type: Text, Min: 1, Max: 1024}},
			Doc:   "Whom the limit counts: the elements together form the key, `|` means the first that is there. Elements: `user_id`, `client_id`, `ip`, `claim:NAME`, `header:NAME`, `route`, `method`, `host`, `global`."},
		{Name: "ip_prefix_v4", Default: `32`, Shape: &Shape{Type: Integer, Min: 1, Max: 32},
			Doc: "How many bits of an IPv4 address `ip` counts."},
		{Name: "ip_prefix_v6", Default: `64`, Shape: &Shape{Type: Integer, Min: 1, Max: 128},
			Doc: "How many bits of an IPv6 address `ip` counts."},
		{Name: "caller", Default: `"any"`, Shape: &Shape{Type: Text, Enum: []string{"any", "human", "machine", "anonymous"}},
			Doc: "Whom the limit applies to."},
		{Name: "claims", Shape: &claimValues,
			Doc: "Limits by plan: it applies only to callers whose token has these claims with one of these values, as in routes: `{\"plan\": [\"free\"]}`."},
		{Name: "apply", Default: `"everywhere"`, Shape: &Shape{Type: Text, Enum: []string{"everywhere", "by_name"}},
			Doc: "Which routes it applies to. `everywhere`: all routes, but those whose `auth` is `none` and those that skip it (`skip_rate_limits`). `by_name`: only the routes that name it in `rate_limits`."},
		{Name: "when", Default: `"after_auth"`, Shape: &Shape{Type: Text, Enum: []string{"after_auth", "before_auth"}},
			Doc: "`before_auth` is against floods of bad tokens: only `ip`, `route`, `method`, `host` and `global`, and its charge stays whatever follows."},
		{Name: "shadow", Default: `false`, Shape: &boolean,
			Doc: "Counts and reports, never refuses, shows no headers."},
		{Name: "headers", Default: `true`, Shape: &boolean,
			Doc: "`false` keeps the limit out of the limit headers."},
		{Name: "max_identifiers", Default: `65536`, Shape: &Shape{Type: Integer, Min: 1, Max: 1_000_000},
			Doc: "Bounds the limit's memory."},
		{Name: "on_contention", Default: `"deny"`, Shape: &Shape{Type: Text, Enum: []string{"deny", "allow"}},
			Doc: "What becomes of a request whose charge was lost to other workers 16 times."},
	},
}
