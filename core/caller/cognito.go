package caller

import "gatehouse/core/claims"

// The evidence of the cognito profile.
const (
	evidenceCognitoMachine = "cognito-client-without-user"
	evidenceCognitoHuman   = "cognito-user"
)

// cognito decides as M2MTokenDetector.is_m2m_token of the Python library: a machine has an access
// token with a client and without any claim about a user. A claim counts as there whatever its
// value. Every other caller is human.
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

// isAccessToken reads Cognito's token_use. As in the Python library, an empty or absent token_use
// means an access token.
func isAccessToken(c claims.Set) bool {
	if !c.Has("token_use") {
		return true
	}
	use, ok := c.Get("token_use").Text()
	return ok && (use == "access" || use == "")
}
