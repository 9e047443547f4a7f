// Package reason holds the closed list of reasons for which a request is refused, and what a client
// sees of each.
package reason

// Reason is why a request was refused. The zero Reason is None.
type Reason uint8

// The reasons. A new reason is a constant here and a line of the table below.
const (
	// None is no refusal.
	None Reason = iota
	// MissingToken is a request without a token on a route that asks for one, or for more than an
	// anonymous caller has.
	MissingToken
	// MalformedToken is a token whose form is not exactly that of a JWS that package jwt
	// understands: not three parts; a part that isn't strict base64url (RFC 7515 §2; padding, line
	// breaks, stray bits); a header or payload that isn't one JSON object in UTF-8 without
	// duplicate members and within the depth limit; "alg" absent or not a string; "typ", "kid" or
	// "cty" not a string; "crit" or "b64" in any form (no extension is understood, RFC 7515
	// §4.1.11, RFC 7797); a JWE (five parts, or "enc"); a nested token ("cty": "JWT"); a claim
	// whose type is wrong. It is also a request with several tokens.
	MalformedToken
	// TokenTooLarge is a token above the size limit; nothing else of it was read.
	TokenTooLarge
	// UnsupportedAlgorithm is an "alg" that the provider doesn't allow, "none" and unknown names
	// among them.
	UnsupportedAlgorithm
	// UnknownKey is a token for which the provider has no fitting key.
	UnknownKey
	// InvalidSignature is a signature that no fitting key verifies, an empty signature included.
	InvalidSignature
	// TokenType is a "typ" that the provider doesn't allow, or a token bound to a key by "cnf" (RFC
	// 7800, RFC 8705, RFC 9449), which a bearer alone must not use.
	TokenType
	// ExpiredToken is a token at or after its "exp".
	ExpiredToken
	// NotYetValid is a token before its "nbf".
	NotYetValid
	// InvalidIssuer is an "iss" that no provider has, or that is absent.
	InvalidIssuer
	// InvalidAudience is a token whose audience claim is absent or names none of the provider's
	// audiences.
	InvalidAudience
	// MissingClaim is a token without "exp" or without a claim that the provider requires; null
	// counts as absent.
	MissingClaim
	// InvalidClaim is a token with a claim that has none of the values that the provider asks for.
	InvalidClaim
	// HumanRequired is a caller that isn't known to be human, on a route for humans.
	HumanRequired
	// MachineRequired is a caller that isn't known to be a machine, on a route for machines.
	MachineRequired
	// InsufficientScope is a token without a scope that the route asks for.
	InsufficientScope
	// GroupRequired is a caller in none of the groups that the route asks for.
	GroupRequired
	// ClaimRequired is a token with a claim that has none of the values that the route asks for.
	ClaimRequired
	// NoRoute is a request that no route matches.
	NoRoute
	// RateLimited is a request above a rate limit.
	RateLimited
	// UnsafePath is a path that a server could read in another way than Gatehouse does.
	UnsafePath
	// UnsafeMethod is a method that a server could read in another way than Gatehouse does.
	UnsafeMethod
	// UnsafeHost is an authority that a server could read in another way than Gatehouse does.
	UnsafeHost
	// KeysUnavailable is a token of a provider that has no JWK Set at the moment. It isn't the
	// caller's fault.
	KeysUnavailable
	// Contention is a rate limit whose state other workers changed too often to update it.
	Contention
	// Internal is a fault of Gatehouse's own, or of the proxy.
	Internal

	// Count is the number of reasons, None included.
	Count = iota
)

// gRPC statuses (google.rpc.Code).
const (
	invalidArgument   = 3
	permissionDenied  = 7
	resourceExhausted = 8
	unavailable       = 14
	unauthenticated   = 16
)

// Details say no more than the status does: the exact reason is for the operator.
const (
	badToken   = "Invalid token"
	notAllowed = "Operation not allowed"
	badRequest = "Bad request"
	noService  = "Service unavailable"
)

// entry is what a reason is called and what the client gets.
type entry struct {
	word   string // in audit events, metrics, response_code_details and the CLI's output
	status int    // HTTP status
	grpc   int    // the status of a gRPC request
	detail string // the text in the body
	token  bool   // a token was there and was bad
}

var table = [Count]entry{
	None:                 {},
	MissingToken:         {"missing_token", 401, unauthenticated, "Authentication required", false},
	MalformedToken:       {"malformed_token", 401, unauthenticated, badToken, true},
	TokenTooLarge:        {"token_too_large", 401, unauthenticated, badToken, true},
	UnsupportedAlgorithm: {"unsupported_algorithm", 401, unauthenticated, badToken, true},
	UnknownKey:           {"unknown_key", 401, unauthenticated, badToken, true},
	InvalidSignature:     {"invalid_signature", 401, unauthenticated, badToken, true},
	TokenType:            {"token_type", 401, unauthenticated, badToken, true},
	ExpiredToken:         {"expired_token", 401, unauthenticated, badToken, true},
	NotYetValid:          {"not_yet_valid", 401, unauthenticated, badToken, true},
	InvalidIssuer:        {"invalid_issuer", 401, unauthenticated, badToken, true},
	InvalidAudience:      {"invalid_audience", 401, unauthenticated, badToken, true},
	MissingClaim:         {"missing_claim", 401, unauthenticated, badToken, true},
	InvalidClaim:         {"invalid_claim", 401, unauthenticated, badToken, true},
	HumanRequired:        {"human_required", 403, permissionDenied, "This endpoint requires human user authentication", false},
	MachineRequired:      {"machine_required", 403, permissionDenied, "This endpoint is for service accounts only", false},
	InsufficientScope:    {"insufficient_scope", 403, permissionDenied, notAllowed, false},
	GroupRequired:        {"group_required", 403, permissionDenied, notAllowed, false},
	ClaimRequired:        {"claim_required", 403, permissionDenied, notAllowed, false},
	NoRoute:              {"no_route", 403, permissionDenied, notAllowed, false},
	RateLimited:          {"rate_limited", 429, resourceExhausted, "Rate limit exceeded", false},
	UnsafePath:           {"unsafe_path", 400, invalidArgument, "Bad request path", false},
	UnsafeMethod:         {"unsafe_method", 400, invalidArgument, badRequest, false},
	UnsafeHost:           {"unsafe_host", 400, invalidArgument, badRequest, false},
	KeysUnavailable:      {"jwks_unavailable", 503, unavailable, noService, false},
	Contention:           {"contention", 503, unavailable, noService, false},
	Internal:             {"internal", 503, unavailable, noService, false},
}

// String returns the reason's word; "" for None.
func (r Reason) String() string { return table[r].word }

// Status returns the HTTP status of a refusal; 0 for None.
func (r Reason) Status() int { return table[r].status }

// GRPCStatus returns the status of a refused gRPC request (google.rpc.Code); 0 for None.
func (r Reason) GRPCStatus() int { return table[r].grpc }

// Detail returns the text that the client gets; "" for None.
func (r Reason) Detail() string { return table[r].detail }

// Body returns the body of a refusal, a JSON object.
func (r Reason) Body() string { return `{"detail": "` + r.Detail() + `"}` }

// OfToken reports whether the reason is a token's: a token was there and was bad. It is false for a
// missing token, and for a token that wasn't verified because its keys weren't available.
func (r Reason) OfToken() bool { return table[r].token }

// Parse returns the reason with a word.
func Parse(word string) (r Reason, ok bool) {
	for r = MissingToken; r < Count; r++ {
		if table[r].word == word {
			return r, true
		}
	}
	return None, false
}
