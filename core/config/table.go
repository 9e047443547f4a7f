package config

// The tables in this file and the other table files are the reference of the configuration: the
// documentation of each field, and the values that Parse accepts.

var configuration = Shape{Type: Object, Fields: []Field{
	{Name: "mode", Default: `"enforce"`, Shape: &Shape{Type: Text, Enum: []string{"enforce", "observe"}},
		Doc: "`observe` decides, counts and audits everything and refuses nothing; what would have been refused charges no limit."},
	{Name: "unsafe_paths", Default: `"refuse"`, Shape: &Shape{Type: Either, Either: []*Shape{
		{Type: Text, Enum: []string{"refuse", "allow"}},
		{Type: List, Max: int64(len(pathKinds)), Unique: true, Element: &Shape{Type: Text, Enum: pathKindWords()}},
	}}, Doc: "The kinds of paths that are let through although the server behind could read them differently; the others get 400 `unsafe_path`. `refuse` is none of these kinds, `allow` all. A path with an allowed kind is matched in every reading of it; if they lead to different routes, it gets 400 too."},
	{Name: "path_case", Default: `"match"`, Shape: &Shape{Type: Text, Enum: []string{"match", "ignore"}},
		Doc: "How paths are compared. By default their case counts: `/Admin` is another path than `/admin`. Set `ignore` if the upstream ignores case, as Express (by default) and IIS do; else `/ADMIN/x` gets around a route for `/admin/**`. It folds ASCII letters in routes, `exclude_paths` and requests."},
	{Name: "cors_preflight", Default: `"check"`, Shape: &Shape{Type: Text, Enum: preflightWords},
		Doc: "What becomes of CORS preflights, on routes that don't say: `check` them like any request, or let them `pass` unauthenticated."},
	{Name: "cors", Shape: &corsTable,
		Doc: "Lets pages of other origins read why Gatehouse refused them: refusals carry the CORS headers then. Preflights stay the application's."},
	{Name: "tokens", Shape: &tokens,
		Doc: "Where tokens come from and who may issue them. Required unless every route is `\"auth\": \"none\"`."},
	{Name: "routes", Required: true, Shape: &Shape{Type: List, Min: 1, Max: 1000, Element: &route},
		Doc: "What each path asks of a caller. The first match wins; a request that no route matches gets 403 `no_route`."},
	{Name: "rate_limits", Default: `[]`, Shape: &Shape{Type: List, Max: 256, Element: &rateLimit},
		Doc: "Sliding-window limits, charged in this order."},
	{Name: "limit_headers", Default: `["x-ratelimit","ratelimit"]`,
		Shape: &Shape{Type: List, Max: 2, Unique: true, Element: &Shape{Type: Text, Enum: []string{"x-ratelimit", "x-ratelimit-epoch", "ratelimit"}}},
		Doc:   "Which headers tell clients where they stand: `x-ratelimit` is `X-RateLimit-Limit`, `-Remaining` and `-Reset`, of the window with the least remaining; `x-ratelimit-epoch` the same with Reset as a Unix time; `ratelimit` is `RateLimit-Policy` and `RateLimit`, of every window. `[]` sends none. `Retry-After` is always sent."},
	{Name: "audit", Default: `{}`, Shape: &auditTable,
		Doc: "Which requests are recorded, and where."},
	{Name: "identity_headers", Default: `{}`, Shape: &Shape{Type: Either, Either: []*Shape{
		{Type: Text, Enum: []string{"none"}},
		&identity,
	}}, Doc: "What the upstream is told about the caller: `PREFIXuser-id`, `-client-id`, `-caller`, `-issuer`, `-scopes`, `-groups`. With `none` nothing is added, and nothing that the client sent is removed."},
	{Name: "metrics", Default: `{}`, Shape: &metricNames,
		Doc: "How metrics are named."},
	{Name: "admin", Shape: &admin,
		Doc: "Makes this instance the admin API instead of a gate."},
}}

var admin = Shape{Type: Object, Fields: []Field{
	{Name: "token", Required: true, Shape: &secretText,
		Doc: "What every request to the admin API must bring as `Authorization: Bearer`: 32 visible ASCII characters or more; `{\"env\": \"NAME\"}` reads it from the VM's environment variables."},
}}

var corsTable = Shape{Type: Object, Fields: []Field{
	{Name: "allow_origins", Required: true, Shape: &Shape{Type: List, Min: 1, Max: 64, Unique: true, Element: &Shape{Type: Text, Min: 1, Max: 300, Format: &originFormat}},
		Doc: "The origins whose pages may read refusals, compared exactly, as browsers send them in `origin`."},
	{Name: "allow_credentials", Default: `false`, Shape: &boolean,
		Doc: "Whether pages may read refusals of requests that they sent with credentials."},
	{Name: "expose_headers", Shape: &Shape{Type: List, Max: 64, Unique: true, Element: &headerName},
		Doc: "The headers of a refusal that a page may read: by default those of the limits, `retry-after`, `www-authenticate` and `x-gatehouse-event-id`."},
}}

