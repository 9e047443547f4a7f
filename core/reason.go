package core

import "gatehouse/core/jwt"

// Reason is why a request was refused: a closed list, whose words audit, metrics and the CLI share.
type Reason uint8

// The reasons. None is an admitted request's.
const (
	None Reason = iota
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
	numReasons
)

// refusal is what a reason looks like to the client. The details say no more than the status does: the exact reason is
// for the operator.
type refusal struct {
	word   string
	status int
	grpc   int // google.rpc.Code
	detail string
}

const (
	needToken  = "Authentication required"
	badToken   = "Invalid token"
	notAllowed = "Operation not allowed"
	noService  = "Service unavailable"
)

var refusals = [numReasons]refusal{
	MissingToken:         {"missing_token", 401, 16, needToken},
	MalformedToken:       {"malformed_token", 401, 16, badToken},
	TokenTooLarge:        {"token_too_large", 401, 16, badToken},
	UnsupportedAlgorithm: {"unsupported_algorithm", 401, 16, badToken},
	UnknownKey:           {"unknown_key", 401, 16, badToken},
	InvalidSignature:     {"invalid_signature", 401, 16, badToken},
	TokenType:            {"token_type", 401, 16, badToken},
	ExpiredToken:         {"expired_token", 401, 16, badToken},
	NotYetValid:          {"not_yet_valid", 401, 16, badToken},
	InvalidIssuer:        {"invalid_issuer", 401, 16, badToken},
	InvalidAudience:      {"invalid_audience", 401, 16, badToken},
	MissingClaim:         {"missing_claim", 401, 16, badToken},
	HumanRequired:        {"human_required", 403, 7, "This endpoint requires human user authentication"},
	MachineRequired:      {"machine_required", 403, 7, "This endpoint is for service accounts only"},
	InsufficientScope:    {"insufficient_scope", 403, 7, notAllowed},
	GroupRequired:        {"group_required", 403, 7, notAllowed},
	ClaimRequired:        {"claim_required", 403, 7, notAllowed},
	NoRoute:              {"no_route", 403, 7, notAllowed},
	RateLimited:          {"rate_limited", 429, 8, "Rate limit exceeded"},
	UnsafePath:           {"unsafe_path", 400, 3, "Bad request path"},
	KeysUnavailable:      {"jwks_unavailable", 503, 14, noService},
	Contention:           {"contention", 503, 14, noService},
	Internal:             {"internal", 503, 14, noService},
}

// String is the reason's word; "" for None.
func (r Reason) String() string { return refusals[r].word }

// Status is the HTTP status of a refusal; 0 for None.
func (r Reason) Status() int { return refusals[r].status }

// GRPCStatus is the status of a refused gRPC request (google.rpc.Code).
func (r Reason) GRPCStatus() int { return refusals[r].grpc }

// Detail is the text in a refusal's body.
func (r Reason) Detail() string { return refusals[r].detail }

// ofToken translates the verdict on a token.
var ofToken = [...]Reason{
	jwt.OK:                   None,
	jwt.MalformedToken:       MalformedToken,
	jwt.TokenTooLarge:        TokenTooLarge,
	jwt.UnsupportedAlgorithm: UnsupportedAlgorithm,
	jwt.UnknownKey:           UnknownKey,
	jwt.InvalidSignature:     InvalidSignature,
	jwt.TokenType:            TokenType,
	jwt.ExpiredToken:         ExpiredToken,
	jwt.NotYetValid:          NotYetValid,
	jwt.InvalidIssuer:        InvalidIssuer,
	jwt.InvalidAudience:      InvalidAudience,
	jwt.MissingClaim:         MissingClaim,
	jwt.KeysUnavailable:      KeysUnavailable,
}
