package audit

import "strings"

// What OriginOf calls the filters whose refusals have an event type of their own.
const (
	originJWT         = "jwt_authn"
	originLocalLimit  = "local_ratelimit"
	originGlobalLimit = "ratelimit"
)

// ofFilters are beginnings of the response code details by which Envoy's HTTP filters mark the replies that they send in the
// upstream's stead, from the filters' sources. The names are those of Envoy's configuration, envoy.filters.http.NAME.
var ofFilters = [...]struct{ details, origin string }{
	{"jwt_authn_access_denied", originJWT}, // jwt_authn_access_denied{Jwt_is_expired}
	{"local_rate_limited", originLocalLimit},
	{"request_rate_limited", originGlobalLimit}, // the rate limit service said no
	{"rbac_access_denied", "rbac"},              // rbac_access_denied_matched_policy[none]
	{"ext_authz_", "ext_authz"},                 // ext_authz_denied, ext_authz_error
	{"fault_filter_abort", "fault"},
	{"gatehouse_", "gatehouse"}, // another instance, in front of this one or behind it
}

// ofEnvoy are beginnings of the details that the connection manager, the router and the codecs set (Envoy's
// response_code_details.rst and stream_info.h). late ones may take the place of an earlier via_upstream, when the response
// had begun and then broke off.
var ofEnvoy = [...]struct {
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

// OriginOf names the filter that refused a request in Gatehouse's stead; "" when none did. A filter that isn't known by its
// details is named by them: their first word.
func OriginOf(o Outcome) string {
	if o.Refused != 0 {
		return ""
	}
	for i := range ofFilters {
		if strings.HasPrefix(o.Details, ofFilters[i].details) {
			return ofFilters[i].origin
		}
	}
	if o.Status < 400 || byUpstream(o.Details) {
		return ""
	}
	for i := range ofEnvoy {
		if strings.HasPrefix(o.Details, ofEnvoy[i].details) {
			return ""
		}
	}
	return firstWord(o.Details)
}

// answered reports whether an answer from the upstream, or what stands for one, reached the client.
func answered(o Outcome) bool {
	if o.Status == 0 {
		return false
	}
	if o.Details == "" || byUpstream(o.Details) {
		return true
	}
	for i := range ofEnvoy {
		if strings.HasPrefix(o.Details, ofEnvoy[i].details) {
			// Envoy's own answers are errors, but to gRPC they all have status 200. Of the late ones that status tells.
			return ofEnvoy[i].late && o.Status < 400
		}
	}
	return o.Status < 400 && OriginOf(o) == ""
}

// byUpstream tells the details of a response that the upstream, or a direct_response in Envoy's routes, gave.
func byUpstream(details string) bool {
	return details == "via_upstream" || details == "direct_response" ||
		strings.HasPrefix(details, "upstream_reset_after_response_started")
}

func firstWord(s string) string {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.', c == '-':
		default:
			return s[:i]
		}
	}
	return s
}
