package core

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestEnvoysFailureCodesAreReasons has the codes of Envoy's JWT filter whose meaning a client or an operator would miss.
// e2e gets most of them from a real Envoy.
func TestEnvoysFailureCodesAreReasons(t *testing.T) {
	for code, reason := range map[float64]Reason{
		0: None, 1: None, 2: NotYetValid, 3: ExpiredToken,
		4: MalformedToken, 7: MalformedToken, 8: UnsupportedAlgorithm, 9: MalformedToken, 22: MalformedToken,
		23: InvalidSignature, 24: InvalidIssuer, 25: InvalidAudience, 26: InvalidSignature, 27: MalformedToken,
		28: KeysUnavailable, 31: KeysUnavailable, 32: UnknownKey, 33: KeysUnavailable, 40: KeysUnavailable, 72: KeysUnavailable,
		73: MalformedToken, -1: MalformedToken, 2.5: MalformedToken, math.Inf(1): MalformedToken, math.NaN(): MalformedToken,
	} {
		assert.Equal(t, reason, JWTStatus(code), "%v", code)
	}
}
