package audit

import (
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Source is where an extra member of metadata comes from.
type Source uint8

// The sources of extra members, in the order in which they have a name.
const (
	FromClaim    Source = iota // a claim of the verified token, audit.claims
	FromHeader                 // a request header, audit.headers
	FromUpstream               // a member of the upstream's x-audit-event
)

// prefixes mark a member whose plain name is taken.
var prefixes = [...]string{FromClaim: "claim:", FromHeader: "header:", FromUpstream: "event:"}

// Field is an extra member of metadata: a configured claim or header, or what a custom event brought. One with neither Text
// nor JSON isn't written, but its name counts as taken: the configured claims that a token lacks belong there too, lest a
// header, which is the client's to choose, goes by a claim's name in just the events without the claim.
//
// A field is recorded under its own name, unless that is one of the fixed members', or a Field of an earlier Source has it,
// or it begins with one of the prefixes "claim:", "header:" and "event:". Then it is recorded with the prefix of its
// source: a claim "reason" is "claim:reason". So what has a fixed member's name is always Gatehouse's own word, and no two
// members have the same name. A second Field with the source and the name of an earlier one is left out, and so is one
// whose name isn't UTF-8.
type Field struct {
	Source Source
	Name   string
	Text   string
	// JSON is the value where it isn't a plain text. One that is longer than the limit for fields, or isn't valid JSON, is
	// recorded as a string that holds its beginning.
	JSON []byte
}

// fixed are the members of metadata that Gatehouse itself sets, in the order in which they are written.
var fixed = [...]string{
	"event_id", "reason", "route", "rule", "caller", "issuer", "m2m_evidence", "duration_ms", "request_id", "origin", "would_be",
}

func (m *Metadata) appendJSON(dst []byte, maxField int) []byte {
	dst = append(dst, `{"event_id":`...)
	dst = appendNullable(dst, m.EventID, max(maxField, len(m.EventID))) // cut, it would name several events
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
	for i := range m.Extra {
		dst = appendField(dst, m.Extra, i, maxField)
	}
	return append(dst, '}')
}

func appendMember(dst []byte, name, value string, maxField int) []byte {
	return appendNullable(append(dst, name...), value, maxField)
}

// appendField writes fields[at].
func appendField(dst []byte, fields []Field, at, maxField int) []byte {
	f := &fields[at]
	if f.Text == "" && f.JSON == nil || !utf8.ValidString(f.Name) || int(f.Source) >= len(prefixes) {
		return dst
	}
	prefix := ""
	if taken(f.Name) {
		prefix = prefixes[f.Source]
	}
	for i := range fields {
		switch o := &fields[i]; {
		case o.Name != f.Name:
		case o.Source < f.Source:
			prefix = prefixes[f.Source]
		case o.Source == f.Source && i < at:
			return dst
		}
	}
	dst = append(dst, ',')
	dst = appendQuoted(dst, prefix, f.Name)
	dst = append(dst, ':')
	if f.JSON == nil {
		return appendString(dst, f.Text, maxField)
	}
	if len(f.JSON) <= maxField {
		if compact, err := jsontext.AppendFormat(nil, f.JSON); err == nil {
			return appendJSON(dst, compact)
		}
	}
	return appendString(dst, string(f.JSON), maxField)
}

// taken reports whether a field's name can't be a member's as it is.
func taken(name string) bool {
	for _, f := range fixed {
		if f == name {
			return true
		}
	}
	for _, p := range prefixes {
		if len(name) >= len(p) && name[:len(p)] == p {
			return true
		}
	}
	return false
}
