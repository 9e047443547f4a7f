// Package module reads and writes the sections of a WebAssembly module (Core Specification 2.0,
// 5.5).
package module

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// VersionSection is the name of the custom section that holds the filter's version, as bare text.
const VersionSection = "gatehouse.version"

// Ids of sections (Core Specification 2.0, 5.5.2).
const (
	customSection = 0
	codeSection   = 10
)

// Header begins a module of version 1.
const Header = "\x00asm\x01\x00\x00\x00"

// ErrFormat says that the bytes are not a WebAssembly module of version 1.
var ErrFormat = errors.New("not a WebAssembly module")

// CodeSize is the size of the code section's content in bytes, 0 if there is none.
func CodeSize(module []byte) (size int, err error) {
	err = Sections(module, func(id byte, content []byte) error {
		if id == codeSection {
			size = len(content)
		}
		return nil
	})
	return size, err
}

// Custom returns the content of a custom section. found is false if no section has this name. Two
// sections of the same name are an error.
func Custom(module []byte, name string) (content []byte, found bool, err error) {
	err = Sections(module, func(id byte, section []byte) error {
		if id != customSection {
			return nil
		}
		size, n := binary.Uvarint(section)
		if n <= 0 || size > uint64(len(section)-n) {
			return ErrFormat
		}
		section = section[n:]
		if string(section[:size]) != name {
			return nil
		}
		if found {
			return fmt.Errorf("two custom sections are named %q", name)
		}
		content, found = section[size:], true
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return content, found, nil
}

// WithCustom returns the module with one more custom section, at its end. A section of the same
// name is an error.
func WithCustom(module []byte, name string, content []byte) ([]byte, error) {
	_, found, err := Custom(module, name)
	if err != nil {
		return nil, err
	}
	if found {
		return nil, fmt.Errorf("the module has a custom section %q already", name)
	}
	section := binary.AppendUvarint(nil, uint64(len(name)))
	section = append(append(section, name...), content...)
	out := append([]byte(nil), module...)
	out = binary.AppendUvarint(append(out, customSection), uint64(len(section)))
	return append(out, section...), nil
}

// Sections calls do with each section's id and content, in order, until do returns an error.
func Sections(module []byte, do func(id byte, content []byte) error) error {
	if !strings.HasPrefix(string(module[:min(len(module), len(Header))]), Header) {
		return ErrFormat
	}
	for rest := module[len(Header):]; len(rest) > 0; {
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return ErrFormat
		}
		begin := 1 + n
		if err := do(rest[0], rest[begin:begin+int(size)]); err != nil {
			return err
		}
		rest = rest[begin+int(size):]
	}
	return nil
}
