package core

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core/config"
	"gatehouse/core/reason"
)

func TestSeveralCredentialsInOneValue(t *testing.T) {
	for value, several := range map[string]bool{
		"":             false,
		"Basic YTpi":   false,
		"Bearer a.b.c": false,
		"Bearer a,b":   false, // malformed, but one
		"Basic YTpi,":  false,
		`Digest username="a", realm="b", uri = "/", nc=1`:                         false,
		`Digest username="a, Basic b", realm="\", Basic YTpi"`:                    false,
		"AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-date, Signature=c": false,
		"Basic YTpi,Basic YTpi":                  true,
		"Basic YTpi, Negotiate YTpi":             true,
		",Basic YTpi":                            true,
		`Digest username="a", realm="b",Basic c`: true,
		`Basic YTpi,Digest username="a"`:         true,
		`Digest realm="\\",Basic c`:              true,
		"Basic YTpi,Bearer a.b.c":                true,
	} {
		assert.Equal(t, several, severalCredentials(&Request{Headers: []Header{{"authorization", value}}}), value)
		assert.False(t, severalCredentials(&Request{Headers: []Header{{"x-other", value}, {"x-other", value}}}), value)
		assert.True(t, severalCredentials(&Request{Headers: []Header{{"authorization", value}, {"x-other", ""}, {"authorization", value}}}), value)
	}
}

// A server that follows CGI reads all of these names as one.
func TestAHeaderThatAServerTakesForTheTokensIsRefused(t *testing.T) {
	sources := []config.Source{{Header: "x-token"}}
	for _, name := range []string{"x_token", "x.token", "x~token", "x+token", "x token"} {
		for _, headers := range [][]Header{
			{{name, "a.b.c"}}, {{"x-token", "a.b.c"}, {name, "a.b.c"}}, {{name, "a.b.c"}, {"x-token", "a.b.c"}},
		} {
			token, bad := findToken(&Request{Headers: headers}, sources)
			assert.Empty(t, token, "%q", headers)
			assert.Equal(t, reason.MalformedToken, bad, "%q", headers)
		}
	}
	token, bad := findToken(&Request{Headers: []Header{{"xtoken", "d"}, {"x--token", "d"}, {"x-token", "a.b.c"}, {"x0token", "d"}}}, sources)
	assert.Equal(t, "a.b.c", token)
	assert.Equal(t, reason.None, bad)
}

func TestACookieOfPHPsIsRefused(t *testing.T) {
	sources := []config.Source{{Cookie: "my_session"}}
	for _, name := range []string{"my.session", "my session", "my[session", "my+session", "my%20session", "my%2esession"} {
		token, bad := findToken(&Request{Headers: []Header{{"cookie", name + "=d.e.f; my_session=a.b.c"}}}, sources)
		assert.Empty(t, token, name)
		assert.Equal(t, reason.MalformedToken, bad, name)
	}
}

func TestOneValueMayBeSeveralAuthorizationHeaders(t *testing.T) {
	bearer := []config.Source{{Header: "authorization", Scheme: "Bearer"}}
	for _, test := range []struct {
		value, token string
		bad          reason.Reason
	}{
		{"Bearer a.b.c", "a.b.c", reason.None},
		{"Basic YTpi", "", reason.None},
		{`Digest username="a", realm="b"`, "", reason.None},
		{"Bearer a.b.c,Bearer a.b.c", "", reason.MalformedToken},
		{"Bearer a.b.c, Basic YTpi", "", reason.MalformedToken},
		{"Basic YTpi,Bearer a.b.c", "", reason.MalformedToken},
		{"Basic YTpi, bearer a.b.c", "", reason.MalformedToken},
		{",Bearer a.b.c", "", reason.MalformedToken},
	} {
		r := &Request{Headers: []Header{{"authorization", test.value}}}
		token, bad := findToken(r, bearer)
		assert.Equal(t, test.token, token, test.value)
		assert.Equal(t, test.bad, bad, test.value)
	}
	token, bad := findToken(&Request{Headers: []Header{{"x-token", "a.b.c,a.b.c"}}}, []config.Source{{Header: "x-token"}})
	assert.Empty(t, token)
	assert.Equal(t, reason.MalformedToken, bad)
}

