// Package metadata reads the claims that another filter of the proxy verified and left in the
// stream's dynamic metadata, such as Envoy's jwt_authn. It is given the bytes of Envoy's property
// "metadata": a protobuf message that says each value's type, unlike the properties below it, whose
// bytes are the same for true and "\u0001" and for ["a"] and {"a": ""}. Whatever the message
// doesn't say for sure is a malformed token.
package metadata

import (
	"errors"
	"math"

	"gatehouse/core"
	"gatehouse/core/claims"
	"gatehouse/core/reason"
)

// Source is where a provider's claims are, as its claims_from has it.
type Source struct {
	Filter          string // whose metadata it is
	Key             string // of the claims, an object
	FailedStatusKey string // of the status of a token that the filter refused; "" if the configuration has none
}

// Numbers of fields: of envoy.config.core.v3.Metadata, of a map's entries, and of google.protobuf's
// Struct, Value and ListValue (struct.proto).
const (
	mapField   = 1 // Metadata.filter_metadata and Struct.fields
	entryKey   = 1
	entryValue = 2
	listValues = 1

	nullValue   = 1
	numberValue = 2
	stringValue = 3
	boolValue   = 4
	structValue = 5
	listValue   = 6
)

var (
	errTwice  = errors.New("the same key twice")
	errValue  = errors.New("not a google.protobuf.Value")
	errObject = errors.New("not an object")
	errDepth  = errors.New("nested too deeply")
)

// Read says what the filter found out about the request's token. message is an
// envoy.config.core.v3.Metadata.
func (s *Source) Read(message []byte) core.ExternalClaims {
	found, err := s.read(message)
	if err != nil {
		return core.ExternalClaims{Failure: reason.MalformedToken}
	}
	return found
}

func (s *Source) read(message []byte) (core.ExternalClaims, error) {
	filter, err := mapEntry(message, s.Filter)
	if filter == nil || err != nil {
		return core.ExternalClaims{}, err
	}
	payload, err := mapEntry(filter, s.Key)
	if err != nil {
		return core.ExternalClaims{}, err
	}
	if payload != nil {
		return readClaims(payload)
	}
	if s.FailedStatusKey == "" {
		return core.ExternalClaims{}, nil
	}
	status, err := mapEntry(filter, s.FailedStatusKey)
	if status == nil || err != nil {
		return core.ExternalClaims{}, err
	}
	code, err := failureCode(status)
	return core.ExternalClaims{Failure: core.JWTStatus(code)}, err
}

// readClaims reads the claims from a google.protobuf.Value.
func readClaims(value []byte) (core.ExternalClaims, error) {
	if f, rest, err := nextField(value); err != nil || f.number != structValue || f.wire != wireBytes || len(rest) > 0 {
		return core.ExternalClaims{}, errObject
	}
	doc, err := appendValue(make([]byte, 0, 2*len(value)), value, 0)
	if err != nil {
		return core.ExternalClaims{}, err
	}
	set, err := claims.Parse(doc)
	return core.ExternalClaims{Present: err == nil, Claims: set}, err
}

// failureCode reads the member code of a failure status.
func failureCode(status []byte) (float64, error) {
	f, rest, err := nextField(status)
	if err != nil || f.number != structValue || f.wire != wireBytes || len(rest) > 0 {
		return 0, errObject
	}
	code, err := mapEntry(f.bytes, "code")
	if err != nil {
		return 0, err
	}
	f, rest, err = nextField(code)
	if err != nil || f.number != numberValue || f.wire != wireFixed64 || len(rest) > 0 {
		return 0, errValue
	}
	return math.Float64frombits(f.value), nil
}

// mapEntry finds the value of a key in the map that is field 1 of a message; nil if the map lacks
// it. An empty value isn't nil.
func mapEntry(message []byte, key string) (value []byte, err error) {
	for len(message) > 0 {
		var f protoField
		if f, message, err = nextField(message); err != nil {
			return nil, err
		}
		if f.number != mapField {
			continue
		}
		k, v, err := splitEntry(f)
		if err != nil {
			return nil, err
		}
		if string(k) != key {
			continue
		}
		if value != nil {
			return nil, errTwice
		}
		value = v
	}
	return value, nil
}

// splitEntry takes an entry of a map apart. A part that is left out is empty (proto3).
func splitEntry(entry protoField) (key, value []byte, err error) {
	if entry.wire != wireBytes {
		return nil, nil, errProto
	}
	value = []byte{}
	seen := [3]bool{}
	for b := entry.bytes; len(b) > 0; {
		var f protoField
		if f, b, err = nextField(b); err != nil {
			return nil, nil, err
		}
		if f.wire != wireBytes || f.number > entryValue || seen[f.number] {
			return nil, nil, errProto
		}
		seen[f.number] = true
		if f.number == entryKey {
			key = f.bytes
		} else {
			value = f.bytes
		}
	}
	return key, value, nil
}

// appendValue appends a google.protobuf.Value as JSON. Duplicate members are left for the parser of
// the claims to refuse.
func appendValue(dst, value []byte, depth int) ([]byte, error) {
	f, rest, err := nextField(value)
	if err != nil || len(rest) > 0 { // exactly one member of the oneof
		return nil, errValue
	}
	switch {
	case f.number == nullValue && f.wire == wireVarint:
		return append(dst, "null"...), nil
	case f.number == numberValue && f.wire == wireFixed64:
		return appendNumber(dst, math.Float64frombits(f.value))
	case f.number == stringValue && f.wire == wireBytes:
		return appendText(dst, f.bytes)
	case f.number == boolValue && f.wire == wireVarint && f.value == 1:
		return append(dst, "true"...), nil
	case f.number == boolValue && f.wire == wireVarint && f.value == 0:
		return append(dst, "false"...), nil
	case depth == claims.MaxDepth:
		return nil, errDepth
	case f.number == structValue && f.wire == wireBytes:
		return appendObject(dst, f.bytes, depth+1)
	case f.number == listValue && f.wire == wireBytes:
		return appendList(dst, f.bytes, depth+1)
	}
	return nil, errValue
}

func appendObject(dst, message []byte, depth int) ([]byte, error) {
	dst = append(dst, '{')
	for first := true; len(message) > 0; first = false {
		f, rest, err := nextField(message)
		if err != nil || f.number != mapField {
			return nil, errProto
		}
		message = rest
		key, value, err := splitEntry(f)
		if err != nil {
			return nil, err
		}
		if !first {
			dst = append(dst, ',')
		}
		if dst, err = appendText(dst, key); err != nil {
			return nil, err
		}
		if dst, err = appendValue(append(dst, ':'), value, depth); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendList(dst, message []byte, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for first := true; len(message) > 0; first = false {
		f, rest, err := nextField(message)
		if err != nil || f.number != listValues || f.wire != wireBytes {
			return nil, errProto
		}
		message = rest
		if !first {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(dst, f.bytes, depth); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}
