package auditreport

import (
	"github.com/tidwall/gjson"
)

// event is what the report reads of an audit event. The strings alias one copy of the line.
type event struct {
	time, eventType        string
	userID, clientID, ip   string
	id, reason, route      string
	caller, issuer         string
	origin, wouldBe, phase string
	dropped                uint64
	hasMetadata            bool
}

// parse reads an event. ok is false if it isn't one JSON object with metadata.
func (e *event) parse(line []byte) (ok bool) {
	*e = event{}
	if !gjson.ValidBytes(line) {
		return false
	}
	gjson.ParseBytes(line).ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "timestamp":
			e.time = value.Str
		case "event_type":
			e.eventType = value.Str
		case "user_id":
			e.userID = value.Str
		case "client_id":
			e.clientID = value.Str
		case "ip_address":
			e.ip = value.Str
		case "metadata":
			e.hasMetadata = value.IsObject()
			value.ForEach(e.member)
		}
		return true
	})
	return e.hasMetadata && e.eventType != ""
}

// member reads a member of metadata.
func (e *event) member(name, value gjson.Result) bool {
	switch name.Str {
	case "event_id":
		e.id = value.Str
	case "reason":
		e.reason = value.Str
	case "route":
		e.route = value.Str
	case "caller":
		e.caller = value.Str
	case "issuer":
		e.issuer = value.Str
	case "origin":
		e.origin = value.Str
	case "would_be":
		e.wouldBe = value.Str
	case "phase":
		e.phase = value.Str
	case "dropped":
		e.dropped = value.Uint()
	}
	return true
}

// isRequest reports whether the event is the end of a request. Each request has one such event;
// custom events, the openings of long streams and audit_gap are in addition.
func (e *event) isRequest() bool {
	switch e.eventType {
	case "auth_success", "auth_failure", "access_denied", "rate_limited", "request", "request_error":
		return e.phase != "open"
	}
	return false
}

// refusal returns why the request was refused, or in observe mode would have been. by is the other
// filter that refused it, if it was one.
func (e *event) refusal() (reason, by string, refused, wouldBe bool) {
	switch {
	case e.reason != "":
		return e.reason, "", true, false
	case e.origin != "":
		return "", e.origin, true, false
	case e.wouldBe != "":
		return e.wouldBe, "", false, true
	}
	return "", "", false, false
}
