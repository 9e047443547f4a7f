package core

import "gatehouse/core/reason"

// JWTStatus translates the failure code of Envoy's JWT filter: the enumeration Status of
// jwt_verify_lib, the same in Envoy 1.36 and 1.40. The code for no token at all is no failure. What
// is wrong with Envoy's own JWK Set is not the caller's fault. A code that isn't known here is a
// bad token all the same.
func JWTStatus(code float64) reason.Reason {
	switch code {
	case 0, 1: // Ok, JwtMissed
		return reason.None
	case 2: // JwtNotYetValid
		return reason.NotYetValid
	case 3: // JwtExpired
		return reason.ExpiredToken
	case 8: // JwtHeaderNotImplementedAlg
		return reason.UnsupportedAlgorithm
	case 24: // JwtUnknownIssuer
		return reason.InvalidIssuer
	case 25: // JwtAudienceNotAllowed
		return reason.InvalidAudience
	case 23, 26: // JwtEd25519SignatureWrongLength, JwtVerificationFail
		return reason.InvalidSignature
	case 32: // JwksKidAlgMismatch
		return reason.UnknownKey
	}
	// JwksParseError to JwksBioAllocError: no usable set, JwksFetchFail (40) among them.
	if code >= 28 && code <= 72 {
		return reason.KeysUnavailable
	}
	return reason.MalformedToken
}
