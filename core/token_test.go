package core

import (
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
