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
// set (Envoy's response_code_details.rst and stream_info.h). If late is true, the details may
// replace an earlier via_upstream: the response had begun and then broke off.
var envoyDetails = [...]struct {
	details string
	late    bool
}{
	{"downstream_", true},
	{"stream_idle_timeout", true},
	{"max_duration_timeout", true},
	{"duration_timeout", true},
	{"http1.", true},
	{"http2.", true},
	{"http3.", true},
	{"internal_redirect", true},
	{"upstream_", false},
	{"request_", false},
	{"response_timeout", false},
	{"response_payload_too_large", false},
	{"route_", false},
	{"cluster_not_found", false},
	{"no_healthy_upstream", false},
	{"maintenance_mode", false},
	{"drop_overload", false},
	{"unconditional_drop_overload", false},
	{"overload", false},
	{"low_version", false},
	{"missing_host_header", false},
	{"missing_path_rejected", false},
	{"invalid_path", false},
	{"absolute_path_rejected", false},
	{"path_normalization_failed", false},
	{"upgrade_failed", false},
	{"websocket_handshake_unsuccessful", false},
	{"filter_", false}, // filter_chain_not_found, filter_removed_required_request_headers and the like
	{"rejecting_because_detection_failed", false},
	{"early_connect_data", false},
	{"admin_filter_response", false},
}

// OriginOf names the other filter that refused the request, "" if none did. For a filter that isn't
// in the table it returns the first word of the details.
func OriginOf(o Outcome) string {
	if o.Refused != 0 || o.Answered {
		return ""
	}
	for i := range filterDetails {
		if strings.HasPrefix(o.Details, filterDetails[i].details) {
			return filterDetails[i].origin
		}
	}
	if o.Status < 400 || byUpstream(o.Details) {
		return ""
	}
	for i := range envoyDetails {
		if strings.HasPrefix(o.Details, envoyDetails[i].details) {
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
	for i := range envoyDetails {
		if strings.HasPrefix(o.Details, envoyDetails[i].details) {
			// Envoy's own answers are errors, but gRPC clients get all of them with status 200. Only
			// for late details does the status say that the upstream had answered.
			return envoyDetails[i].late && o.Status < 400
		}
	}
	return o.Status < 400 && OriginOf(o) == ""
}

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
