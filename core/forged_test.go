package core_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core"
)

// cgiName is how a server that follows CGI reads a header's name, with "-" for "_".
func cgiName(name string) string {
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return '-'
		}
		return unicode.ToLower(r)
	}, name)
}

func TestNamesThatAServerCouldReadAsOursAreReserved(t *testing.T) {
	g := open(t, anyone)
	for name, ours := range map[string]bool{
		"x-gatehouse-user-id": true, "X_GATEHOUSE_USER_ID": true, "x.gatehouse.user.id": true, "x-gatehouse+user-id": true,
		"x gatehouse~caller": true, "x-gatehouse-": true, "x-gatehouse!": true,
		"x-gatehouse": false, "x-gatehousehold": false, "xx-gatehouse-user-id": false, "x--gatehouse-user-id": false, "": false,
		"x-other": false,
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, ours, g.Reserved(name)) })
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOf(rapid.SampledFrom([]rune("xX-_.+gGatehouseATEHOUSE0 "))).Draw(t, "name")
		require.Equal(t, strings.HasPrefix(cgiName(name), "x-gatehouse-"), g.Reserved(name), name)
	})
}

func TestNothingIsReservedWithoutIdentityHeaders(t *testing.T) {
	g := open(t, anyone+`,"identity_headers":"none"`)
	assert.False(t, g.Reserved("x-gatehouse-user-id"))
}

func TestAClientCannotHaveTheNextProxyRemoveIdentityHeaders(t *testing.T) {
	g := open(t, `"routes":[{"path":"/**","auth":"none"}]`)
	for _, c := range []struct {
		name, sent string
		kept       string // what goes on; "" if the header doesn't
		same       bool   // the header stays as it is
	}{
		{"one name", "x-gatehouse-user-id", "", false},
		{"among others", "Upgrade, X_Gatehouse_User_Id ,keep-alive", "Upgrade, keep-alive", false},
		{"in two headers", "upgrade | x.gatehouse.caller", "upgrade", false},
		{"only others", "upgrade, te", "", true},
		{"nothing", "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			for _, value := range strings.Split(c.sent, " | ") {
				headers = append(headers, "connection: "+value)
			}
			d := g.decide("GET /", "", headers...)
			require.Equal(t, core.Admit, d.Verdict)
			assert.Equal(t, c.kept, header(d.Set, "connection"))
			assert.Equal(t, !c.same && c.kept == "", len(d.Remove) == 1 && d.Remove[0] == "connection")
		})
	}
}

func TestRepeatedHeadersAreAllRecordedAndAllPartOfAKey(t *testing.T) {
	g := open(t, `"routes":[{"path":"/**","auth":"none","rate_limits":["l"]}],"audit":{"headers":["host","x-team"]},
		"rate_limits":[{"name":"l","max_requests":1,"window_seconds":60,"identifier":["header:x-team"]}]`)
	recorded := func(headers ...string) (team, host any) {
		d := g.decide("GET /", "", headers...)
		require.Equal(t, core.Admit, d.Verdict, "%v", headers)
		metadata := g.finish(core.Outcome{Status: 200})[0]["metadata"].(map[string]any)
		return metadata["x-team"], metadata["host"]
	}
	team, host := recorded("x-team: a", "x-other: 1", "x-team: b")
	assert.Equal(t, "a,b", team)
	assert.Equal(t, "api.example", host, "the authority")
	team, _ = recorded("x-team: a")
	assert.Equal(t, "a", team)
	team, _ = recorded("x-team: b", "x-team: a")
	assert.Equal(t, "b,a", team)
	team, _ = recorded()
	assert.Nil(t, team)
	for _, headers := range [][]string{{"x-team: a", "x-team: b"}, {"x-team: a"}, {"x-team: b", "x-team: a"}, {}} {
		assert.Equal(t, core.Deny, g.decide("GET /", "", headers...).Verdict, "%v", headers)
	}
}
