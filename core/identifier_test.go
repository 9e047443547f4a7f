package core_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core"
	"gatehouse/core/ratelimit"
)

// remaining looks a caller up under the first limit; -1 if it has no charge.
func (g *gate) remaining(t *testing.T, identifier string) int {
	t.Helper()
	id, err := g.ParseIdentifier(0, identifier)
	require.NoError(t, err)
	var out ratelimit.Result
	require.NoError(t, g.Limiter().Peek(0, id, 1, g.mono(), &out))
	if out.Windows[0].Remaining == out.Windows[0].Limit {
		return -1
	}
	return int(out.Windows[0].Remaining)
}

// TestIdentifiersFindTheCallersThatRequestsAreCountedUnder charges a limit by a request and looks
// its caller up.
func TestIdentifiersFindTheCallersThatRequestsAreCountedUnder(t *testing.T) {
	for name, test := range map[string]struct {
		identifier string // of the limit
		claims     map[string]any
		anonymous  bool
		headers    []string
		find       string
		others     []string
	}{
		"user id":          {`"user_id"`, map[string]any{"sub": "alice"}, false, nil, "user_id=main/alice", []string{"user_id=main/bob", "user_id"}},
		"spelt out":        {`"user_id"`, map[string]any{"sub": "alice"}, false, nil, "%75ser_id=m%61in/%61lice", []string{"user_id=main/Alice"}},
		"separators":       {`"user_id"`, map[string]any{"sub": "a/b,c=d%2F é"}, false, nil, "user_id=main/a%2Fb%2Cc%3Dd%252F%20%C3%A9", []string{"user_id=main/a%2Fb%2Cc%3Dd%2F%20%C3%A9"}},
		"alternatives":     {`"user_id|ip"`, nil, true, nil, "ip=192.0.2.1", []string{"ip=192.0.2.2", "user_id=main/alice", "user_id"}},
		"absent":           {`"claim:org"`, nil, true, nil, "claim:org", []string{"claim:org=main/x"}},
		"a machine":        {`"user_id|ip"`, map[string]any{"sub": nil, "client_id": "batch", "gty": "client-credentials"}, false, nil, "client_id=main/batch", []string{"user_id=main/batch"}},
		"client id":        {`"client_id"`, map[string]any{"client_id": "web"}, false, nil, "client_id=main/web", []string{"client_id"}},
		"a claim":          {`"claim:org"`, map[string]any{"org": "acme"}, false, nil, "claim:org=main/acme", []string{"claim:org:=main/%22acme%22", "claim:org"}},
		"a claim's text":   {`"claim:org"`, map[string]any{"org": "<ü>"}, false, nil, "claim:org=main/%3C%C3%BC%3E", nil},
		"a claim's digits": {`"claim:org"`, map[string]any{"org": "42"}, false, nil, "claim:org=main/42", []string{"claim:org:=main/42"}},
		"a number":         {`"claim:org"`, map[string]any{"org": 42}, false, nil, "claim:org:=main/42", []string{"claim:org=main/42"}},
		"a header":         {`"header:x-key"`, nil, true, []string{"x-key: a b"}, "header:x-key=a%20b", []string{"header:x-key=a"}},
		"several":          {`"user_id","route","method","host"`, map[string]any{"sub": "alice"}, false, nil, "user_id=main/alice,route=%2F**,method=GET,host=API.example", []string{"user_id=main/alice,route=%2F**,method=PUT,host=api.example"}},
		"everybody":        {`"global"`, nil, true, nil, "global", nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := open(t, `"routes":[{"path":"/**","auth":"optional"}],"rate_limits":[{"name":"l","max_requests":9,"window_seconds":60,"identifier":[`+test.identifier+`]}]`)
			token := ""
			if !test.anonymous {
				token = main(t).mint(t, test.claims)
			}
			require.Equal(t, core.Admit, g.decide("GET /x", token, test.headers...).Verdict)
			assert.Equal(t, 8, g.remaining(t, test.find))
			for _, other := range test.others {
				assert.Equal(t, -1, g.remaining(t, other), other)
			}
		})
	}
}

