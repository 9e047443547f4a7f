// Command wasmlink finishes the filter's module after Go's linker: it
//
//   - makes the proxy take the memory for what its calls return from an arena of the module's (package
//     filter/internal/host), instead of entering Go's allocator for each;
//   - leaves out the exports of callbacks that the filter has no use for, so that the proxy doesn't call them;
//   - prints the module's size and that of its code section, and fails if the code is larger than a limit: Envoy compiles
//     the code before it serves, so start-up time follows it.
//
// A module that has not been through it works too, slower.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	limit := flag.Int("max-code", 0, "fail if the code section has more bytes; 0 for any size")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: wasmlink [-max-code BYTES] MODULE")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *limit); err != nil {
		fmt.Fprintln(os.Stderr, "wasmlink:", err)
		os.Exit(1)
	}
}

func run(path string, limit int) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	m, err := parse(before)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := finish(m); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	after := m.bytes()
	code := m.codeSize()
	fmt.Printf("%d bytes, of which %d are code", len(after), code)
	if limit > 0 {
		fmt.Printf(", at most %d", limit)
	}
	fmt.Println()
	if limit > 0 && code > limit {
		return fmt.Errorf("%s: the code section has %d bytes, want at most %d", path, code, limit)
	}
	return os.WriteFile(path, after, 0o644)
}

// arenaMark begins the arena's header in package filter/internal/host.
const arenaMark = "gatehouse: arena"

// finish changes what is changed.
func finish(m *module) error {
	if err := serveFromArena(m, []byte(arenaMark)); err != nil {
		return err
	}
	return dropExports(m)
}

// unused are callbacks that the SDK exports and the filter leaves to their defaults, which do nothing.
var unused = map[string]bool{
	"proxy_on_response_body":               true,
	"proxy_on_new_connection":              true,
	"proxy_on_downstream_data":             true,
	"proxy_on_downstream_connection_close": true,
	"proxy_on_upstream_data":               true,
	"proxy_on_upstream_connection_close":   true,
	"proxy_on_queue_ready":                 true,
}

// dropExports removes the exports of unused callbacks.
func dropExports(m *module) error {
	exports, err := m.exports()
	if err != nil {
		return err
	}
	kept := exports[:0]
	for _, e := range exports {
		if !unused[e.name] {
			kept = append(kept, e)
		}
	}
	return m.setExports(kept)
}
