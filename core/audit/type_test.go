package audit_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core/audit"
)

func TestEachOutcomeHasItsEventTypeAndOrigin(t *testing.T) {
	for name, c := range map[string]struct {
		outcome audit.Outcome
		want    audit.Type
		origin  string
	}{
		"Gatehouse refuses a token":            {audit.Outcome{Refused: 401, Status: 401, Details: "gatehouse_expired_token"}, audit.TypeAuthFailure, ""},
		"Gatehouse refuses a caller":           {audit.Outcome{Refused: 403, Authenticated: true, Status: 403, Details: "gatehouse_human_required"}, audit.TypeAccessDenied, ""},
		"Gatehouse refuses a path":             {audit.Outcome{Refused: 400, Status: 400, Details: "gatehouse_unsafe_path"}, audit.TypeAccessDenied, ""},
		"Gatehouse limits":                     {audit.Outcome{Refused: 429, Authenticated: true, Status: 429}, audit.TypeRateLimited, ""},
		"Gatehouse has no keys":                {audit.Outcome{Refused: 503, Status: 503}, audit.TypeRequestError, ""},
		"the client left before the refusal":   {audit.Outcome{Refused: 401, Details: "downstream_remote_disconnect"}, audit.TypeAuthFailure, ""},
		"the JWT filter refuses":               {audit.Outcome{Status: 401, Details: "jwt_authn_access_denied{Jwt_is_expired}"}, audit.TypeAuthFailure, "jwt_authn"},
		"the JWT filter refuses gRPC":          {audit.Outcome{Status: 200, Details: "jwt_authn_access_denied{Jwt_is_missing}"}, audit.TypeAuthFailure, "jwt_authn"},
		"the local rate limit refuses":         {audit.Outcome{Authenticated: true, Status: 429, Details: "local_rate_limited"}, audit.TypeRateLimited, "local_ratelimit"},
		"the rate limit service refuses":       {audit.Outcome{Status: 429, Details: "request_rate_limited"}, audit.TypeRateLimited, "ratelimit"},
		"the rate limit service is down":       {audit.Outcome{Status: 500, Details: "rate_limiter_error"}, audit.TypeRequestError, "rate_limiter_error"},
		"RBAC refuses":                         {audit.Outcome{Authenticated: true, Status: 403, Details: "rbac_access_denied_matched_policy[none]"}, audit.TypeRequestError, "rbac"},
		"RBAC refuses gRPC":                    {audit.Outcome{Authenticated: true, Status: 200, Details: "rbac_access_denied_matched_policy[none]"}, audit.TypeRequestError, "rbac"},
		"ext_authz refuses":                    {audit.Outcome{Authenticated: true, Status: 403, Details: "ext_authz_denied"}, audit.TypeRequestError, "ext_authz"},
		"another instance refuses":             {audit.Outcome{Status: 403, Details: "gatehouse_no_route"}, audit.TypeRequestError, "gatehouse"},
		"a filter nobody knows refuses":        {audit.Outcome{Status: 403, Details: "csrf_origin_mismatch{x y}"}, audit.TypeRequestError, "csrf_origin_mismatch"},
		"a filter nobody knows answers":        {audit.Outcome{Authenticated: true, Status: 200, Details: "response_from_cache_filter"}, audit.TypeAuthSuccess, ""},
		"the upstream answers":                 {audit.Outcome{Authenticated: true, Status: 200, Details: "via_upstream"}, audit.TypeAuthSuccess, ""},
		"the upstream answers with an error":   {audit.Outcome{Authenticated: true, Status: 503, Details: "via_upstream"}, audit.TypeAuthSuccess, ""},
		"the upstream refuses itself":          {audit.Outcome{Status: 401, Details: "via_upstream"}, audit.TypeRequest, ""},
		"the upstream answers anonymous":       {audit.Outcome{Status: 200, Details: "via_upstream"}, audit.TypeRequest, ""},
		"Envoy's routes answer":                {audit.Outcome{Authenticated: true, Status: 403, Details: "direct_response"}, audit.TypeAuthSuccess, ""},
		"a host without details answers":       {audit.Outcome{Authenticated: true, Status: 500}, audit.TypeAuthSuccess, ""},
		"the upstream resets first":            {audit.Outcome{Authenticated: true, Status: 503, Details: "upstream_reset_before_response_started{connection_termination}"}, audit.TypeRequestError, ""},
		"the upstream resets gRPC first":       {audit.Outcome{Authenticated: true, Status: 200, Details: "upstream_reset_before_response_started{connection_termination}", GRPCHeadersAlone: true}, audit.TypeRequestError, ""},
		"the upstream resets later":            {audit.Outcome{Authenticated: true, Status: 200, Details: "upstream_reset_after_response_started{remote_reset}"}, audit.TypeAuthSuccess, ""},
		"the upstream is too slow":             {audit.Outcome{Status: 504, Details: "response_timeout"}, audit.TypeRequestError, ""},
		"the upstream stops halfway":           {audit.Outcome{Authenticated: true, Status: 200, Details: "response_timeout"}, audit.TypeAuthSuccess, ""},
		"the upstream stops gRPC halfway":      {audit.Outcome{Authenticated: true, Status: 200, Details: "upstream_max_stream_duration_reached"}, audit.TypeAuthSuccess, ""},
		"the upstream is too slow for gRPC":    {audit.Outcome{Authenticated: true, Status: 200, Details: "response_timeout", GRPCHeadersAlone: true}, audit.TypeRequestError, ""},
		"gRPC idles before an answer":          {audit.Outcome{Authenticated: true, Status: 200, Details: "stream_idle_timeout", GRPCHeadersAlone: true}, audit.TypeRequestError, ""},
		"gRPC is answered by headers alone":    {audit.Outcome{Authenticated: true, Status: 200, Details: "via_upstream", GRPCHeadersAlone: true}, audit.TypeAuthSuccess, ""},
		"a filter nobody knows refuses gRPC":   {audit.Outcome{Status: 200, Details: "csrf_origin_mismatch", GRPCHeadersAlone: true}, audit.TypeRequestError, "csrf_origin_mismatch"},
		"no upstream is healthy":               {audit.Outcome{Status: 503, Details: "no_healthy_upstream"}, audit.TypeRequestError, ""},
		"Envoy has no route":                   {audit.Outcome{Authenticated: true, Status: 404, Details: "route_not_found"}, audit.TypeRequestError, ""},
		"the client leaves first":              {audit.Outcome{Authenticated: true, Status: 0, Details: "downstream_remote_disconnect"}, audit.TypeRequestError, ""},
		"the client leaves first, nothing set": {audit.Outcome{Authenticated: true}, audit.TypeRequestError, ""},
		"the client leaves later":              {audit.Outcome{Authenticated: true, Status: 200, Details: "downstream_remote_disconnect"}, audit.TypeAuthSuccess, ""},
		"the stream idles before an answer":    {audit.Outcome{Authenticated: true, Status: 504, Details: "stream_idle_timeout"}, audit.TypeRequestError, ""},
		"the request was no HTTP":              {audit.Outcome{Status: 400, Details: "http1.codec_error"}, audit.TypeRequestError, ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want.String(), audit.TypeOf(c.outcome).String())
			assert.Equal(t, c.origin, audit.OriginOf(c.outcome))
		})
	}
}

