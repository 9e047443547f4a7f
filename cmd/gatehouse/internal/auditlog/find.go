// Package auditlog finds audit events in files: one event a line, alone or behind the prefix of
// Envoy's log.
package auditlog

import "bytes"

// Kind says what a line of a file is.
type Kind uint8

// The kinds of lines.
const (
	Other   Kind = iota // no audit event: Envoy's log has many such lines
	Found               // an audit event
	Damaged             // a part of an audit event, or one that was changed beyond recognition
)

var (
	start     = []byte(`{"timestamp":"`)
	eventType = []byte(`","event_type":"`)
	chain     = []byte(`,"chain":{"key_id":"`)
)

// startBytes is the length of an event before `","event_type":"`.
const startBytes = len(`{"timestamp":"2006-01-02T15:04:05.000000Z`)

// Find returns the audit event in a line of a file, without the newline. The event is Found by its
// first two members, which no other JSON object in Envoy's log has in this form. What follows them
// isn't checked.
func Find(line []byte) (event []byte, kind Kind) {
	at := bytes.Index(line, eventType)
	if at >= startBytes && bytes.HasPrefix(line[at-startBytes:], start) {
		return line[at-startBytes:], Found
	}
	if at >= 0 || bytes.Contains(line, chain) {
		return nil, Damaged
	}
	return nil, Other
}
