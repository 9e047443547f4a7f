package audit

import "strings"

// The origins of refusals that have an event type of their own.
const (
	originJWT         = "jwt_authn"
	originLocalLimit  = "local_ratelimit"
	originGlobalLimit = "ratelimit"
)

// filterDetails lists how the response code details begin when one of Envoy's HTTP filters answers
// instead of the upstream (from the filters' sources). An origin is the filter's name in Envoy's
// configuration, envoy.filters.http.NAME.
var filterDetails = [...]struct{ details, origin string }{
	{"jwt_authn_access_denied", originJWT}, // jwt_authn_access_denied{Jwt_is_expired}
	{"local_rate_limited", originLocalLimit},
	{"request_rate_limited", originGlobalLimit}, // the rate limit service refused
	{"rbac_access_denied", "rbac"},              // rbac_access_denied_matched_policy[none]
	{"ext_authz_", "ext_authz"},                 // ext_authz_denied, ext_authz_error
	{"fault_filter_abort", "fault"},
	{"gatehouse_", "gatehouse"}, // another instance, in front of this one or behind it
}

// envoyDetails lists how the details begin that the connection manager, the router and the codecs
// set (Envoy's response_code_details.rst and stream_info.h). Most of them may also replace an
// earlier via_upstream: the response had begun and then broke off.
var envoyDetails = [...]string{
	"downstream_",
	"stream_idle_timeout",
	"max_duration_timeout",
	"duration_timeout",
	"http1.",
	"http2.",
	"http3.",
	"internal_redirect",
	"upstream_",
	"request_",
	"response_timeout",
	"response_payload_too_large",
	"route_",
	"cluster_not_found",
	"no_healthy_upstream",
	"maintenance_mode",
	"drop_overload",
	"unconditional_drop_overload",
	"overload",
	"low_version",
	"missing_host_header",
	"missing_path_rejected",
	"invalid_path",
	"absolute_path_rejected",
	"path_normalization_failed",
	"upgrade_failed",
	"websocket_handshake_unsuccessful",
	"filter_", // filter_chain_not_found, filter_removed_required_request_headers and the like
	"rejecting_because_detection_failed",
	"early_connect_data",
	"admin_filter_response",
}

// OriginOf names the other filter that refused the request, "" if none did. For a filter that isn't
// in the table it returns the first word of the details.
func OriginOf(o Outcome) string {
	if o.Refused != 0 || o.Answered || byUpstream(o.Details) {
		return ""
	}
	for i := range filterDetails {
		if strings.HasPrefix(o.Details, filterDetails[i].details) {
			return filterDetails[i].origin
		}
	}
	if !fails(o) {
		return ""
	}
	for _, details := range envoyDetails {
		if strings.HasPrefix(o.Details, details) {
			return ""
		}
	}
	return firstWord(o.Details)
}

// RefusedByJWT reports whether Envoy's JWT filter gave the answer.
func RefusedByJWT(details string) bool { return strings.HasPrefix(details, "jwt_authn_access_denied") }

// answered reports whether the client got a response from the upstream, or one that stands for it.
func answered(o Outcome) bool {
	if o.Status == 0 {
		return false
	}
	if o.Answered || o.Details == "" || byUpstream(o.Details) {
		return true
	}
	return !fails(o) && OriginOf(o) == ""
}

// fails reports whether the response says that the request failed. Those that Envoy makes itself
// do, so one that doesn't comes from the upstream, at least in part.
func fails(o Outcome) bool { return o.Status >= 400 || o.GRPCHeadersAlone }

// byUpstream reports whether the response came from the upstream or from a direct_response in
// Envoy's routes.
func byUpstream(details string) bool {
	return details == "via_upstream" || details == "direct_response" ||
		strings.HasPrefix(details, "upstream_reset_after_response_started")
}

func firstWord(s string) string {
	for i := 0; i < len(s); i++ {
		if !isWordByte(s[i]) {
			return s[:i]
		}
	}
	return s
}
