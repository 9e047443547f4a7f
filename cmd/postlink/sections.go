package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"gatehouse/cmd/postlink/module"
)

// The ids of the sections that the tool reads (WebAssembly Core Specification 2.0, 5.5.2).
const (
	importSection   = 2
	functionSection = 3
	exportSection   = 7
	codeSection     = 10
	dataSection     = 11
)

// functionKind is an import or export that is a function.
const functionKind = 0

var errModule = errors.New("not a WebAssembly module of the form that Go's linker writes")

// section is one section of a module.
type section struct {
	id      byte
	content []byte
}

// sections are a module, taken apart.
type sections struct{ all []section }

// parse takes a module apart.
func parse(b []byte) (*sections, error) {
	m := &sections{}
	err := module.Sections(b, func(id byte, content []byte) error {
		m.all = append(m.all, section{id, content})
		return nil
	})
	return m, err
}

// bytes puts the module together again.
func (m *sections) bytes() []byte {
	out := []byte(module.Header)
	for _, s := range m.all {
		out = binary.AppendUvarint(append(out, s.id), uint64(len(s.content)))
		out = append(out, s.content...)
	}
	return out
}

// section finds the first section of an id.
func (m *sections) section(id byte) (*section, error) {
	for i := range m.all {
		if m.all[i].id == id {
			return &m.all[i], nil
		}
	}
	return nil, fmt.Errorf("the module has no section %d", id)
}

// vector is a section that holds a vector: its elements are in rest, count of them.
func (m *sections) vector(id byte) (s *section, count uint64, rest []byte, err error) {
	if s, err = m.section(id); err != nil {
		return nil, 0, nil, err
	}
	r := reader{b: s.content}
	if count = r.uint(); r.failed {
		return nil, 0, nil, errModule
	}
	return s, count, r.b, nil
}

// appendElement appends an element to a section's vector.
func (m *sections) appendElement(id byte, element []byte) error {
	s, count, rest, err := m.vector(id)
	if err != nil {
		return err
	}
	content := binary.AppendUvarint(nil, count+1)
	s.content = append(append(content, rest...), element...)
	return nil
}

// importedFunctions counts the functions that the module imports: they come first in the numbering
// of functions.
func (m *sections) importedFunctions() (n uint64, err error) {
	_, count, rest, err := m.vector(importSection)
	if err != nil {
		return 0, err
	}
	r := reader{b: rest}
	for range count {
		r.bytes(r.uint())
		r.bytes(r.uint())
		if kind := r.byte(); r.failed || kind != functionKind { // Go's linker imports nothing else
			return 0, errModule
		}
		r.uint()
		n++
	}
	if r.failed {
		return 0, errModule
	}
	return n, nil
}

// export is one export of a module.
type export struct {
	name  string
	kind  byte
	index uint64
}

// exports reads the export section.
func (m *sections) exports() (out []export, err error) {
	_, count, rest, err := m.vector(exportSection)
	if err != nil {
		return nil, err
	}
	r := reader{b: rest}
	for range count {
		e := export{name: string(r.bytes(r.uint())), kind: r.byte(), index: r.uint()}
		if r.failed {
			return nil, errModule
		}
		out = append(out, e)
	}
	return out, nil
}

// setExports writes the export section.
func (m *sections) setExports(exports []export) error {
	s, err := m.section(exportSection)
	if err != nil {
		return err
	}
	s.content = binary.AppendUvarint(nil, uint64(len(exports)))
	for _, e := range exports {
		s.content = append(binary.AppendUvarint(s.content, uint64(len(e.name))), e.name...)
		s.content = binary.AppendUvarint(append(s.content, e.kind), e.index)
	}
	return nil
}

// reader reads a module's numbers and bytes. After a failure everything is zero.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) fail() { r.b, r.failed = nil, true }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > 1<<32-1 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// int32 reads a signed number (5.2.2).
func (r *reader) int32() int32 {
	var v int64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c&0x80 == 0 {
			if c&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return int32(v)
		}
	}
	r.fail()
	return 0
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}
