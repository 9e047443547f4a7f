package policy_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"gatehouse/core/policy"
)

func TestOnlyMethodsThatEveryServerReadsAlikeAreSafe(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "PATCH", "M-SEARCH", "VERSION-CONTROL", "X_1", "QUERY"} {
		assert.True(t, policy.SafeMethod(method), method)
	}
	for _, method := range []string{"", "get", "delete", "Delete", "DELETe", "CONNECT", "connect", "DELETE ", " DELETE", "DELETE\t", "DEL ETE",
		"DELETE\x00", "DELETE\n", "GET/", "GET,GET", "ÄNDERN", "DELETE\u00a0", "ſAVE", "(GET)"} {
		assert.False(t, policy.SafeMethod(method), "%q", method)
	}
}

func TestSafeMethodAgreesWithTheGrammar(t *testing.T) {
	token := regexp.MustCompile("^[A-Z0-9!#$%&'*+.^_`|~-]+$") // RFC 9110 §5.6.2, without lower-case letters
	rapid.Check(t, func(t *rapid.T) {
		method := rapid.OneOf(rapid.StringMatching("[A-Zac -.(/]{0,7}"), rapid.String(), rapid.Just("CONNECT")).Draw(t, "method")
		if got, want := policy.SafeMethod(method), token.MatchString(method) && method != "CONNECT"; got != want {
			t.Fatalf("%q: want %v", method, want)
		}
	})
}
