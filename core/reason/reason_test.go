package reason_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core/reason"
)

// rows are the refusals that docs/reference.md promises.
var rows = []struct {
	status, grpc int
	detail       string
	token        bool
	words        []string
}{
	{401, 16, "Authentication required", false, []string{"missing_token"}},
	{401, 16, "Invalid token", true, []string{"malformed_token", "token_too_large", "unsupported_algorithm", "unknown_key", "invalid_signature",
		"token_type", "expired_token", "not_yet_valid", "invalid_issuer", "invalid_audience", "missing_claim", "invalid_claim"}},
	{403, 7, "This endpoint requires human user authentication", false, []string{"human_required"}},
	{403, 7, "This endpoint is for service accounts only", false, []string{"machine_required"}},
	{403, 7, "Operation not allowed", false, []string{"insufficient_scope", "group_required", "claim_required", "no_route"}},
	{429, 8, "Rate limit exceeded", false, []string{"rate_limited"}},
	{400, 3, "Bad request path", false, []string{"unsafe_path"}},
	{400, 3, "Bad request", false, []string{"unsafe_method", "unsafe_host"}},
	{503, 14, "Service unavailable", false, []string{"jwks_unavailable", "contention", "internal"}},
}

func TestEachReasonHasTheWordStatusAndDetailThatIsPromised(t *testing.T) {
	seen := 1 // None
	for _, row := range rows {
		for _, word := range row.words {
			r, ok := reason.Parse(word)
			assert.True(t, ok, word)
			assert.Equal(t, word, r.String())
			assert.Equal(t, row.status, r.Status(), word)
			assert.Equal(t, row.grpc, r.GRPCStatus(), word)
			assert.Equal(t, row.detail, r.Detail(), word)
			assert.Equal(t, `{"detail": "`+row.detail+`"}`, r.Body(), word)
			assert.Equal(t, row.token, r.OfToken(), word)
			seen++
		}
	}
	assert.Equal(t, reason.Count, seen, "reasons that this test doesn't know")
}

func TestConstantsHaveTheirOwnWords(t *testing.T) {
	for constant, word := range map[reason.Reason]string{
		reason.MissingToken: "missing_token", reason.MalformedToken: "malformed_token", reason.TokenTooLarge: "token_too_large",
		reason.UnsupportedAlgorithm: "unsupported_algorithm", reason.UnknownKey: "unknown_key",
		reason.InvalidSignature: "invalid_signature", reason.TokenType: "token_type", reason.ExpiredToken: "expired_token",
		reason.NotYetValid: "not_yet_valid", reason.InvalidIssuer: "invalid_issuer", reason.InvalidAudience: "invalid_audience",
		reason.MissingClaim: "missing_claim", reason.InvalidClaim: "invalid_claim", reason.HumanRequired: "human_required",
		reason.MachineRequired: "machine_required", reason.InsufficientScope: "insufficient_scope",
		reason.GroupRequired: "group_required", reason.ClaimRequired: "claim_required", reason.NoRoute: "no_route",
		reason.RateLimited: "rate_limited", reason.UnsafePath: "unsafe_path", reason.UnsafeMethod: "unsafe_method",
		reason.UnsafeHost: "unsafe_host", reason.KeysUnavailable: "jwks_unavailable", reason.Contention: "contention",
		reason.Internal: "internal",
	} {
		assert.Equal(t, word, constant.String())
	}
}

func TestNoneIsNoRefusal(t *testing.T) {
	assert.Empty(t, reason.None.String())
	assert.Zero(t, reason.None.Status())
	_, ok := reason.Parse("")
	assert.False(t, ok)
	_, ok = reason.Parse("no_such_reason")
	assert.False(t, ok)
}
