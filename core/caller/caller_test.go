package caller_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/caller"
	"gatehouse/core/claims"
)

func parse(t testing.TB, doc string) claims.Set {
	t.Helper()
	c, err := claims.Parse([]byte(doc))
	require.NoError(t, err)
	return c
}

func TestProfilesAndKindsHaveTheConfigurationsWords(t *testing.T) {
	for _, p := range []caller.Profile{caller.Auto, caller.Cognito} {
		got, ok := caller.ParseProfile(p.String())
		assert.True(t, ok)
		assert.Equal(t, p, got)
	}
	for _, bad := range []string{"", "Auto", "cognito ", "keycloak"} {
		_, ok := caller.ParseProfile(bad)
		assert.False(t, ok, "%q", bad)
	}
	assert.Equal(t, []string{"unknown", "human", "machine", "anonymous"},
		[]string{caller.Unknown.String(), caller.Human.String(), caller.Machine.String(), caller.Anonymous.String()})
	assert.Equal(t, caller.Unknown, caller.Verdict{}.Kind, "a verdict that nobody filled in admits nobody")
}

func TestClientIDIsTheFirstOfFourClaims(t *testing.T) {
	for doc, want := range map[string]string{
		`{"cid":"d","appid":"c","azp":"b","client_id":"a"}`: "a",
		`{"cid":"d","appid":"c","azp":"b"}`:                 "b",
		`{"cid":"d","appid":"c"}`:                           "c",
		`{"cid":"d"}`:                                       "d",
		`{"client_id":"","azp":"b"}`:                        "b",
		`{"client_id":null,"azp":"b"}`:                      "b",
		`{"client_id":7,"azp":["b"],"cid":"d"}`:             "d",
		`{"aud":"x"}`:                                       "",
		`{"common_name":"s.access","sub":""}`:               "s.access",
		`{"common_name":"s.access","azp":"b"}`:              "b",
		`{"common_name":"Ada","sub":"u"}`:                   "",
	} {
		assert.Equal(t, want, caller.ClientID(parse(t, doc)), doc)
	}
}

func TestOnlyAMachineWithoutSubjectHasItsClientAsUserID(t *testing.T) {
	for _, c := range []struct {
		doc        string
		kind       caller.Kind
		id         string
		fromClient bool
	}{
		{`{"sub":"u","client_id":"c"}`, caller.Human, "u", false},
		{`{"sub":"u","client_id":"c"}`, caller.Machine, "u", false},
		{`{"sub":"c","client_id":"c"}`, caller.Machine, "c", false},
		{`{"client_id":"c"}`, caller.Machine, "c", true},
		{`{"sub":"","client_id":"c"}`, caller.Machine, "c", true},
		{`{"sub":null,"client_id":"c"}`, caller.Machine, "c", true},
		{`{"sub":1001,"client_id":"c"}`, caller.Machine, "", false},
		{`{"client_id":"c"}`, caller.Human, "", false},
		{`{"client_id":"c"}`, caller.Unknown, "", false},
		{`{"sub":"","client_id":"c"}`, caller.Human, "", false},
		{`{}`, caller.Machine, "", false},
	} {
		id, fromClient := caller.UserID(parse(t, c.doc), c.kind)
		assert.Equal(t, c.id, id, "%s, %s", c.doc, c.kind)
		assert.Equal(t, c.fromClient, fromClient, "%s, %s", c.doc, c.kind)
	}
}

func TestScopesComeFromAStringOrAList(t *testing.T) {
	for doc, want := range map[string][]string{
		`{"scope":"a b  c"}`:            {"a", "b", "c"},
		`{"scope":["a","b c",1,null]}`:  {"a", "b c"},
		`{"scp":"a b"}`:                 {"a", "b"},
		`{"scp":["a","b"]}`:             {"a", "b"},
		`{"scope":"a","scp":"b"}`:       {"a"},
		`{"scope":null,"scp":"b"}`:      {"b"},
		`{"scope":"","scp":"b"}`:        {},
		`{"scope":7}`:                   {},
		`{"scope":{"a":"b"},"scp":"b"}`: {},
		`{}`:                            {},
	} {
		assert.Equal(t, want, append([]string{}, caller.Scopes(parse(t, doc), []string{"scope", "scp"})...), doc)
	}
}