var auditTable = Shape{Type: Object, Fields: []Field{
	{Name: "enabled", Default: `true`, Shape: &boolean,
		Doc: "Whether events are written at all."},
	{Name: "exclude_paths", Default: `["/health","/metrics"]`, Shape: &Shape{Type: List, Max: 256, Unique: true, Element: &path},
		Doc: "Paths, in the grammar of routes, whose admitted requests aren't recorded. Refusals are, all the same."},
	{Name: "log", Default: `"info"`, Shape: &Shape{Type: Text, Enum: logLevels},
		Doc: "The level at which events go to the proxy's log. Istio's proxies log from `warn`."},
	{Name: "access_log", Default: `true`, Shape: &Shape{Type: Either, Either: []*Shape{
		{Type: Boolean},
		{Type: Text, Min: 1, Max: 64, Format: &stateFormat},
	}}, Doc: "Whether the event is also the filter state `wasm.gatehouse_audit`, which Envoy's access loggers can write. A string names the state `wasm.NAME`: two gates in one chain need two names."},
	{Name: "http", Shape: &httpTable,
		Doc: "Delivers the events to an HTTP receiver as well: newline-delimited JSON in batches, in order, at least once (repeats have the same `event_id`). What finds no room in the queue is counted, and told in the stream by `audit_gap` events."},
	{Name: "chain", Shape: &chainTable,
		Doc: "Makes the lines tamper-evident: each ends with a MAC over itself and the line before it. `gatehouse audit verify` checks them."},
	{Name: "claims", Default: `[]`, Shape: &Shape{Type: List, Max: 32, Unique: true, Element: &claimName},
		Doc: "Extra claims to record under `metadata`."},
	{Name: "headers", Default: `[]`, Shape: &Shape{Type: List, Max: 32, Unique: true, Element: &headerName},
		Doc: "Extra request headers to record under `metadata`; never `authorization`, `cookie` or a header that carries the token."},
	{Name: "max_field_bytes", Default: `1024`, Shape: &Shape{Type: Integer, Min: 16, Max: 65536},
		Doc: "Where longer values are cut."},
}}

var chainTable = Shape{Type: Object, Fields: []Field{
	{Name: "key_id", Required: true, Shape: &label,
		Doc: "The key's name, which each line carries. A new key gets a new name, and begins new streams."},
	{Name: "hmac_key", Required: true, Shape: &secretText,
		Doc: "The key: base64 of 32 bytes or more, such as `openssl rand -base64 32` makes; `{\"env\": \"NAME\"}` reads it from the VM's environment variables."},
}}

var httpTable = Shape{Type: Object, Fields: []Field{
	{Name: "cluster", Required: true, Shape: &Shape{Type: Text, Min: 1, Max: 256},
		Doc: "The name of the Envoy cluster that leads to the receiver."},
	{Name: "path", Default: `"/"`, Shape: &Shape{Type: Text, Min: 1, Max: 2048, Format: &targetFormat},
		Doc: "Path and query of the request, a POST."},
	{Name: "headers", Default: `{}`, Shape: &Shape{Type: Map, Max: 16, Names: &headerName, Element: &secretText},
		Doc: "Further headers, such as `authorization`; `host` is the authority, which is else the cluster's name. `{\"env\": \"NAME\"}` reads a value from the VM's environment variables."},
	{Name: "batch_events", Default: `100`, Shape: &Shape{Type: Integer, Min: 1, Max: 1000},
		Doc: "The most events in one request."},
	{Name: "flush_seconds", Default: `1`, Shape: &Shape{Type: Integer, Min: 1, Max: 60},
		Doc: "How long an event may wait for others before they are sent."},
	{Name: "queue_events", Default: `10000`, Shape: &Shape{Type: Integer, Min: 10, Max: 100000},
		Doc: "How many events each worker keeps while the receiver takes none; at least `batch_events`. They never take more than 32 MiB, or 64 MiB with those of replaced instances."},
	{Name: "timeout_seconds", Default: `5`, Shape: &Shape{Type: Integer, Min: 1, Max: 60},
		Doc: "Of one request. Then, and after any answer but 2xx, the same events are sent again, with a back-off of up to 30 seconds."},
}}

// logLevels are the values of audit.log, in the order of LogLevel.
var logLevels = []string{"none", "trace", "debug", "info", "warn", "error", "critical"}

var identity = Shape{Type: Object, Fields: []Field{
	{Name: "prefix", Default: `"x-gatehouse-"`, Shape: &Shape{Type: Text, Min: 2, Max: 64, Format: &prefixFormat},
		Doc: "What the headers begin with. Headers of the client that begin so are removed on every route: in any case, and with every byte but letters and digits read as `-`."},
	{Name: "fields", Default: `["user-id","client-id","caller","issuer","scopes","groups"]`, Shape: &Shape{Type: List, Max: int64(len(identityFields)), Unique: true, Element: &Shape{Type: Text, Enum: identityFields}},
		Doc: "Which of the standard headers are sent, as `PREFIXFIELD`. What is removed stays the same."},
	{Name: "claims", Default: `[]`, Shape: &Shape{Type: List, Max: 32, Unique: true, Element: &claimName},
		Doc: "Claims to pass on, as `PREFIXclaim-NAME`; the name in lower case, anything but letters and digits as `-`."},
}}

// identityFields are the standard identity headers, without prefix.
var identityFields = []string{"user-id", "client-id", "caller", "issuer", "scopes", "groups"}

var metricNames = Shape{Type: Object, Fields: []Field{
	{Name: "per_route", Default: `true`, Shape: &boolean,
		Doc: "Whether `gatehouse_requests_total` tells routes apart."},
	{Name: "naming", Default: `"envoy"`, Shape: &Shape{Type: Text, Enum: []string{"envoy", "istio"}},
		Doc: "How labels are written into names: for the `stats_tags` of `envoy.yaml`, or for Istio's own."},
}}
