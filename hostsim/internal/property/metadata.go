package property

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
)

// Metadata is the dynamic metadata of a stream: values by filter, then key. It is the one structure
// that Envoy serialises, as a protobuf message.
type Metadata map[string]map[string]any

// member returns a field of the message. Only filter_metadata has values here.
func (m Metadata) member(name string) any {
	if name != "filter_metadata" {
		return nil
	}
	return Object(func(filter string) any {
		if values, ok := m[filter]; ok {
			return values
		}
		return nil
	})
}

// message serialises the metadata as envoy.config.core.v3.Metadata.
func (m Metadata) message() []byte {
	var b []byte
	for _, filter := range slices.Sorted(maps.Keys(m)) {
		b = appendMapEntry(b, filter, protoStruct(m[filter]))
	}
	return b
}

// protoStruct serialises a google.protobuf.Struct.
func protoStruct(fields map[string]any) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		b = appendMapEntry(b, name, protoValue(fields[name]))
	}
	return b
}

// protoValue serialises a google.protobuf.Value.
func protoValue(value any) []byte {
	switch v := value.(type) {
	case float64:
		return binary.LittleEndian.AppendUint64([]byte{2<<3 | 1}, math.Float64bits(v))
	case string:
		return appendLengthDelimited(nil, 3, []byte(v))
	case bool:
		b := []byte{4 << 3, 0}
		if v {
			b[1] = 1
		}
		return b
	case map[string]any:
		return appendLengthDelimited(nil, 5, protoStruct(v))
	case []any:
		var list []byte
		for _, e := range v {
			list = appendLengthDelimited(list, 1, protoValue(e))
		}
		return appendLengthDelimited(nil, 6, list)
	}
	return []byte{1 << 3, 0} // null
}

// appendMapEntry appends an entry of the map that is field 1 of a message.
func appendMapEntry(dst []byte, key string, value []byte) []byte {
	entry := appendLengthDelimited(nil, 1, []byte(key))
	return appendLengthDelimited(dst, 1, appendLengthDelimited(entry, 2, value))
}

func appendLengthDelimited(dst []byte, field byte, value []byte) []byte {
	dst = append(dst, field<<3|2)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}
