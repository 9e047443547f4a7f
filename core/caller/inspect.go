package caller

import "gatehouse/core/claims"

// Metadata is what `gatehouse token inspect` prints: what get_token_metadata of the Python library
// returns, the caller's kind and the evidence. A claim that is absent is "" here and null in JSON.
type Metadata struct {
	IsM2M               bool
	Caller              Kind
	ClientID            string
	TokenUse            string   // Cognito's "access" or "id"
	Scopes              []string // never null in JSON
	HasUserContext      bool     // the claims tell who the user is
	RequiresUserContext bool     // requires_user_context of the Python library: not M2M
	Subject             string
	Username            string
	Email               string
	Evidence            string
}

// Inspect says what a profile reads in claims. They need not be verified, if nothing depends on it.
func Inspect(p Profile, c claims.Set) Metadata {
	verdict := Classify(p, c)
	m := Metadata{
		IsM2M:    verdict.Kind == Machine,
		Caller:   verdict.Kind,
		Scopes:   Scopes(c, defaultScopes),
		Evidence: verdict.Evidence,
	}
	m.RequiresUserContext = !m.IsM2M
	m.TokenUse, _ = c.String("token_use")
	m.Subject, _ = c.String("sub")
	m.Email, _ = c.String("email")
	names := []string{"cognito:username", "username"}
	if p == Cognito {
		m.ClientID, _ = c.String("client_id")
	} else {
		m.ClientID = ClientID(c)
		names = append(names, "preferred_username", "upn")
	}
	for _, name := range names {
		if username, ok := c.String(name); ok {
			m.Username = username
			break
		}
	}
	m.HasUserContext = m.Username != "" || m.Email != ""
	if p == Auto {
		m.HasUserContext = verdict.Kind == Human
	}
	return m
}
