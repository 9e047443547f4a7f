// Command wasmsize prints the size of a WebAssembly module and of its code section, and fails if the code section is larger
// than a limit. Envoy compiles the code section before it serves, so start-up time follows it; the rest is data.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// codeSection is the code section's id (WebAssembly Core Specification 2.0, 5.5.2).
const codeSection = 10

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: wasmsize MODULE LIMIT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "wasmsize:", err)
		os.Exit(1)
	}
}

func run(path, limit string) error {
	most, err := strconv.Atoi(limit)
	if err != nil {
		return err
	}
	module, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	code, err := codeSize(module)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	fmt.Printf("%d bytes, of which %d are code, at most %d\n", len(module), code, most)
	if code > most {
		return fmt.Errorf("%s: the code section has %d bytes, want at most %d", path, code, most)
	}
	return nil
}

var errModule = errors.New("not a WebAssembly module")

// codeSize returns the size of the code section's content, 0 if there is none.
func codeSize(module []byte) (int, error) {
	if len(module) < 8 || string(module[:4]) != "\x00asm" {
		return 0, errModule
	}
	for rest := module[8:]; len(rest) > 0; {
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return 0, errModule
		}
		if rest[0] == codeSection {
			return int(size), nil
		}
		rest = rest[1+n+int(size):]
	}
	return 0, nil
}
