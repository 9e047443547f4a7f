// Package property walks properties and serialises them as Envoy does
// (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes).
package property

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/fields"
)

// Object is a property with members; it returns nil for a member that isn't there.
//
// The other types of values are string, []byte, bool, int64, float64, what encoding/json decodes,
// *fields.Headers and Metadata.
type Object func(name string) any

// null is a JSON null. Unlike nil it is there.
type null struct{}

// Optional is nil for the empty string.
func Optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Member returns what a path leads to from value; nil if there is nothing.
func Member(value any, path ...string) any {
	for _, name := range path {
		value = member(value, name)
	}
	return value
}

func member(value any, name string) any {
	switch v := value.(type) {
	case Object:
		return v(name)
	case Metadata:
		return v.member(name)
	case map[string]any:
		m, ok := v[name]
		if ok && m == nil {
			return null{}
		}
		return m
	case []any:
		i, err := strconv.Atoi(name)
		if err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	case *fields.Headers:
		if values := v.Values(name); len(values) > 0 {
			return strings.Join(values, ",")
		}
	}
	return nil
}

// Bytes serialises a value.
func Bytes(value any) ([]byte, abi.Status) {
	switch v := value.(type) {
	case nil:
		return nil, abi.NotFound
	case string:
		return []byte(v), abi.OK
	case []byte:
		return v, abi.OK
	case bool:
		return abi.AppendBool(nil, v), abi.OK
	case int64:
		return abi.AppendInt(nil, v), abi.OK
	case float64:
		return abi.AppendDouble(nil, v), abi.OK
	case []any:
		pairs := make([]abi.Pair, len(v))
		for i, e := range v {
			b, status := Bytes(e)
			if status != abi.OK {
				return nil, abi.SerializationFailure
			}
			pairs[i].Name = string(b)
		}
		return abi.AppendPairs(nil, pairs), abi.OK
	case map[string]any:
		pairs := make([]abi.Pair, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b, status := Bytes(member(v, name))
			if status != abi.OK {
				return nil, abi.SerializationFailure
			}
			pairs = append(pairs, abi.Pair{Name: name, Value: string(b)})
		}
		return abi.AppendPairs(nil, pairs), abi.OK
	case *fields.Headers: // a map that isn't there is empty
		return abi.AppendPairs(nil, v.All()), abi.OK
	case Metadata:
		return v.message(), abi.OK
	}
	return nil, abi.SerializationFailure
}
