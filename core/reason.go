package core

import (
	"gatehouse/core/jwt"
	"gatehouse/core/metrics"
)

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
	MissingToken:         {401, 16, needToken},
	MalformedToken:       {401, 16, badToken},
	TokenTooLarge:        {401, 16, badToken},
	UnsupportedAlgorithm: {401, 16, badToken},
	UnknownKey:           {401, 16, badToken},
	InvalidSignature:     {401, 16, badToken},
	TokenType:            {401, 16, badToken},
	ExpiredToken:         {401, 16, badToken},
	NotYetValid:          {401, 16, badToken},
	InvalidIssuer:        {401, 16, badToken},
	InvalidAudience:      {401, 16, badToken},
	MissingClaim:         {401, 16, badToken},
	HumanRequired:        {403, 7, "This endpoint requires human user authentication"},
	MachineRequired:      {403, 7, "This endpoint is for service accounts only"},
	InsufficientScope:    {403, 7, notAllowed},
	GroupRequired:        {403, 7, notAllowed},
	ClaimRequired:        {403, 7, notAllowed},
	NoRoute:              {403, 7, notAllowed},
	RateLimited:          {429, 8, "Rate limit exceeded"},
	UnsafePath:           {400, 3, "Bad request path"},
	KeysUnavailable:      {503, 14, noService},
	Contention:           {503, 14, noService},
	Internal:             {503, 14, noService},
}

// String is the reason's word, which metrics has too; "" for None.
func (r Reason) String() string {
	if r == None {
		return ""
	}
	return metrics.Decision(r).String()
}

// Status is the HTTP status of a refusal; 0 for None.
func (r Reason) Status() int { return refusals[r].status }

// GRPCStatus is the status of a refused gRPC request (google.rpc.Code).
func (r Reason) GRPCStatus() int { return refusals[r].grpc }

// Detail is the text in a refusal's body.
func (r Reason) Detail() string { return refusals[r].detail }

// Body is a refusal's body. It never says more than the status does.
func Body(r Reason) string { return `{"detail": "` + r.Detail() + `"}` }

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
