package core

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/jwt"
)

// TestEachVerdictOnATokenIsAReasonOfTheSameWord guards against a verdict that is added to jwt alone: without its reason it would
// be None, which admits.
func TestEachVerdictOnATokenIsAReasonOfTheSameWord(t *testing.T) {
	const beyond = "internal" // jwt's word for what is no verdict
	for r := jwt.OK + 1; r.String() != beyond; r++ {
		require.Less(t, int(r), len(ofToken), r.String())
		assert.Equal(t, r.String(), ofToken[r].String())
	}
	assert.Equal(t, beyond, jwt.Reason(len(ofToken)).String())
}

// TestReasonsAreThoseOfTheTableOfRefusals has the contract's words, statuses and details, in the list's order, which metrics
// repeats.
func TestReasonsAreThoseOfTheTableOfRefusals(t *testing.T) {
	reason := None
	for _, row := range []struct {
		status, grpc int
		detail       string
		words        []string
	}{
		{401, 16, "Authentication required", []string{"missing_token"}},
		{401, 16, "Invalid token", []string{"malformed_token", "token_too_large", "unsupported_algorithm", "unknown_key", "invalid_signature",
			"token_type", "expired_token", "not_yet_valid", "invalid_issuer", "invalid_audience", "missing_claim"}},
		{403, 7, "This endpoint requires human user authentication", []string{"human_required"}},
		{403, 7, "This endpoint is for service accounts only", []string{"machine_required"}},
		{403, 7, "Operation not allowed", []string{"insufficient_scope", "group_required", "claim_required", "no_route"}},
		{429, 8, "Rate limit exceeded", []string{"rate_limited"}},
		{400, 3, "Bad request path", []string{"unsafe_path"}},
		{503, 14, "Service unavailable", []string{"jwks_unavailable", "contention", "internal"}},
	} {
		for _, word := range row.words {
			reason++
			assert.Equal(t, word, reason.String())
			assert.Equal(t, row.status, reason.Status(), word)
			assert.Equal(t, row.grpc, reason.GRPCStatus(), word)
			assert.Equal(t, row.detail, reason.Detail(), word)
		}
	}
	assert.Equal(t, numReasons, reason+1)
	for constant, word := range map[Reason]string{
		MissingToken: "missing_token", MissingClaim: "missing_claim", HumanRequired: "human_required", NoRoute: "no_route",
		RateLimited: "rate_limited", UnsafePath: "unsafe_path", KeysUnavailable: "jwks_unavailable", Internal: "internal",
	} {
		assert.Equal(t, word, constant.String())
	}
}
