package core

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core/reason"
)

// TestEnvoysFailureCodesAreReasons has the codes of Envoy's JWT filter whose meaning a client or an
// operator would miss. e2e gets most of them from a real Envoy.
func TestEnvoysFailureCodesAreReasons(t *testing.T) {
	for code, why := range map[float64]reason.Reason{
		0: reason.None, 1: reason.None, 2: reason.NotYetValid, 3: reason.ExpiredToken,
		4: reason.MalformedToken, 7: reason.MalformedToken, 8: reason.UnsupportedAlgorithm, 9: reason.MalformedToken, 22: reason.MalformedToken,
		23: reason.InvalidSignature, 24: reason.InvalidIssuer, 25: reason.InvalidAudience, 26: reason.InvalidSignature, 27: reason.MalformedToken,
		28: reason.KeysUnavailable, 31: reason.KeysUnavailable, 32: reason.UnknownKey, 33: reason.KeysUnavailable, 40: reason.KeysUnavailable, 72: reason.KeysUnavailable,
		73: reason.MalformedToken, -1: reason.MalformedToken, 2.5: reason.MalformedToken, math.Inf(1): reason.MalformedToken, math.NaN(): reason.MalformedToken,
	} {
		assert.Equal(t, why, JWTStatus(code), "%v", code)
	}
}
