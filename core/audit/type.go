package audit

// Type is a kind of event. The zero value is TypeRequestError, the one that claims no success.
type Type uint8

// The kinds of events, one for each event_type. Event.Custom holds the event_type of a TypeCustom.
const (
	TypeRequestError Type = iota // 503 by Gatehouse, or the client got no response of the upstream
	TypeAuthSuccess              // authenticated and admitted, whatever the upstream answered
	TypeAuthFailure              // 401, by Gatehouse or by Envoy's JWT filter
	TypeAccessDenied             // 403 or 400 by Gatehouse
	TypeRateLimited              // 429 by Gatehouse, or by one of Envoy's rate limit filters
	TypeRequest                  // an anonymous request, on a route that allows it
	TypeAdminAction              // a write through the admin API
	TypeAuditGap                 // a sink lost events
	TypeCustom                   // an upstream's own event, from x-audit-event
	numTypes
)

var typeWords = [numTypes]string{
	TypeRequestError: "request_error",
	TypeAuthSuccess:  "auth_success",
	TypeAuthFailure:  "auth_failure",
	TypeAccessDenied: "access_denied",
	TypeRateLimited:  "rate_limited",
	TypeRequest:      "request",
	TypeAdminAction:  "admin_action",
	TypeAuditGap:     "audit_gap",
	TypeCustom:       "custom",
}

// String returns the word that the audit log writes as event_type. Only metrics use TypeCustom's
// word, "custom": an upstream must not choose a label.
func (t Type) String() string {
	if t >= numTypes {
		return ""
	}
	return typeWords[t]
}

// isReservedType reports whether word is an event type that only Gatehouse may write.
func isReservedType(word string) bool {
	for t := Type(0); t < TypeCustom; t++ {
		if typeWords[t] == word {
			return true
		}
	}
	return false
}

// Outcome is how a request ended: everything that decides its event type.
type Outcome struct {
	Refused       int    // the status of Gatehouse's own refusal; 0 if it admitted the request or never saw it
	Authenticated bool   // a token was verified
	Status        int    // the status that the client got; 0 if it got no response
	Answered      bool   // Gatehouse answered the request itself, and not to refuse it
	Details       string // Envoy's response.code_details; "" if unknown
	// GRPCHeadersAlone is true for a gRPC request whose response had headers alone. All of Envoy's
	// own answers to gRPC requests are so, with status 200.
	GRPCHeadersAlone bool
}

// TypeOf returns the event type of a request. It never returns TypeAdminAction,
// TypeAuditGap or TypeCustom.
func TypeOf(o Outcome) Type {
	switch o.Refused {
	case 0:
	case 401:
		return TypeAuthFailure
	case 403, 400:
		return TypeAccessDenied
	case 429:
		return TypeRateLimited
	default:
		return TypeRequestError
	}
	switch OriginOf(o) {
	case originJWT:
		return TypeAuthFailure
	case originLocalLimit, originGlobalLimit:
		return TypeRateLimited
	}
	switch {
	case !answered(o):
		return TypeRequestError
	case o.Authenticated:
		return TypeAuthSuccess
	}
	return TypeRequest
}

// Recorded reports whether the event is to be written. Requests to excluded paths are left out,
// with these exceptions: refusals, refusals that enforce mode would have made, custom events and
// writes through the admin API.
func Recorded(enabled, excluded bool, e *Event) bool {
	if !enabled || !excluded {
		return enabled
	}
	switch e.Type {
	case TypeAuthFailure, TypeAccessDenied, TypeRateLimited, TypeAdminAction, TypeAuditGap, TypeCustom:
		return true
	}
	return e.Meta.Reason != "" || e.Meta.WouldBe != ""
}
