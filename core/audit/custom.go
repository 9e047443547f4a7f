package audit

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse/core/ascii"
)

// Bounds of a custom event. An upstream that needs more can write a log of its own.
const (
	MaxCustomBytes     = 8192 // of the header's value
	maxCustomMembers   = 64
	maxCustomNameBytes = 64
	maxCustomDepth     = 16
	maxCustomTypeBytes = 64
)

var (
	errCustomSize     = errors.New("x-audit-event: longer than 8192 bytes")
	errCustomJSON     = errors.New("x-audit-event: want one JSON object in UTF-8 without duplicate members")
	errCustomDepth    = errors.New("x-audit-event: nested more than 16 deep")
	errCustomMembers  = errors.New("x-audit-event: more than 64 members")
	errCustomName     = errors.New("x-audit-event: a member's name is longer than 64 bytes")
	errCustomType     = errors.New("x-audit-event: want event_type, a string of the form [A-Za-z][A-Za-z0-9_.-]{0,63}")
	errCustomReserved = errors.New("x-audit-event: event_type is one of Gatehouse's own")
)

// ParseCustom reads the value of an upstream's x-audit-event header: one JSON object, without
// duplicate members. Its event_type has the form [A-Za-z][A-Za-z0-9_.-]{0,63} and isn't one of
// Gatehouse's own types, compared without case. All other members become extra members of the
// event's metadata. The caller and the request are Gatehouse's to describe: a member user_id
// becomes metadata.user_id and leaves the event's own user_id alone.
//
// An error is one line and quotes nothing of the header.
func ParseCustom(header string) (eventType string, fields []Field, err error) {
	if len(header) > MaxCustomBytes {
		return "", nil, errCustomSize
	}
	d := jsontext.NewDecoder(strings.NewReader(header))
	if d.PeekKind() != '{' {
		return "", nil, errCustomJSON
	}
	if _, err := d.ReadToken(); err != nil {
		return "", nil, errCustomJSON
	}
	for n := 0; ; n++ {
		token, err := d.ReadToken()
		if err != nil {
			return "", nil, errCustomJSON
		}
		if token.Kind() == '}' {
			break
		}
		name := token.String()
		value, err := readValue(d, header)
		switch {
		case err != nil:
			return "", nil, err
		case n == maxCustomMembers:
			return "", nil, errCustomMembers
		case len(name) > maxCustomNameBytes:
			return "", nil, errCustomName
		case name == "event_type":
			if eventType, err = parseCustomType(value); err != nil {
				return "", nil, err
			}
		default:
			fields = append(fields, Field{Source: FromUpstream, Name: name, JSON: value})
		}
	}
	if strings.Trim(header[d.InputOffset():], " \t\r\n") != "" {
		return "", nil, errCustomJSON
	}
	if eventType == "" {
		return "", nil, errCustomType
	}
	return eventType, fields, nil
}

// readValue reads a member's value token by token. The decoder's own ReadValue would follow any
// depth.
func readValue(d *jsontext.Decoder, header string) ([]byte, error) {
	start := d.InputOffset()
	for {
		if _, err := d.ReadToken(); err != nil {
			return nil, errCustomJSON
		}
		switch depth := d.StackDepth(); {
		case depth == 1:
			return []byte(strings.TrimLeft(header[start:d.InputOffset()], " \t\r\n:")), nil
		case depth > maxCustomDepth:
			return nil, errCustomDepth
		}
	}
}

// parseCustomType reads the value of event_type, which is never empty.
func parseCustomType(value []byte) (string, error) {
	if value[0] != '"' {
		return "", errCustomType
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil || len(text) == 0 || len(text) > maxCustomTypeBytes || !ascii.IsLetter(text[0]) {
		return "", errCustomType
	}
	for _, c := range text {
		if !isWordByte(c) {
			return "", errCustomType
		}
	}
	if isReservedType(strings.ToLower(string(text))) {
		return "", errCustomReserved
	}
	return string(text), nil
}

// isWordByte reports whether c may stand in an event type, or in the first word of Envoy's response
// code details.
func isWordByte(c byte) bool {
	return ascii.IsAlnum(c) || c == '_' || c == '.' || c == '-'
}
