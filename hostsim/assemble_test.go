package hostsim_test

import "slices"

// assembly is a WebAssembly module written by hand, for filters that no compiler
// would make (https://webassembly.github.io/spec/core/binary/). Its imports come
// first in the numbering of functions.
type assembly struct {
	imports []importedFunc
	funcs   []exportedFunc
	// data lies at dataAt in the memory, whose size is in pages.
	data  string
	pages int
	// hideMemory leaves the memory out of the exports; importMemory takes it from
	// the host.
	hideMemory, importMemory bool
}

// funcType lists parameters and results, a letter each: i is an i32, l an i64.
type funcType struct{ params, results string }

type importedFunc struct {
	module, name string
	funcType
}

type exportedFunc struct {
	name string
	funcType
	code []byte
}

const dataAt = 16

// The instructions that the tests need.
const opUnreachable, opEnd, opDrop = 0x00, 0x0b, 0x1a

func call(i int) []byte { return append([]byte{0x10}, uleb(i)...) }

// i32 is a constant.
func i32(v int) []byte {
	code := []byte{0x41}
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(code, b)
		}
		code = append(code, b|0x80)
	}
}

// callWith calls function i with constants and drops its result.
func callWith(i int, args ...int) []byte {
	var code []byte
	for _, arg := range args {
		code = append(code, i32(arg)...)
	}
	return append(append(code, call(i)...), opDrop)
}

func uleb(v int) []byte {
	var b []byte
	for ; v > 0x7f; v >>= 7 {
		b = append(b, byte(v&0x7f)|0x80)
	}
	return append(b, byte(v))
}

func sized(content []byte) []byte { return append(uleb(len(content)), content...) }

func vector(items ...[]byte) []byte {
	return append(uleb(len(items)), slices.Concat(items...)...)
}

func (t funcType) encode() []byte {
	types := func(letters string) []byte {
		b := uleb(len(letters))
		for _, letter := range letters {
			b = append(b, map[rune]byte{'i': 0x7f, 'l': 0x7e}[letter])
		}
		return b
	}
	return slices.Concat([]byte{0x60}, types(t.params), types(t.results))
}

// wasm writes the module. Each function has a type of its own.
func (a assembly) wasm() []byte {
	name := func(s string) []byte { return sized([]byte(s)) }
	section := func(id byte, content []byte) []byte { return append([]byte{id}, sized(content)...) }
	var types, imports, funcs, exports, code [][]byte
	for i, f := range a.imports {
		types = append(types, f.encode())
		imports = append(imports, slices.Concat(name(f.module), name(f.name), []byte{0}, uleb(i)))
	}
	for i, f := range a.funcs {
		index := uleb(len(a.imports) + i)
		types = append(types, f.encode())
		funcs = append(funcs, index)
		exports = append(exports, slices.Concat(name(f.name), []byte{0}, index))
		code = append(code, sized(slices.Concat([]byte{0}, f.code, []byte{opEnd})))
	}
	memory := append([]byte{0}, uleb(a.pages)...)
	var memories [][]byte
	if a.importMemory {
		imports = append(imports, slices.Concat(name("env"), name("memory"), []byte{2}, memory))
	} else {
		memories = append(memories, memory)
	}
	if !a.hideMemory {
		exports = append(exports, slices.Concat(name("memory"), []byte{2, 0}))
	}
	return slices.Concat(
		[]byte{0, 'a', 's', 'm', 1, 0, 0, 0},
		section(1, vector(types...)),
		section(2, vector(imports...)),
		section(3, vector(funcs...)),
		section(5, vector(memories...)),
		section(7, vector(exports...)),
		section(10, vector(code...)),
		section(11, vector(slices.Concat([]byte{0}, i32(dataAt), []byte{opEnd}, name(a.data)))),
	)
}
