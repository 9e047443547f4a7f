package caller_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/caller"
	"gatehouse/core/claims"
)

// issuerRow is a real issuer's claim shape and what auto makes of it.
type issuerRow struct {
	Issuer, Token, Source, Caller, Evidence string
	Claims                                  json.RawMessage
}

func issuers(t testing.TB) []issuerRow {
	t.Helper()
	doc, err := os.ReadFile("testdata/issuers.json")
	require.NoError(t, err)
	var rows []issuerRow
	require.NoError(t, json.Unmarshal(doc, &rows))
	return rows
}

func TestAutoKnowsTheClaimShapesOfRealIssuers(t *testing.T) {
	kinds := map[string]map[string]bool{}
	for _, row := range issuers(t) {
		t.Run(row.Issuer+"/"+row.Token, func(t *testing.T) {
			c, err := claims.Parse(row.Claims)
			require.NoError(t, err)
			v := caller.Classify(caller.Auto, c)
			assert.Equal(t, row.Caller, v.Kind.String())
			assert.Equal(t, row.Evidence, v.Evidence)
			assert.Contains(t, row.Source, "https://")
		})
		if kinds[row.Issuer] == nil {
			kinds[row.Issuer] = map[string]bool{}
		}
		kinds[row.Issuer][row.Caller] = true
	}
	assert.GreaterOrEqual(t, len(kinds), 14)
	for _, both := range []string{"Amazon Cognito", "Auth0", "Keycloak 26", "Entra ID v1", "Entra ID v2", "Okta", "Google",
		"Authentik", "Cloudflare Access", "RFC 9068"} {
		assert.True(t, kinds[both]["machine"] && kinds[both]["human"], "%s: want a machine and a human", both)
	}
}

