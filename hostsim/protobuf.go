package hostsim

import "encoding/binary"

// protoField is a field of a protobuf message: a varint's value, or the bytes of
// a length-delimited one.
type protoField struct {
	number uint64
	value  uint64
	bytes  []byte
}

// protoFields parses a message that has only varint and length-delimited fields
// (https://protobuf.dev/programming-guides/encoding/); it reports false for any
// other.
func protoFields(b []byte) ([]protoField, bool) {
	var fields []protoField
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
		f := protoField{number: tag >> 3, value: v}
		switch tag & 7 {
		case 0:
		case 2:
			if v > uint64(len(b)) {
				return nil, false
			}
			f.bytes, b = b[:v], b[v:]
		default:
			return nil, false
		}
		fields = append(fields, f)
	}
	return fields, true
}