func TestTheZeroTypeClaimsNoSuccess(t *testing.T) {
	assert.Equal(t, "request_error", audit.Type(0).String())
	assert.Empty(t, audit.Type(200).String())
}

func TestExcludedPathsLeaveOutAllButRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		event audit.Event
		want  bool
	}{
		"a success":            {audit.Event{Type: audit.TypeAuthSuccess}, false},
		"an anonymous request": {audit.Event{Type: audit.TypeRequest}, false},
		"an upstream failure":  {audit.Event{Type: audit.TypeRequestError}, false},
		"no keys":              {audit.Event{Type: audit.TypeRequestError, Meta: audit.Metadata{Reason: "jwks_unavailable"}}, true},
		"a bad token":          {audit.Event{Type: audit.TypeAuthFailure}, true},
		"a denied caller":      {audit.Event{Type: audit.TypeAccessDenied}, true},
		"a limited caller":     {audit.Event{Type: audit.TypeRateLimited}, true},
		"a would-be refusal":   {audit.Event{Type: audit.TypeRequest, Meta: audit.Metadata{WouldBe: "missing_token"}}, true},
		"a custom event":       {audit.Event{Type: audit.TypeCustom, Custom: "export"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, audit.Recorded(true, true, &c.event))
			assert.True(t, audit.Recorded(true, false, &c.event))
			assert.False(t, audit.Recorded(false, true, &c.event))
			assert.False(t, audit.Recorded(false, false, &c.event))
		})
	}
}
