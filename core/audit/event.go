// Package audit writes audit events: one JSON object a line for each request, valid whatever bytes
// a caller sent. It does no I/O.
package audit

import (
	"strconv"

	"gatehouse/core/clock"
)

// DefaultFieldBytes is the length that fields are cut to when the configuration doesn't set
// audit.max_field_bytes.
const DefaultFieldBytes = 1024

// Event describes what happened to one request, or what the request's upstream reported. The
// strings and slices are read only while AppendJSON runs, so they may alias memory that is reused
// afterwards. An empty string means that the value is unknown; it is written as null.
type Event struct {
	Timestamp clock.Wall // arrival of the request
	Type      Type
	Custom    string // the event_type of a custom event, from ParseCustom; read when Type is TypeCustom
	UserID    string
	ClientID  string
	IsM2M     bool
	Path      string // written without the query: it is cut at the first ? or #
	Method    string
	Status    int // the status that the client got; 0 if it got no response
	IP        string
	UserAgent string
	Meta      Metadata
}

// Metadata is the event's metadata object. An empty member is written as null; an empty Origin,
// WouldBe or Required is left out.
type Metadata struct {
	EventID       string
	Reason        string // the reason for Gatehouse's refusal, from the closed list of reasons
	Route         string // the route's name
	Rule          string // the name of the rate limit that refused
	Caller        string // human, machine, unknown or anonymous
	Issuer        string
	Evidence      string // the rule that told humans from machines; written as m2m_evidence
	DurationMS    int64  // from the request's arrival to the stream's end, milliseconds; null unless HasDuration
	HasDuration   bool
	RequestID     string // the x-request-id header
	Origin        string // the other filter that refused the request, from OriginOf
	GRPCStatus    int    // what the client of a gRPC request got; left out unless HasGRPCStatus
	HasGRPCStatus bool
	WouldBe       string  // in observe mode: the reason for which enforce mode would have refused
	Required      []byte  // what a caller lacked of the route's requirement, a JSON object; written whole
	Phase         string  // "open" for an event at a request's admission; left out at its end
	OpenEventID   string  // at a request's end: the id of its event at the admission; left out if there is none
	Extra         []Field // written after the fixed members, in this order
}

// AppendJSON appends the event to dst as one line of JSON, without the newline, and returns the
// result. The object always has the same eleven members in the same order. Each string is cut to
// maxField bytes (DefaultFieldBytes if maxField is below 1), never within a character. Bytes that
// aren't UTF-8 become U+FFFD. Control characters and Unicode's line breaks are escaped. So the
// result is always valid JSON (RFC 8259) on exactly one line. AppendJSON allocates nothing if dst
// has room and no Field has a JSON value.
func (e *Event) AppendJSON(dst []byte, maxField int) []byte {
	if maxField < 1 {
		maxField = DefaultFieldBytes
	}
	eventType := e.Type.String()
	if e.Type == TypeCustom {
		eventType = e.Custom
	}
	dst = append(dst, `{"timestamp":"`...)
	dst = AppendTime(dst, e.Timestamp)
	dst = append(dst, `","event_type":`...)
	dst = appendStringOrNull(dst, eventType, maxField)
	dst = append(dst, `,"user_id":`...)
	dst = appendStringOrNull(dst, e.UserID, maxField)
	dst = append(dst, `,"client_id":`...)
	dst = appendStringOrNull(dst, e.ClientID, maxField)
	dst = append(dst, `,"is_m2m":`...)
	dst = strconv.AppendBool(dst, e.IsM2M)
	dst = append(dst, `,"path":`...)
	dst = appendStringOrNull(dst, WithoutQuery(e.Path), maxField)
	dst = append(dst, `,"method":`...)
	dst = appendStringOrNull(dst, e.Method, maxField)
	dst = append(dst, `,"status_code":`...)
	if e.Status > 0 {
		dst = strconv.AppendInt(dst, int64(e.Status), 10)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"ip_address":`...)
	dst = appendStringOrNull(dst, e.IP, maxField)
	dst = append(dst, `,"user_agent":`...)
	dst = appendStringOrNull(dst, e.UserAgent, maxField)
	dst = append(dst, `,"metadata":`...)
	dst = e.Meta.appendJSON(dst, maxField)
	return append(dst, '}')
}

// WithoutQuery returns the part of a path before the first ? or #, which is what an event records.
func WithoutQuery(path string) string {
	for i := 0; i < len(path); i++ {
		if path[i] == '?' || path[i] == '#' {
			return path[:i]
		}
	}
	return path
}
