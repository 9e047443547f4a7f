// Package audit writes audit events: what happened to a request, one JSON object a line, safe to write whatever bytes a caller
// sent. It does no I/O.
package audit

import "strconv"

// DefaultFieldBytes is the length fields are cut at where the configuration doesn't say (audit.max_field_bytes).
const DefaultFieldBytes = 1024

// Event is what happened to one request, or what its upstream reported. Strings and slices are only read while
// AppendJSON runs, so they may alias memory that is reused afterwards. "" is unknown and becomes null.
type Event struct {
	Timestamp int64 // arrival, nanoseconds since 1970
	Type      Type
	Custom    string // the event's own word, from ParseCustom; used when Type is TypeCustom
	UserID    string
	ClientID  string
	IsM2M     bool
	Path      string // what follows the first ? or # is left out
	Method    string
	Status    int // what the client got; 0 when nothing
	IP        string
	UserAgent string
	Meta      Metadata
}

// Metadata is an event's object of the same name. Members that are "" are null, but Origin and WouldBe, which are left out.
type Metadata struct {
	EventID     string
	Reason      string // why Gatehouse refused, from the closed list of reasons
	Route       string // the route's name
	Rule        string // the rate limit that refused
	Caller      string // human, machine, unknown or anonymous
	Issuer      string
	Evidence    string // the rule that told human from machine; written as m2m_evidence
	DurationMS  int64  // from arrival to the stream's end, milliseconds; null unless HasDuration
	HasDuration bool
	RequestID   string  // x-request-id
	Origin      string  // the filter that refused in Gatehouse's stead, OriginOf
	WouldBe     string  // the reason for which enforce mode would have refused
	Extra       []Field // after the fixed members, in this order
}

// AppendJSON appends the event as one line of JSON, without the newline, to dst and returns the result. The members of
// the object are always the same eleven, in the contract's order. Each string is cut to maxField bytes (DefaultFieldBytes
// when maxField is below 1) between two characters; bytes that aren't UTF-8 become U+FFFD, and control characters and
// Unicode's line breaks are escaped, so that the result is valid JSON (RFC 8259) on exactly one line. It allocates nothing
// when dst has room and no Field carries JSON.
func (e *Event) AppendJSON(dst []byte, maxField int) []byte {
	if maxField < 1 {
		maxField = DefaultFieldBytes
	}
	word := e.Type.String()
	if e.Type == TypeCustom {
		word = e.Custom
	}
	dst = append(dst, `{"timestamp":"`...)
	dst = AppendTime(dst, e.Timestamp)
	dst = append(dst, `","event_type":`...)
	dst = appendNullable(dst, word, maxField)
	dst = append(dst, `,"user_id":`...)
	dst = appendNullable(dst, e.UserID, maxField)
	dst = append(dst, `,"client_id":`...)
	dst = appendNullable(dst, e.ClientID, maxField)
	dst = append(dst, `,"is_m2m":`...)
	dst = strconv.AppendBool(dst, e.IsM2M)
	dst = append(dst, `,"path":`...)
	dst = appendNullable(dst, WithoutQuery(e.Path), maxField)
	dst = append(dst, `,"method":`...)
	dst = appendNullable(dst, e.Method, maxField)
	dst = append(dst, `,"status_code":`...)
	if e.Status > 0 {
		dst = strconv.AppendInt(dst, int64(e.Status), 10)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"ip_address":`...)
	dst = appendNullable(dst, e.IP, maxField)
	dst = append(dst, `,"user_agent":`...)
	dst = appendNullable(dst, e.UserAgent, maxField)
	dst = append(dst, `,"metadata":`...)
	dst = e.Meta.appendJSON(dst, maxField)
	return append(dst, '}')
}

// WithoutQuery is the part of a path before the first ? or #: what an event says of it.
func WithoutQuery(path string) string {
	for i := 0; i < len(path); i++ {
		if path[i] == '?' || path[i] == '#' {
			return path[:i]
		}
	}
	return path
}
