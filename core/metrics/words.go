package metrics

// Decision is what became of a request: the label decision of gatehouse_requests_total. It is Admitted or one of the
// closed list of reasons, in that list's order, so that a core.Reason converts to it.
type Decision uint8

// The decisions.
const (
	Admitted Decision = iota
	MissingToken
	MalformedToken
	TokenTooLarge
	UnsupportedAlgorithm
	UnknownKey
	InvalidSignature
	TokenType
	ExpiredToken
	NotYetValid
	InvalidIssuer
	InvalidAudience
	MissingClaim
	HumanRequired
	MachineRequired
	InsufficientScope
	GroupRequired
	ClaimRequired
	NoRoute
	RateLimited
	UnsafePath
	KeysUnavailable
	Contention
	Internal
	NumDecisions int = iota
)

// The reasons between these two, inclusive, say that a token was bad: the label reason of gatehouse_tokens_failed_total.
// A missing token is none that failed, and one that couldn't be judged for want of keys hasn't.
const (
	FirstTokenReason = MalformedToken
	LastTokenReason  = MissingClaim
	numTokenReasons  = int(LastTokenReason-FirstTokenReason) + 1
)

var decisions = [NumDecisions]string{
	"admitted",
	"missing_token",
	"malformed_token", "token_too_large", "unsupported_algorithm", "unknown_key", "invalid_signature", "token_type",
	"expired_token", "not_yet_valid", "invalid_issuer", "invalid_audience", "missing_claim",
	"human_required", "machine_required", "insufficient_scope", "group_required", "claim_required", "no_route",
	"rate_limited", "unsafe_path", "jwks_unavailable", "contention", "internal",
}

// String is the label's value in enforce mode. In observe mode, where nothing is refused, the reasons are prefixed with
// would_be_.
func (d Decision) String() string { return decisions[d] }

// Caller is who sent a request: a caller.Kind, which converts to it.
type Caller uint8

var callers = [...]string{"unknown", "human", "machine", "anonymous"}

// Event is a written audit event's type: an audit.Type, which converts to it.
type Event uint8

var events = [...]string{
	"request_error", "auth_success", "auth_failure", "access_denied", "rate_limited", "request", "admin_action", "custom",
}

// The values of the other labels, in the order of their metrics' indexes.
var (
	cacheResults   = [...]string{"miss", "hit"}
	fetchResults   = [...]string{"failure", "success", "partial"}
	limitDecisions = [...]string{"admitted", "limited", "shadow_limited", "contention"}
)