// lookAlikes are claims that come close to a rule, on one side of it or the other.
var lookAlikes = []struct{ why, doc, caller, evidence string }{
	{"a client id alone is any RFC 9068 token", `{"sub":"u","client_id":"c","scope":"a"}`, "unknown", ""},
	{"nothing at all", `{}`, "unknown", ""},
	{"absent subject and absent client are not equal", `{"sub":"","client_id":"","azp":""}`, "unknown", ""},
	{"no subject, no client", `{"iss":"https://idp.example"}`, "unknown", ""},
	{"equal but not strings", `{"sub":7,"client_id":7}`, "unknown", ""},
	{"null is absence", `{"sub":"u","email":null,"auth_time":null,"amr":null}`, "unknown", ""},
	{"empty is absence", `{"sub":"u","email":"","amr":[],"upn":""}`, "unknown", ""},
	{"a session is no evidence", `{"sub":"u","client_id":"c","sid":"s"}`, "unknown", ""},
	{"a login that never was", `{"sub":"u","client_id":"c","auth_time":0}`, "unknown", ""},
	{"the same, written otherwise", `{"sub":"u","auth_time":-0.0e3}`, "unknown", ""},
	{"a login before 1970", `{"sub":"u","auth_time":-1}`, "unknown", ""},
	{"a machine's address", `{"sub":"u","azp":"batch","clientAddress":"10.0.0.7","sid":"s"}`, "machine", "keycloak-client-address"},
	{"an empty address", `{"sub":"u","azp":"batch","clientAddress":"","clientHost":""}`, "unknown", ""},
	{"an address is a string", `{"sub":"u","azp":"batch","clientHost":["h"]}`, "unknown", ""},
	{"another client's service account with an address", `{"sub":"u","azp":"web","clientHost":"h","preferred_username":"service-account-batch"}`,
		"unknown", "keycloak-other-service-account"},
	{"Keycloak's client credentials in an offline session", `{"jti":"ofrtcc:1"}`, "machine", "keycloak-client-credentials"},
	{"client credentials need an id", `{"jti":"trrtcc:"}`, "unknown", ""},
	{"another letter for the session", `{"jti":"xxrtcc:1"}`, "unknown", ""},
	{"another letter for the token", `{"jti":"trxxcc:1"}`, "unknown", ""},
	{"an unknown token of an old Keycloak", `{"jti":"ununcc:1"}`, "unknown", ""},
	{"more letters", `{"jti":"trrtccc:1"}`, "unknown", ""},
	{"capitals", `{"jti":"TRRTCC:1"}`, "unknown", ""},
	{"the device grant", `{"jti":"onrtdg:1"}`, "human", "keycloak-user-grant"},
	{"the backchannel grant", `{"jti":"onrtci:1"}`, "human", "keycloak-user-grant"},
	{"the password grant", `{"jti":"onrtro:1"}`, "unknown", ""},
	{"a token exchange", `{"jti":"ntrtte:1"}`, "unknown", ""},
	{"no grant known", `{"jti":"onrtna:1"}`, "unknown", ""},
	{"any other issuer's jti", `{"jti":"5e1f2a:90c47d3b68"}`, "unknown", ""},
	{"a list of ids", `{"jti":["trrtcc:1"]}`, "unknown", ""},
	{"Cloudflare's service token without sub", `{"common_name":"c.access"}`, "machine", "cloudflare-access-service-token"},
	{"a common name of somebody", `{"sub":"u","common_name":"Ada"}`, "unknown", ""},
	{"a common name beside an e-mail", `{"sub":"","common_name":"Ada","email":"ada@example.com"}`, "human", "email"},
	{"an empty common name", `{"sub":"","common_name":""}`, "unknown", ""},
	{"a list is no e-mail", `{"sub":"u","email":["a@example.com"]}`, "unknown", ""},
	{"an object is no name", `{"sub":"u","name":{"en":"Ada"}}`, "unknown", ""},
	{"auth_time is a number", `{"sub":"u","auth_time":"1795501800"}`, "unknown", ""},
	{"amr lists strings", `{"sub":"u","amr":[1]}`, "unknown", ""},
	{"another grant", `{"sub":"u","gty":"password"}`, "unknown", ""},
	{"a list of grants", `{"sub":"u","gty":["client-credentials"]}`, "unknown", ""},
	{"the suffix alone names no client", `{"sub":"@clients"}`, "unknown", ""},
	{"not at the end", `{"sub":"c@clients.example"}`, "unknown", ""},
	{"idtyp of a user", `{"sub":"u","idtyp":"user"}`, "unknown", ""},
	{"a human who looks like another client's account", `{"sub":"u","azp":"web","sid":"s","preferred_username":"service-account-batch"}`,
		"unknown", "keycloak-other-service-account"},
	{"the prefix alone names no client", `{"sub":"u","azp":"","preferred_username":"service-account-"}`, "human", "preferred_username"},
	{"only ASCII letters fold", `{"sub":"u","azp":"K","preferred_username":"service-account-\u212a"}`, "unknown", "keycloak-other-service-account"},
	{"somebody else's issuer does not vouch for Google's e-mails",
		`{"iss":"https://idp.example","sub":"u","email":"x@p.iam.gserviceaccount.com"}`, "human", "email"},
	{"a domain that only ends alike", `{"iss":"https://accounts.google.com","sub":"1","email":"x@evilgserviceaccount.com"}`, "human", "email"},
	{"Google's account by its e-mail", `{"iss":"https://accounts.google.com","sub":"1","azp":"2","email":"x@p.iam.gserviceaccount.com"}`,
		"machine", "google-service-account"},
	{"without scheme, as Google once wrote it", `{"iss":"accounts.google.com","sub":"1","email":"x@p.iam.gserviceaccount.com"}`,
		"machine", "google-service-account"},
	{"a user of another grant of PingAM", `{"sub":"u","grant_type":"refresh_token","auth_time":1}`, "human", "auth_time"},
	{"a user of Casdoor who is called like an application", `{"sub":"u","type":"application","owner":"admin","name":"app"}`, "human", "name"},
	{"a user of Casdoor with an application's id", `{"sub":"admin/app","type":"normal-user","owner":"admin","name":"app"}`, "human", "name"},
	{"a type alone", `{"sub":"/","type":"application"}`, "unknown", ""},
	{"issuer and subject both absent", `{"email":"x@p.iam.gserviceaccount.com"}`, "human", "email"},
	{"a subject in Kubernetes' form from elsewhere", `{"sub":"system:serviceaccount:a:b"}`, "unknown", ""},
	{"kubernetes.io as a string", `{"sub":"system:serviceaccount:a:b","kubernetes.io":"x"}`, "unknown", ""},
	{"kubernetes.io with another subject", `{"sub":"u","kubernetes.io":{"namespace":"a"}}`, "unknown", ""},
	{"a repository alone", `{"sub":"u","repository":"o/r"}`, "unknown", ""},
	{"GitHub's numbers are strings", `{"sub":"u","repository":"o/r","workflow":"w","run_id":10}`, "unknown", ""},
	{"a pipeline without job", `{"sub":"u","project_path":"g/p","pipeline_id":"1"}`, "unknown", ""},
	{"SPIFFE without trust domain", `{"sub":"spiffe:///x"}`, "unknown", ""},
	{"SPIFFE with nothing", `{"sub":"spiffe://"}`, "unknown", ""},
	{"SPIFFE trust domains are in lower case", `{"sub":"spiffe://Example.org/x"}`, "unknown", ""},
	{"SPIFFE with a port", `{"sub":"spiffe://example.org:1/x"}`, "unknown", ""},
	{"SPIFFE without path", `{"sub":"spiffe://example.org"}`, "machine", "spiffe"},
	{"a user of authentik who is called like a client's account",
		`{"sub":"u","acr":"goauthentik.io/providers/oauth2/default","sid":"s","preferred_username":"ak-x-client_credentials"}`,
		"human", "preferred_username"},
	{"the same name elsewhere", `{"sub":"u","preferred_username":"ak-x-client_credentials"}`, "human", "preferred_username"},
	{"another connection's user of Auth0", `{"sub":"google-oauth2|1"}`, "human", "auth0-user-subject"},
	{"a custom connection's", `{"sub":"oauth2|corporate|1"}`, "human", "auth0-user-subject"},
	{"a connection without user", `{"sub":"auth0|"}`, "unknown", ""},
	{"a user without connection", `{"sub":"|1"}`, "unknown", ""},
	{"a bar behind anything else", `{"sub":"urn:x|1"}`, "unknown", ""},
	{"Auth0's client", `{"sub":"auth0|x@clients"}`, "machine", "auth0-clients-subject"},
}

