package caller

import "gatehouse/core/claims"

// The evidence of the cognito profile.
const (
	evidenceCognitoMachine = "cognito-client-without-user"
	evidenceCognitoHuman   = "cognito-user"
)

// cognito judges as the seed's M2MTokenDetector.is_m2m_token: a machine is an access token with a client and without
// any claim about a user; a claim that is there counts whatever its value. Everybody else is human.
func cognito(c claims.Set) Verdict {
	for _, name := range [...]string{"cognito:username", "username", "email", "name", "given_name", "family_name"} {
		if c.Get(name).Exists() {
			return Verdict{Human, evidenceCognitoHuman}
		}
	}
	if !c.Get("client_id").Exists() || !isAccessToken(c) {
		return Verdict{Human, evidenceCognitoHuman}
	}
	return Verdict{Machine, evidenceCognitoMachine}
}

// isAccessToken reads Cognito's token_use; the seed takes an empty one as none, and none as an access token.
func isAccessToken(c claims.Set) bool {
	if !c.Has("token_use") {
		return true
	}
	use, ok := c.Get("token_use").Text()
	return ok && (use == "access" || use == "")
}
