package core

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core/config"
)

func TestOneValueMayBeSeveralAuthorizationHeaders(t *testing.T) {
	bearer := []config.Source{{Header: "authorization", Scheme: "Bearer"}}
	for _, test := range []struct {
		value, token string
		bad          Reason
	}{
		{"Bearer a.b.c", "a.b.c", None},
		{"Basic YTpi", "", None},
		{`Digest username="a", realm="b"`, "", None},
		{"Bearer a.b.c,Bearer a.b.c", "", MalformedToken},
		{"Bearer a.b.c, Basic YTpi", "", MalformedToken},
		{"Basic YTpi,Bearer a.b.c", "", MalformedToken},
		{"Basic YTpi, bearer a.b.c", "", MalformedToken},
		{",Bearer a.b.c", "", MalformedToken},
	} {
		r := &Request{Headers: []Header{{"authorization", test.value}}}
		token, bad := findToken(r, bearer)
		assert.Equal(t, test.token, token, test.value)
		assert.Equal(t, test.bad, bad, test.value)
	}
	token, bad := findToken(&Request{Headers: []Header{{"x-token", "a.b.c,a.b.c"}}}, []config.Source{{Header: "x-token"}})
	assert.Empty(t, token)
	assert.Equal(t, MalformedToken, bad)
}
