package audit

import (
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Source says where an extra member of metadata comes from.
type Source uint8

// The sources of extra members. If two sources use one name, the earlier source keeps it.
const (
	FromClaim    Source = iota // a claim of the verified token, audit.claims
	FromHeader                 // a request header, audit.headers
	FromUpstream               // a member of the upstream's x-audit-event
)

// sourcePrefixes mark a member whose plain name belongs to an earlier source or a fixed member.
var sourcePrefixes = [...]string{FromClaim: "claim:", FromHeader: "header:", FromUpstream: "event:"}

// Field is an extra member of metadata: a configured claim or header, or a member of a custom
// event.
//
// A Field has its own name in metadata unless that name is a fixed member's, a Field of an earlier
// Source has it, or it begins with one of the prefixes "claim:", "header:" and "event:". Then it is
// written with the prefix of its source: a claim "reason" becomes "claim:reason". So a member with
// a fixed member's name always has Gatehouse's own value, and no two members have the same name. A
// second Field with the same source and name is left out, and so is a Field whose name isn't UTF-8.
//
// A Field without Text and JSON isn't written, but it reserves its name. List the configured claims
// that a token lacks this way. Otherwise a header, which the client chooses, would take the name of
// a claim in exactly the events that lack the claim.
type Field struct {
	Source Source
	Name   string
	Text   string
	// JSON is the value if it isn't a plain text. A JSON value that is longer than the limit for
	// fields, or isn't valid JSON, is written as a string that holds its beginning.
	JSON []byte
}

// fixedMembers are the members of metadata that Gatehouse itself sets, in the order in which they
// are written.
var fixedMembers = [...]string{
	"event_id", "reason", "route", "rule", "caller", "issuer", "m2m_evidence", "duration_ms", "request_id", "origin", "would_be",
	"required", "grpc_status", "phase", "open_event_id",
}

func (m *Metadata) appendJSON(dst []byte, maxField int) []byte {
	dst = append(dst, `{"event_id":`...)
	// The id isn't cut: several events would share a cut one.
	dst = appendStringOrNull(dst, m.EventID, max(maxField, len(m.EventID)))
	dst = appendMember(dst, `,"reason":`, m.Reason, maxField)
	dst = appendMember(dst, `,"route":`, m.Route, maxField)
	dst = appendMember(dst, `,"rule":`, m.Rule, maxField)
	dst = appendMember(dst, `,"caller":`, m.Caller, maxField)
	dst = appendMember(dst, `,"issuer":`, m.Issuer, maxField)
	dst = appendMember(dst, `,"m2m_evidence":`, m.Evidence, maxField)
	dst = append(dst, `,"duration_ms":`...)
	if m.HasDuration {
		dst = strconv.AppendInt(dst, m.DurationMS, 10)
	} else {
		dst = append(dst, "null"...)
	}
	dst = appendMember(dst, `,"request_id":`, m.RequestID, maxField)
	if m.Origin != "" {
		dst = appendMember(dst, `,"origin":`, m.Origin, maxField)
	}
	if m.WouldBe != "" {
		dst = appendMember(dst, `,"would_be":`, m.WouldBe, maxField)
	}
	if len(m.Required) > 0 {
		dst = append(append(dst, `,"required":`...), m.Required...)
	}
	if m.HasGRPCStatus {
		dst = strconv.AppendInt(append(dst, `,"grpc_status":`...), int64(m.GRPCStatus), 10)
	}
	if m.Phase != "" {
		dst = appendMember(dst, `,"phase":`, m.Phase, maxField)
	}
	if m.OpenEventID != "" {
		dst = appendMember(dst, `,"open_event_id":`, m.OpenEventID, max(maxField, len(m.OpenEventID)))
	}
	for i := range m.Extra {
		dst = appendField(dst, m.Extra, i, maxField)
	}
	return append(dst, '}')
}

// appendMember appends a member; name is `,"NAME":`.
func appendMember(dst []byte, name, value string, maxField int) []byte {
	return appendStringOrNull(append(dst, name...), value, maxField)
}

// appendField appends fields[at] as a member.
func appendField(dst []byte, fields []Field, at, maxField int) []byte {
	f := &fields[at]
	if f.Text == "" && f.JSON == nil || !utf8.ValidString(f.Name) || int(f.Source) >= len(sourcePrefixes) {
		return dst
	}
	prefix, repeated := memberPrefix(fields, at)
	if repeated {
		return dst
	}
	dst = append(dst, ',')
	dst = appendQuoted(dst, prefix, f.Name)
	dst = append(dst, ':')
	if f.JSON == nil {
		return appendString(dst, f.Text, maxField)
	}
	if len(f.JSON) <= maxField && jsontext.Value(f.JSON).IsValid() {
		return appendJSON(dst, f.JSON)
	}
	return appendString(dst, string(f.JSON), maxField)
}

// memberPrefix returns the prefix that the name of fields[at] needs, "" for none. repeated is true
// if an earlier Field has the same source and name.
func memberPrefix(fields []Field, at int) (prefix string, repeated bool) {
	f := &fields[at]
	if isReservedName(f.Name) {
		prefix = sourcePrefixes[f.Source]
	}
	for i := range fields {
		switch other := &fields[i]; {
		case other.Name != f.Name:
		case other.Source < f.Source:
			prefix = sourcePrefixes[f.Source]
		case other.Source == f.Source && i < at:
			return "", true
		}
	}
	return prefix, false
}

// isReservedName reports whether no extra member may have the name without a prefix.
func isReservedName(name string) bool {
	for _, member := range fixedMembers {
		if member == name {
			return true
		}
	}
	for _, prefix := range sourcePrefixes {
		if len(name) >= len(prefix) && name[:len(prefix)] == prefix {
			return true
		}
	}
	return false
}