func TestGroupsAreAUnionInOrderWithoutDuplicates(t *testing.T) {
	c := parse(t, `{"groups":["b","a",3,""],"cognito:groups":["a","c"],"roles":"d e","realm_access":{"roles":["e","b"]}}`)
	assert.Equal(t, []string{"b", "a", "c", "d e", "e"},
		caller.Groups(c, []string{"groups", "cognito:groups", "roles", "realm_access.roles"}, false))
	assert.Equal(t, []string{"e", "b"}, caller.Groups(c, []string{"realm_access.roles", "absent"}, true))
	assert.Nil(t, caller.Groups(c, nil, true))
}

func TestGroupsAreTheMembersOfAnObjectThatHaveMembers(t *testing.T) {
	const roles = "urn:zitadel:iam:org:project:roles"
	c := parse(t, `{"`+roles+`":{"admin":{"1":"a.example"},"none":{ },"list":["x"],"text":"x","null":null,"true":true,
		"\u0065ditor": {"2":{}}, "":{"1":"a"},"admin2":{"1":null}},"groups":["editor","x"],"empty":{}}`)
	assert.Equal(t, []string{"admin", "editor", "admin2", "x"}, caller.Groups(c, []string{roles, "empty", "groups"}, true))
	assert.Equal(t, []string{"editor", "x"}, caller.Groups(c, []string{roles, "empty", "groups"}, false))
	assert.Equal(t, []string{"2"}, caller.Groups(parse(t, `{"a":{"b":{"2":{"x":1}}}}`), []string{"a.b"}, true))
}

func TestScopesAreThoseOfTheFirstClaimThatIsThere(t *testing.T) {
	c := parse(t, `{"scope":null,"scp":"a b","permissions":["c","d e"],"app":{"perm":"f"}}`)
	for _, row := range []struct{ names, want []string }{
		{[]string{"scope", "scp"}, []string{"a", "b"}},
		{[]string{"permissions", "scp"}, []string{"c", "d e"}},
		{[]string{"app.perm"}, []string{"f"}},
		{[]string{"scope", "absent"}, nil},
		{nil, nil},
	} {
		assert.Equal(t, row.want, caller.Scopes(c, row.names), row.names)
	}
}

// libraryRow is one of the pairs that were recorded from the Python library.
type libraryRow struct {
	Service, Case string
	Input         struct{ Claims json.RawMessage }
	Expected      json.RawMessage
}

// libraryAnswers is what the four functions of the library returned.
type libraryAnswers struct {
	IsM2M               bool    `json:"is_m2m_token"`
	ClientID            *string `json:"get_client_id"`
	RequiresUserContext bool    `json:"requires_user_context"`
	Metadata            struct {
		IsM2M          bool     `json:"is_m2m"`
		ClientID       *string  `json:"client_id"`
		TokenUse       *string  `json:"token_use"`
		Scopes         []string `json:"scopes"`
		HasUserContext bool     `json:"has_user_context"`
		Subject        *string  `json:"subject"`
		Username       *string  `json:"username"`
		Email          *string  `json:"email"`
		ServiceAccount *string  `json:"service_account"`
	} `json:"get_token_metadata"`
}

