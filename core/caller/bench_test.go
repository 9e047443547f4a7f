package caller_test

import (
	"testing"

	"gatehouse/core/caller"
)

// BenchmarkReadACaller reads all that a request needs of a token's claims: once for each first-seen
// token.
func BenchmarkReadACaller(b *testing.B) {
	scopes, groups := []string{"scope", "scp"}, []string{"groups", "cognito:groups", "roles", "realm_access.roles"}
	for name, doc := range map[string]string{
		"human": `{"iss":"https://idp.example","sub":"0b1c2d3e","aud":"orders","exp":1700000000,"azp":"web","scope":"openid profile",
			"realm_access":{"roles":["offline_access","orders-read"]},"email":"alice@example.com","preferred_username":"alice"}`,
		"machine": `{"iss":"https://idp.example","sub":"nightly","aud":"orders","exp":1700000000,"client_id":"nightly","scope":"jobs"}`,
	} {
		c := parse(b, doc)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				kind := caller.Classify(caller.Auto, c).Kind
				caller.UserID(c, kind)
				caller.ClientID(c)
				caller.Scopes(c, scopes)
				caller.Groups(c, groups, false)
			}
		})
	}
}
