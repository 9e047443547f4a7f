package wasm

import (
	"slices"
	"strings"

	wapi "github.com/tetratelabs/wazero/api"
)

// signature is the type of a function.
type signature struct{ params, results []wapi.ValueType }

// signatureOf reads a type that is written with a letter for each parameter and result: i for i32,
// l for i64.
func signatureOf(params, results string) signature {
	types := func(letters string) []wapi.ValueType {
		list := make([]wapi.ValueType, len(letters))
		for i, letter := range letters {
			list[i] = wapi.ValueTypeI32
			if letter == 'l' {
				list[i] = wapi.ValueTypeI64
			}
		}
		return list
	}
	return signature{types(params), types(results)}
}

func signatureOfDefinition(f wapi.FunctionDefinition) signature {
	return signature{f.ParamTypes(), f.ResultTypes()}
}

func (s signature) equal(o signature) bool {
	return slices.Equal(s.params, o.params) && slices.Equal(s.results, o.results)
}

// String writes the type as Envoy's errors do: "i32 i32 -> void".
func (s signature) String() string {
	list := func(types []wapi.ValueType) string {
		if len(types) == 0 {
			return "void"
		}
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = wapi.ValueTypeName(t)
		}
		return strings.Join(names, " ")
	}
	return list(s.params) + " -> " + list(s.results)
}
