// Package jwt verifies JSON Web Tokens in the compact serialisation (RFC 7515, RFC 7519) as RFC 8725 advises: the
// algorithms are the verifier's choice, the keys are the issuer's, and what isn't fully understood is refused.
//
// A token is judged in this order, and the first failure is the reason: size, form, issuer, algorithm, key, signature,
// type, exp, nbf, audience, required claims. No claim but "iss" is looked at before the signature holds.
package jwt

// Reason says why a token is refused, in the closed list that audit, metrics and CLI use. The zero Reason is OK.
type Reason uint8

const (
	// OK is no refusal.
	OK Reason = iota
	// MalformedToken is a token whose form is not exactly that of a JWS that this package understands: not three parts;
	// a part that isn't strict base64url (RFC 7515 §2; padding, line breaks, stray bits); a header or payload that isn't
	// one JSON object in UTF-8 without duplicate members and within the depth limit; "alg" absent or not a string;
	// "typ", "kid" or "cty" not a string; "crit" or "b64" in any form (no extension is understood, RFC 7515 §4.1.11,
	// RFC 7797); a JWE (five parts, or "enc"); a nested token ("cty": "JWT"). After the signature: "exp" or "nbf" that is
	// neither absent nor a number (null counts as absent for "exp" only).
	MalformedToken
	// TokenTooLarge is a token above the size limit; nothing else of it was looked at.
	TokenTooLarge
	// UnsupportedAlgorithm is an "alg" that the provider doesn't allow, "none" and unknown names among them.
	UnsupportedAlgorithm
	// UnknownKey is a token for which not exactly one key of the provider fits. A key fits if it has the token's "kid"
	// (where the token has one), the algorithm's key type and curve, no "alg" or this one, and for HMAC at least the
	// hash's length. An empty "kid" counts as none; one longer than jwks.MaxKeyID fits no key.
	UnknownKey
	// InvalidSignature is a signature that the one fitting key doesn't verify, an empty one included.
	InvalidSignature
	// TokenType is a "typ" that the provider doesn't allow, or a token bound to a key by "cnf" (RFC 7800, RFC 8705, RFC
	// 9449), which a bearer alone must not use.
	TokenType
	// ExpiredToken is a token at or after its "exp".
	ExpiredToken
	// NotYetValid is a token before its "nbf".
	NotYetValid
	// InvalidIssuer is an "iss" that no provider has, or that is absent or not a string.
	InvalidIssuer
	// InvalidAudience is a token whose audience claim is absent, names none of the provider's audiences, or is neither a
	// string nor a list of strings.
	InvalidAudience
	// MissingClaim is a token without "exp" or without a claim that the provider requires; null counts as absent.
	MissingClaim
	// KeysUnavailable says that the provider has no JWK Set at the moment: not the caller's fault.
	KeysUnavailable

	reasonCount
)

// String is the reason's word in audit events, metrics and the CLI's output.
func (r Reason) String() string {
	if r >= reasonCount {
		return "internal"
	}
	return [reasonCount]string{
		OK:                   "ok",
		MalformedToken:       "malformed_token",
		TokenTooLarge:        "token_too_large",
		UnsupportedAlgorithm: "unsupported_algorithm",
		UnknownKey:           "unknown_key",
		InvalidSignature:     "invalid_signature",
		TokenType:            "token_type",
		ExpiredToken:         "expired_token",
		NotYetValid:          "not_yet_valid",
		InvalidIssuer:        "invalid_issuer",
		InvalidAudience:      "invalid_audience",
		MissingClaim:         "missing_claim",
		KeysUnavailable:      "jwks_unavailable",
	}[r]
}
