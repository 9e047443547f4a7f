package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

const allocate = "proxy_on_memory_allocate"

// The instructions of the new allocator (WebAssembly Core Specification 2.0, 5.4).
const (
	opIf       = 0x04
	opEnd      = 0x0b
	opReturn   = 0x0f
	opCall     = 0x10
	opLocalGet = 0x20
	opLocalTee = 0x22
	opLoad     = 0x28
	opStore    = 0x36
	opConst    = 0x41
	opLeU      = 0x4d
	opAdd      = 0x6a
	opSub      = 0x6b
	opAnd      = 0x71

	typeI32   = 0x7f
	typeEmpty = 0x40
	align4    = 2
)

// serveFromArena makes the export that the proxy asks for memory hand out an arena's, as long as
// there is room, and else call the function that Go exports. The arena's header is a variable of
// the module, which begins with mark; behind it are two 32-bit addresses, of the next free byte and
// of the arena's end. Only the code of the module sets them otherwise.
func serveFromArena(m *sections, mark []byte) error {
	address, err := m.addressOf(mark)
	if err != nil {
		return err
	}
	exports, err := m.exports()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(exports, func(e export) bool { return e.name == allocate && e.kind == functionKind })
	if i < 0 {
		return fmt.Errorf("the module doesn't export %s", allocate)
	}
	imported, err := m.importedFunctions()
	if err != nil {
		return err
	}
	_, own, types, err := m.vector(functionSection)
	if err != nil {
		return err
	}
	if exports[i].index < imported {
		return fmt.Errorf("%s is an import", allocate)
	}
	r := reader{b: types} // of the module's own functions
	var typ uint64
	for range exports[i].index - imported + 1 {
		typ = r.uint()
	}
	if r.failed {
		return errModule
	}
	body := allocator(uint32(address+len(mark)), exports[i].index)
	if err := m.appendElement(functionSection, binary.AppendUvarint(nil, typ)); err != nil {
		return err
	}
	if err := m.appendElement(codeSection, append(binary.AppendUvarint(nil, uint64(len(body))), body...)); err != nil {
		return err
	}
	exports[i].index = imported + own
	return m.setExports(exports)
}

// allocator is the body of
//
//	func(size u32) u32 {
//		p := next
//		if p <= end && size <= end-p {
//			next = (p + size + 7) &^ 7
//			return p
//		}
//		return original(size)
//	}
//
// next is at the address of the arena's variables, end 4 bytes behind it.
func allocator(variables uint32, original uint64) []byte {
	const size, p = 0, 1 // the parameter and the local variable
	b := []byte{1, 1, typeI32}
	number := func(v uint32) { b = appendInt32(append(b, opConst), int32(v)) }
	load := func(offset byte) { b = append(b, opLoad, align4, offset) }
	number(variables)
	load(0)
	b = append(b, opLocalTee, p)
	number(variables)
	load(4)
	b = append(b, opLeU, opLocalGet, size)
	number(variables)
	load(4)
	b = append(b, opLocalGet, p, opSub, opLeU, opAnd, opIf, typeEmpty)
	number(variables)
	b = append(b, opLocalGet, p, opLocalGet, size, opAdd)
	number(7)
	b = append(b, opAdd)
	number(^uint32(7))
	b = append(b, opAnd, opStore, align4, 0, opLocalGet, p, opReturn, opEnd, opLocalGet, size, opCall)
	b = binary.AppendUvarint(b, original)
	return append(b, opEnd)
}

// addressOf finds bytes in the module's initial memory, where they must be exactly once.
func (m *sections) addressOf(mark []byte) (int, error) {
	_, count, rest, err := m.vector(dataSection)
	if err != nil {
		return 0, err
	}
	r := reader{b: rest}
	found := -1
	for range count {
		if r.byte() != 0 || r.byte() != opConst { // active, at a constant address
			return 0, errModule
		}
		base := int(uint32(r.int32()))
		if r.byte() != opEnd {
			return 0, errModule
		}
		data := r.bytes(r.uint())
		if r.failed {
			return 0, errModule
		}
		for from := 0; ; {
			i := bytes.Index(data[from:], mark)
			if i < 0 {
				break
			}
			if found >= 0 {
				return 0, errors.New("the arena's mark is in the module twice")
			}
			found = base + from + i
			from += i + 1
		}
	}
	if found < 0 {
		return 0, errors.New("the module has no arena")
	}
	return found, nil
}

// appendInt32 appends a signed number (5.2.2).
func appendInt32(b []byte, v int32) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}
