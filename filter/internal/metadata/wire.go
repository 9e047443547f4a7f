package metadata

import (
	"encoding/binary"
	"errors"
)

// Wire types of protobuf (https://protobuf.dev/programming-guides/encoding/). The groups and
// fixed32 don't occur.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
)

var errProto = errors.New("not the protobuf message that it should be")

// protoField is a field of a message: bytes if its wire type is wireBytes, else value.
type protoField struct {
	number uint64
	wire   byte
	value  uint64
	bytes  []byte
}

// nextField takes the first field off a message.
func nextField(b []byte) (f protoField, rest []byte, err error) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 == 0 {
		return f, nil, errProto
	}
	b = b[n:]
	f.number, f.wire = tag>>3, byte(tag&7)
	switch f.wire {
	case wireFixed64:
		if len(b) < 8 {
			return f, nil, errProto
		}
		f.value = binary.LittleEndian.Uint64(b)
		return f, b[8:], nil
	case wireVarint, wireBytes:
		if f.value, n = binary.Uvarint(b); n <= 0 {
			return f, nil, errProto
		}
		if b = b[n:]; f.wire == wireVarint {
			return f, b, nil
		}
		if f.value > uint64(len(b)) {
			return f, nil, errProto
		}
		f.bytes = b[:f.value:f.value]
		return f, b[f.value:], nil
	}
	return f, nil, errProto
}
