// Package protobuf parses the few protobuf messages that guests pass to Envoy.
package protobuf

import "encoding/binary"

// Field is a field of a protobuf message: a varint's value, or the bytes of
// a length-delimited one.
type Field struct {
	Number uint64
	Value  uint64
	Bytes  []byte
}

// Parse parses a message that has only varint and length-delimited fields
// (https://protobuf.dev/programming-guides/encoding/); it reports false for any
// other.
func Parse(b []byte) ([]Field, bool) {
	var fields []Field
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 || tag>>3 == 0 {
			return nil, false
		}
		b = b[n:]
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, false
		}
		b = b[n:]
		f := Field{Number: tag >> 3, Value: v}
		switch tag & 7 {
		case 0:
		case 2:
			if v > uint64(len(b)) {
				return nil, false
			}
			f.Bytes, b = b[:v], b[v:]
		default:
			return nil, false
		}
		fields = append(fields, f)
	}
	return fields, true
}