func TestAutoIsNotFooledByLookAlikes(t *testing.T) {
	for _, row := range lookAlikes {
		v := caller.Classify(caller.Auto, parse(t, row.doc))
		assert.Equal(t, row.caller, v.Kind.String(), "%s: %s", row.why, row.doc)
		assert.Equal(t, row.evidence, v.Evidence, "%s: %s", row.why, row.doc)
	}
}

func TestEveryHumanClaimIsEvidenceAlone(t *testing.T) {
	for claim, evidence := range map[string]string{
		`"email":"a@example.com"`: "email", `"name":"Ada"`: "name", `"given_name":"Ada"`: "given_name",
		`"family_name":"L"`: "family_name", `"preferred_username":"ada"`: "preferred_username",
		`"cognito:username":"ada"`: "cognito:username", `"auth_time":1.5`: "auth_time",
		`"amr":["pwd"]`: "amr", `"amr":"pwd"`: "amr", `"upn":"ada@example.com"`: "upn",
	} {
		got := caller.Classify(caller.Auto, parse(t, `{"sub":"u","client_id":"c",`+claim+`}`))
		assert.Equal(t, caller.Verdict{Kind: caller.Human, Evidence: evidence}, got, claim)
	}
}

// Whatever humans' claims a service account has besides, machine evidence wins.
func TestMachineEvidenceOutweighsHumanClaims(t *testing.T) {
	human := []string{`"email":"a@example.com"`, `"name":"A"`, `"given_name":"A"`, `"family_name":"A"`,
		`"cognito:username":"a"`, `"auth_time":1`, `"sid":"s"`, `"amr":["pwd"]`, `"upn":"a"`}
	machine := []string{`"gty":"client-credentials"`, `"sub":"c@clients"`, `"idtyp":"app"`, `"sub":"c","cid":"c"`,
		`"sub":"c","client_id":"c"`, `"sub":"c","azp":"c"`, `"client_id":"c","preferred_username":"service-account-c"`,
		`"sub":"spiffe://d/w"`, `"repository":"r","workflow":"w","run_id":"1"`, `"project_path":"p","pipeline_id":"1","job_id":"2"`,
		`"sub":"system:serviceaccount:n:a","kubernetes.io":{}`, `"jti":"onrtcc:1"`, `"clientHost":"h"`}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfDistinct(rapid.SampledFrom(human), rapid.ID[string]).Draw(t, "human")
		parts = append(parts, rapid.SampledFrom(machine).Draw(t, "machine"))
		c, err := claims.Parse([]byte("{" + strings.Join(rapid.Permutation(parts).Draw(t, "order"), ",") + "}"))
		require.NoError(t, err)
		assert.Equal(t, caller.Machine, caller.Classify(caller.Auto, c).Kind)
	})
}

func FuzzClassify(f *testing.F) {
	for _, row := range issuers(f) {
		f.Add([]byte(row.Claims))
	}
	f.Add([]byte(`{"sub":null,"scope":[[]],"amr":{},"kubernetes.io":[]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		c, err := claims.Parse(doc)
		if err != nil {
			return
		}
		for _, p := range []caller.Profile{caller.Auto, caller.Cognito} {
			v, m := caller.Classify(p, c), caller.Inspect(p, c)
			require.Equal(t, v, caller.Verdict{Kind: m.Caller, Evidence: m.Evidence})
			require.NotEqual(t, caller.Anonymous, v.Kind)
			require.Equal(t, m.IsM2M, v.Kind == caller.Machine)
			if v.Evidence == "" {
				require.Equal(t, caller.Unknown, v.Kind)
			}
		}
		for _, group := range caller.Groups(c, []string{"groups", "scope"}, true) {
			require.NotEmpty(t, group)
		}
	})
}
