// Package config reads Gatehouse's configuration. Parse takes strict JSON and returns a validated
// Config, or every error in the document with its path. docs/config.md describes the fields for
// users; it is generated from this package's tables.
package config

import (
	"gatehouse/core/caller"
	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
	"gatehouse/core/metrics"
	"gatehouse/core/policy"
	"gatehouse/core/ratelimit"
)

// Config is a validated configuration: defaults are filled in, and names are resolved to indexes.
// It doesn't change after Parse.
type Config struct {
	CORS         CORS
	Observe      bool             // "mode": "observe": decide every request, refuse none
	Paths        policy.PathRules // of routes, audit.exclude_paths and requests
	Tokens       Tokens
	Routes       []policy.Route // RateLimits are indexes of Limits, in the order of rate_limits
	Limits       []Limit
	LimitHeaders LimitHeaders
	Audit        Audit
	Identity     Identity
	Metrics      Metrics
	Admin        *Admin   // nil for a gate
	Hash         uint64   // 48 bits of the SHA-256 of the effective configuration
	Warnings     []string // "path: message", in document order: valid, but probably a mistake
}

// Tokens says where a request carries its token, and which issuers are trusted. Without providers
// every route has auth none.
type Tokens struct {
	Providers     []Provider
	From          []Source
	Forward       bool // leave the token in the request for the upstream
	CacheEntries  int  // 0: no cache
	MaxTokenBytes int
	Resources     []Resource
}

// Provider is one issuer. Exactly one of Inline, Remote and ClaimsFrom is set.
type Provider struct {
	jwt.Rules
	Profile      caller.Profile
	ScopesClaims []string // the first that a token has decides
	GroupsClaims []string
	GroupObjects bool // the names in an object of GroupsClaims are groups, too
	Inline       *jwks.Set
	Remote       *Remote
	ClaimsFrom   *ClaimsFrom
}

// Remote is a JWK Set that Envoy fetches through one of its clusters.
type Remote struct {
	Cluster           string // Envoy's name for it
	URI               string // as configured; Authority and Path are its parts
	Discovery         bool   // URI is that of an OpenID configuration, which says where the set is
	Authority, Path   string // the fetch's :authority and :path, query included
	RefreshSeconds    int64  // between fetches that succeed
	TimeoutSeconds    int64  // of a fetch, and of a request that waits for it
	MaxStaleSeconds   int64  // how long an old set serves while fetches fail
	MinRefetchSeconds int64  // between fetches for an unknown kid
}

// ClaimsFrom reads claims that another filter verified from Envoy's dynamic metadata.
type ClaimsFrom struct {
	Filter, Key     string
	FailedStatusKey string // "" when not configured
}

// Source is a place in a request that may have the token: a header or a cookie.
type Source struct {
	Header string // in lower case
	Scheme string // the word before the token in the header, compared without case; "" for none
	Cookie string
}

// Limit is one rate limit: the limiter's rule, and when and to whom the Gate applies it.
type Limit struct {
	ratelimit.Rule
	Identifier         [][]Element        // all outer elements form the key; of the inner ones, the first that the request has
	PrefixV4, PrefixV6 int                // bits of an address that count
	Caller             caller.Kind        // the only kind that it applies to, or caller.Any
	Claims             []policy.ClaimRule // the limit applies only to tokens that have all of these
	ByName             bool               // applies only to routes that name it
	BeforeAuth         bool               // charged before authentication, and never refunded
	Shadow             bool               // counts and reports, never refuses
	Hidden             bool               // not in the limit headers
	AllowOnContention  bool
}

// LimitHeaders says which headers tell clients where they stand with the limits.
type LimitHeaders struct {
	XRateLimit bool // X-RateLimit-Limit, -Remaining and -Reset
	Epoch      bool // X-RateLimit-Reset is a Unix time
	RateLimit  bool // the fields of draft-ietf-httpapi-ratelimit-headers
}

// ElementKind is the kind of an element of a rate limit's key.
type ElementKind uint8

// The elements of rate_limits[].identifier. Claim and Header have a name.
const (
	UserID ElementKind = iota + 1
	ClientID
	IP
	Claim
	Header
	Route
	Method
	Host
	Global
)

// Element is one part of a rate limit's key.
type Element struct {
	Kind ElementKind
	Name string // the claim's, or the header's in lower case
}

// AuditHTTP is an HTTP receiver of audit events.
type AuditHTTP struct {
	Cluster, Authority, Path string
	Headers                  []HTTPHeader // further ones, in lower case
	BatchEvents, QueueEvents int
	FlushSeconds             int64
	TimeoutSeconds           int64
}

// HTTPHeader is a header of a request. Its value may be a secret.
type HTTPHeader struct{ Name, Value string }

// LogLevel is the level at which audit events go to the proxy's log.
type LogLevel uint8

// The values of audit.log.
const (
	LogNone LogLevel = iota
	LogTrace
	LogDebug
	LogInfo
	LogWarn
	LogError
	LogCritical
)

// Audit says which requests are recorded, and where.
type Audit struct {
	Enabled       bool
	Exclude       []policy.Pattern // admitted requests to these paths aren't recorded
	Log           LogLevel
	HTTP          *AuditHTTP // nil for no HTTP receiver
	State         string     // the filter state with the event, for Envoy's access loggers, without "wasm."; "" for none
	Claims        []string   // extra claims under metadata
	Headers       []string   // extra request headers under metadata, in lower case
	MaxFieldBytes int
	Chain         *Chain // nil: lines aren't chained
}

// Chain is the key that chains audit lines.
type Chain struct {
	KeyID string
	Key   Secret
}

// Secret holds a secret. It prints as "***".
type Secret []byte

// String implements fmt.Stringer.
func (Secret) String() string { return "***" }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return "***" }

// Identity is what the upstream is told about the caller.
type Identity struct {
	Prefix string   // in lower case, ends in "-"; "" when identity_headers is "none"
	Fields []string // the standard headers that are sent, without prefix
	Claims []string // each becomes the header Prefix + "claim-" + IdentityHeader(claim)
}

// Admin makes an instance the admin API instead of a gate.
type Admin struct {
	Token     Secret
	Effective []byte // the effective configuration, as JSON, without its secrets
}

// Metrics shapes the names of metrics.
type Metrics struct {
	PerRoute bool
	Naming   metrics.Naming
}