func TestATokenCookieOccursOnce(t *testing.T) {
	session := []config.Source{{Cookie: "session"}}
	for _, c := range []struct {
		cookies []string
		token   string
		bad     reason.Reason
	}{
		{[]string{"session=a.b.c"}, "a.b.c", reason.None},
		{[]string{"theme=dark; session=a.b.c; lang=de"}, "a.b.c", reason.None},
		{[]string{"theme=dark", "session=a.b.c", "lang=de"}, "a.b.c", reason.None},
		{[]string{`session="a.b.c"`}, "a.b.c", reason.None},
		{[]string{"session =a.b.c"}, "a.b.c", reason.None},
		{[]string{"\tsession\t= a.b.c "}, "a.b.c", reason.None},
		{[]string{"theme=dark"}, "", reason.None},
		{[]string{"session=", "theme=dark"}, "", reason.None},
		{[]string{"session"}, "", reason.None},
		{[]string{"my-session=a.b.c; sessions=a.b.c"}, "", reason.None},
		{[]string{"theme=session=a.b.c"}, "", reason.None},
		{[]string{""}, "", reason.None},

		{[]string{"session=a.b.c; session=a.b.c"}, "", reason.MalformedToken},
		{[]string{"session=a.b.c; session =d.e.f"}, "", reason.MalformedToken},
		{[]string{"session =d.e.f;session=a.b.c"}, "", reason.MalformedToken},
		{[]string{"session=a.b.c;\tsession=d.e.f"}, "", reason.MalformedToken},
		{[]string{"session=a.b.c; \x0bsession=d.e.f"}, "", reason.MalformedToken},
		{[]string{"session=a.b.c; \u00a0session\u2003=d.e.f"}, "", reason.MalformedToken},
		{[]string{"session=a.b.c; session="}, "", reason.MalformedToken},
		{[]string{"session=; session=a.b.c"}, "", reason.MalformedToken},
		{[]string{"session=a.b.c", "session=a.b.c"}, "", reason.MalformedToken},
		{[]string{"session=a.b.c", "x=y; session =d.e.f"}, "", reason.MalformedToken},
		{[]string{"session=", "session=a.b.c"}, "", reason.MalformedToken},
		{[]string{"session=a.b.c", "session="}, "", reason.MalformedToken},
		{[]string{"session=", "session="}, "", reason.MalformedToken},
		{[]string{"session; session=a.b.c"}, "", reason.MalformedToken},
		{[]string{"x=y,session=d.e.f; session=a.b.c"}, "", reason.MalformedToken},
		{[]string{"session=a.b.c; x=y, session =d.e.f"}, "", reason.MalformedToken},
		{[]string{`x="y;session=d.e.f;"; session=a.b.c`}, "", reason.MalformedToken},

		// A server could take these for the cookie.
		{[]string{"Session=a.b.c"}, "", reason.MalformedToken},
		{[]string{"session=a.b.c; SESSION=d.e.f"}, "", reason.MalformedToken},
		{[]string{"%73ession=d.e.f; session=a.b.c"}, "", reason.MalformedToken},
		{[]string{"session=a.b.c", "%53essio%4E=d.e.f"}, "", reason.MalformedToken},
		{[]string{"x=y, SESSION=d.e.f; session=a.b.c"}, "", reason.MalformedToken},
		{[]string{"%73ession%20=a.b.c", "%ession=1", "session%=1", "sess.ion=1"}, "", reason.None},
	} {
		r := &Request{}
		for _, value := range c.cookies {
			r.Headers = append(r.Headers, Header{"cookie", value})
		}
		token, bad := findToken(r, session)
		assert.Equal(t, c.token, token, "%q", c.cookies)
		assert.Equal(t, c.bad, bad, "%q", c.cookies)
	}
}

var wellFormed = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// FuzzTokenCookie holds that a token which Gatehouse takes from a Cookie header is the only one
// that Go's own server could take, and that what is left without the cookie has none.
func FuzzTokenCookie(f *testing.F) {
	for _, seed := range []string{"session=a.b.c", "a=b; session=a.b.c", "session=a; session =b", "session=\"a;session=b\"", ";=;session==", "session=a,session=b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		token, bad := findToken(&Request{Headers: []Header{{"cookie", value}}}, []config.Source{{Cookie: "session"}})
		theirs := func(value string) (found []string) {
			r := http.Request{Header: http.Header{"Cookie": {value}}}
			for _, c := range r.CookiesNamed("session") {
				found = append(found, c.Value)
			}
			return found
		}
		if bad == reason.None && wellFormed.MatchString(token) { // others are malformed tokens
			for _, other := range theirs(value) {
				if strings.Trim(other, ` "`) != token {
					t.Fatalf("%q: we take %q, Go %q", value, token, other)
				}
			}
		}
		if left := theirs(withoutCookie(value, "session")); len(left) > 0 {
			t.Fatalf("%q: %q is left", value, left)
		}
	})
}

// TestWithoutCookieLeavesNoSpelling holds that what is taken out is all that counts as the cookie.
func TestWithoutCookieLeavesNoSpelling(t *testing.T) {
	for _, header := range []string{"session=a", "session =a", "SESSION=a", "%73ession=a", "\tsession\x0b=a", "session=a; session =b"} {
		assert.Empty(t, withoutCookie(header, "session"), "%q", header)
		assert.Equal(t, "x=y; z", withoutCookie("x=y;"+header+"; z", "session"), "%q", header)
	}
}

// TestManySeparatorsCostLinearWork would take hours if each separator cost work in the rest of the
// value.
func TestManySeparatorsCostLinearWork(t *testing.T) {
	const n = 4 << 20
	for _, unit := range []string{",", ", ", ",a", ",\"", ",a ", ";", "=", "; ", ";=", " ", "\"", "\\", ",a=b", "session=", "session,", "session =;"} {
		value := "Basic " + strings.Repeat(unit, n/len(unit))
		r := &Request{Headers: []Header{{"authorization", value}, {"cookie", value}, {"x-token", value}}}
		severalCredentials(r)
		for _, source := range []config.Source{{Header: "authorization", Scheme: "Bearer"}, {Header: "x-token"}, {Cookie: "session"}} {
			_, _ = findToken(r, []config.Source{source})
		}
		withoutCookie(value, "session")
	}
}
