package audit

// Type is a kind of event. Its zero value is TypeRequestError, which claims the least.
type Type uint8

// The kinds of events, one for each row of the table of event types. A custom event's own word is Event.Custom.
const (
	TypeRequestError Type = iota // 503 by Gatehouse, or no upstream response reached the client
	TypeAuthSuccess              // authenticated and admitted, whatever the upstream answered
	TypeAuthFailure              // 401, by Gatehouse or by Envoy's JWT filter
	TypeAccessDenied             // 403 or 400 by Gatehouse
	TypeRateLimited              // 429 by Gatehouse, or by one of Envoy's rate limit filters
	TypeRequest                  // anonymous, on a route that allows it
	TypeAdminAction              // a write through the admin API
	TypeCustom                   // what an upstream reported in x-audit-event
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
	TypeCustom:       "custom",
}

// String is the word that the audit log uses as event_type. TypeCustom's, "custom", is used by metrics alone: there an
// upstream must not choose a label.
func (t Type) String() string {
	if t >= numTypes {
		return ""
	}
	return typeWords[t]
}

// reserved reports whether word is an event type that only Gatehouse may write.
func reserved(word string) bool {
	for t := Type(0); t < TypeCustom; t++ {
		if typeWords[t] == word {
			return true
		}
	}
	return false
}

// Outcome is how a request ended, as far as the choice of its event type depends on it.
type Outcome struct {
	Refused       int    // the status that Gatehouse itself answered with; 0 when it let the request pass or never saw it
	Authenticated bool   // a token was verified
	Status        int    // what the client got; 0 when nothing
	Details       string // Envoy's response.code_details; "" when unknown
}

// TypeOf chooses the event type of a request. It never answers TypeCustom or TypeAdminAction.
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

// Recorded decides whether e is written. Requests on excluded paths are left out; refusals there, real or would-be, are
// recorded all the same, and so is what an upstream or the admin API reports.
func Recorded(enabled, excluded bool, e *Event) bool {
	if !enabled || !excluded {
		return enabled
	}
	switch e.Type {
	case TypeAuthFailure, TypeAccessDenied, TypeRateLimited, TypeAdminAction, TypeCustom:
		return true
	}
	return e.Meta.Reason != "" || e.Meta.WouldBe != ""
}