func TestMalformedIdentifiersAreRefused(t *testing.T) {
	g := open(t, anyone+`,"rate_limits":[{"name":"l","max_requests":9,"window_seconds":60,"identifier":["user_id|ip","claim:org","global","route"]}]`)
	good := []string{"user_id=main/alice", "claim:org=main/x", "global", "route=%2F**"}
	with := func(i int, part string) string {
		parts := append([]string{}, good...)
		parts[i] = part
		return strings.Join(parts, ",")
	}
	_, err := g.ParseIdentifier(0, strings.Join(good, ","))
	require.NoError(t, err)
	for text, want := range map[string]string{
		"":                             "want 4 elements, user_id|ip,claim:org,global,route, got 1",
		strings.Join(good, ",") + ",":  "want 4 elements, user_id|ip,claim:org,global,route, got 5",
		with(0, "user=main/alice"):     "element 1: want user_id|ip",
		with(0, ""):                    "element 1: want user_id|ip",
		with(0, "user_id="):            "element 1: want a value after =",
		with(0, "user_id=alice"):       "element 1: want PROVIDER/VALUE, or PROVIDER/SEGMENT/VALUE if the provider's issuer has a placeholder",
		with(0, "user_id=other/alice"): "element 1: want PROVIDER/VALUE, or PROVIDER/SEGMENT/VALUE if the provider's issuer has a placeholder",
		with(0, "user_id=main/"):       "element 1: want PROVIDER/VALUE, or PROVIDER/SEGMENT/VALUE if the provider's issuer has a placeholder",
		with(0, "user_id=main/a/b"):    "element 1: want PROVIDER/VALUE, or PROVIDER/SEGMENT/VALUE if the provider's issuer has a placeholder",
		with(0, "user_id=main/%4"):     "element 1: want percent-encoded text",
		with(0, "user_id=main/%zz"):    "element 1: want percent-encoded text",
		with(0, "user_id:=main/1"):     "element 1: want user_id|ip",
		with(0, "%=1"):                 "element 1: want percent-encoded text",
		with(1, "claim:orga=main/x"):   "element 2: want claim:org",
		with(2, "global=1"):            "element 3: want a value after =",
		with(3, "route=/nowhere"):      "element 4: no route has this name",
	} {
		_, err := g.ParseIdentifier(0, text)
		assert.EqualError(t, err, want, text)
	}
}

// TestEveryUserIDHasAnIdentifier writes any user id by the rules and finds it.
func TestEveryUserIDHasAnIdentifier(t *testing.T) {
	g := open(t, anyone+`,"rate_limits":[{"name":"l","max_requests":9,"window_seconds":60,"identifier":["user_id"]}]`)
	ids := map[ratelimit.ID]string{}
	rapid.Check(t, func(t *rapid.T) {
		user := rapid.StringN(1, -1, -1).Draw(t, "user")
		id, err := g.ParseIdentifier(0, "user_id=main/"+url.PathEscape(user))
		if strings.Contains(url.PathEscape(user), ",") { // a comma may stand in a path, but not in a part
			id, err = g.ParseIdentifier(0, "user_id=main/"+strings.ReplaceAll(url.PathEscape(user), ",", "%2C"))
		}
		require.NoError(t, err)
		if other, taken := ids[id]; taken && other != user {
			t.Fatalf("%q and %q have one id", user, other)
		}
		ids[id] = user
	})
}

func TestTheIdentifierOfACallerWithAPlaceholderIssuerHasItsSegment(t *testing.T) {
	tenants := strings.Replace(provider(t, `,"claims":{"tid":["*"]}`), `"https://idp.example"`, `"https://idp.example/{tid}"`, 1)
	g := open(t, `"tokens":{"providers":[`+tenants+`]},`+anyone+`,"rate_limits":[{"name":"l","max_requests":9,"window_seconds":60,"identifier":["user_id"]}]`)
	d := g.decide("GET /", main(t).mint(t, claims{"iss": "https://idp.example/acme,x", "tid": "acme,x"}))
	require.Equal(t, core.Admit, d.Verdict, d.Reason.String())
	assert.Equal(t, 8, g.remaining(t, "user_id=main/acme%2Cx/alice"))
	assert.Equal(t, -1, g.remaining(t, "user_id=main/other/alice"))
	_, err := g.ParseIdentifier(0, "user_id=main/alice")
	require.Error(t, err)
}