func TestTheCognitoProfileReturnsWhatThePythonLibraryReturned(t *testing.T) {
	doc, err := os.ReadFile("../testdata/vectors.json")
	require.NoError(t, err)
	var rows []libraryRow
	require.NoError(t, json.Unmarshal(doc, &rows))

	ran := 0
	for _, row := range rows {
		if row.Service != "m2m" {
			continue
		}
		ran++
		t.Run(row.Case, func(t *testing.T) {
			var want libraryAnswers
			require.NoError(t, json.Unmarshal(row.Expected, &want))
			c, err := claims.Parse(row.Input.Claims)
			require.NoError(t, err)

			assert.Equal(t, want.IsM2M, caller.Classify(caller.Cognito, c).Kind == caller.Machine)
			assert.Equal(t, text(want.ClientID), caller.ClientID(c))

			got := caller.Inspect(caller.Cognito, c)
			assert.Equal(t, want.RequiresUserContext, got.RequiresUserContext)
			assert.Equal(t, want.Metadata.IsM2M, got.IsM2M)
			assert.Equal(t, text(want.Metadata.ClientID), got.ClientID)
			assert.Equal(t, text(want.Metadata.TokenUse), got.TokenUse)
			assert.Equal(t, want.Metadata.Scopes, append([]string{}, got.Scopes...))
			assert.Equal(t, want.Metadata.HasUserContext, got.HasUserContext)
			assert.Equal(t, text(want.Metadata.Subject), got.Subject)
			assert.Equal(t, text(want.Metadata.Username), got.Username)
			assert.Equal(t, text(want.Metadata.Email), got.Email)
			if got.IsM2M {
				assert.Equal(t, text(want.Metadata.ServiceAccount), got.ClientID)
			} else {
				assert.Nil(t, want.Metadata.ServiceAccount)
				assert.Equal(t, caller.Human, got.Caller)
			}
		})
	}
	assert.Equal(t, 16, ran)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestTheCognitoProfileCountsAClaimThatIsThereWhateverItsValue(t *testing.T) {
	machine := caller.Verdict{Kind: caller.Machine, Evidence: "cognito-client-without-user"}
	human := caller.Verdict{Kind: caller.Human, Evidence: "cognito-user"}
	for doc, want := range map[string]caller.Verdict{
		`{"client_id":"c"}`:                        machine,
		`{"client_id":null}`:                       machine, // Python: "client_id" in claims
		`{"client_id":"c","token_use":""}`:         machine,
		`{"client_id":"c","token_use":null}`:       machine,
		`{"client_id":"c","token_use":"refresh"}`:  human,
		`{"client_id":"c","token_use":["access"]}`: human,
		`{"client_id":"c","email":null}`:           human,
		`{"client_id":"c","username":""}`:          human,
		`{"client_id":"c","family_name":1}`:        human,
		`{"azp":"c"}`:                              human,
		`{}`:                                       human,
	} {
		assert.Equal(t, want, caller.Classify(caller.Cognito, parse(t, doc)), doc)
	}
}

func TestInspectReadsUserNamesOfOtherIssuersInAuto(t *testing.T) {
	c := parse(t, `{"sub":"s","azp":"web","preferred_username":"ada","email":"ada@example.com","scp":["a"]}`)
	assert.Equal(t, caller.Metadata{
		Caller: caller.Human, ClientID: "web", Scopes: []string{"a"}, HasUserContext: true, RequiresUserContext: true,
		Subject: "s", Username: "ada", Email: "ada@example.com", Evidence: "email",
	}, caller.Inspect(caller.Auto, c))

	machine := parse(t, `{"sub":"8ce0","azp":"batch","preferred_username":"service-account-batch"}`)
	assert.Equal(t, caller.Metadata{
		IsM2M: true, Caller: caller.Machine, ClientID: "batch", Subject: "8ce0", Username: "service-account-batch",
		Evidence: "keycloak-service-account",
	}, caller.Inspect(caller.Auto, machine))

	unknown := caller.Inspect(caller.Auto, parse(t, `{"sub":"s","client_id":"c"}`))
	assert.False(t, unknown.IsM2M)
	assert.False(t, unknown.HasUserContext)
	assert.True(t, unknown.RequiresUserContext, "as in the Python library: not a machine")
}
