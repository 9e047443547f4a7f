package scenario

import (
	"slices"
	"time"
)

// afterSignature are the reasons of refused tokens whose signature holds.
var afterSignature = []string{"token_type", "expired_token", "not_yet_valid", "invalid_audience", "missing_claim", "invalid_claim"}

// unknownIssuer is jwt_authn's code for a token that may be a provider's of Gatehouse's own.
const unknownIssuer = 24

// holder is whom the event of a refused token names: user_id, client_id and issuer, as far as its
// claims have them. Before the signature holds, an event names nobody.
func (s *Scenario) holder(step *Step) (userID, clientID, issuer string) {
	name := step.Request.Token
	if step.Foreign.Token != "" {
		name = step.Foreign.Token
	}
	for _, header := range step.Request.Headers {
		if m := tokenName.FindStringSubmatch(header); name == "" && m != nil {
			name = m[1]
		}
	}
	spec, err := s.token(name)
	if err != nil || step.Foreign.Fail != 0 && step.Foreign.Fail != unknownIssuer || spec.Raw != "" || spec.Payload != "" || spec.Mutate != "" {
		return "", "", ""
	}
	claims := spec.claims(time.Time{})
	reason := step.Expect.Reason
	if would, ok := step.Expect.Metadata["would_be"].(string); ok {
		reason = would
	}
	if !slices.Contains(afterSignature, reason) && (reason != "malformed_token" || wellTyped(claims)) {
		return "", "", ""
	}
	text := func(name string) string {
		value, _ := claims[name].(string)
		return value
	}
	for _, name := range []string{"client_id", "azp", "appid", "cid"} {
		if clientID = text(name); clientID != "" {
			break
		}
	}
	return text("sub"), clientID, text("iss")
}

// wellTyped reports whether the registered claims have the types of RFC 7519 §4.1.
func wellTyped(claims map[string]any) bool {
	for _, name := range []string{"iss", "sub", "jti", "azp", "client_id"} {
		if _, text := claims[name].(string); claims[name] != nil && !text {
			return false
		}
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		switch claims[name].(type) {
		case nil, int, int64, uint64, float64:
		default:
			return false
		}
	}
	switch aud := claims["aud"].(type) {
	case nil, string:
		return true
	case []any:
		return !slices.ContainsFunc(aud, func(e any) bool { _, text := e.(string); return !text })
	}
	return false
}
