package jwt_test

import (
	"slices"
	"testing"

	"gatehouse/core/jwt"
	"gatehouse/core/reason"

	"github.com/stretchr/testify/assert"
)

// TestARegisteredClaimOfAWrongTypeIsMalformed gives each registered claim each JSON type. A wrong
// type never counts as absent, whether or not a rule asks for the claim.
func TestARegisteredClaimOfAWrongTypeIsMalformed(t *testing.T) {
	values := map[string]string{
		"string": `"orders"`, "empty string": `""`, "number": `1700000060`, "true": `true`, "list of strings": `["orders"]`,
		"empty list": `[]`, "mixed list": `["orders",1]`, "list with null": `["orders",null]`, "object": `{"a":"orders"}`, "null": `null`,
	}
	text := []string{"string", "empty string", "null"}
	allowed := map[string][]string{
		"sub": text, "jti": text, "azp": text, "client_id": text,
		"aud": append([]string{"list of strings", "empty list"}, text...),
		"nbf": {"number", "null"}, "iat": {"number", "null"}, "exp": {"number", "null"},
	}
	rules := testRules()
	rules.AnyAudience = true
	v := verifier(rules)
	for name, types := range allowed {
		for typ, value := range values {
			t.Run(name+" "+typ, func(t *testing.T) {
				token := mint(jwt.HS256, header(jwt.HS256, ""), payload(t, name, value))
				got := v.Verify(token, testNow).Reason
				want := reason.None
				switch {
				case !slices.Contains(types, typ):
					want = reason.MalformedToken
				case name == "exp" && typ == "null":
					want = reason.MissingClaim
				}
				if name == "nbf" && typ == "number" { // the number is a minute later
					want = reason.NotYetValid
				}
				assert.Equal(t, want.String(), got.String())
				// "typ" comes after it.
				token = mint(jwt.HS256, header(jwt.HS256, `,"typ":"x"`), payload(t, name, value))
				if want != reason.MalformedToken {
					want = reason.TokenType
				}
				assert.Equal(t, want.String(), v.Verify(token, testNow).Reason.String())
			})
		}
	}
}

// TestAnIssuerOfAWrongTypeChoosesNoProvider holds that "iss" is read before its type is checked.
func TestAnIssuerOfAWrongTypeChoosesNoProvider(t *testing.T) {
	v := verifier(testRules())
	for _, value := range []string{`["https://idp.example"]`, `1`, `null`, `{"https://idp.example":1}`} {
		token := mint(jwt.HS256, header(jwt.HS256, ""), payload(t, "iss", value))
		assert.Equal(t, reason.InvalidIssuer, v.Verify(token, testNow).Reason, value)
	}
}
