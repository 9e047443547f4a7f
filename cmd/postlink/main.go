// Command postlink finishes the filter's module. It
//
//   - lets the proxy take the memory for what its calls return from an arena of the module's,
//     instead of entering Go's allocator for each result (see package filter/internal/host);
//   - removes exports of callbacks that the filter has no use for, so that the proxy doesn't call
//     them;
//   - adds the custom section that holds the version;
//   - fails if the code section is larger than a limit. Envoy compiles the code section before it
//     serves, so start-up time follows it; the rest is data.
//
// A module that has not been through it works too, slower.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"gatehouse/cmd/postlink/module"
	"gatehouse/core/version"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: postlink MODULE LIMIT (bytes of code, 0 for any number)")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "postlink:", err)
		os.Exit(1)
	}
}

func run(path, limit string) error {
	most, err := strconv.Atoi(limit)
	if err != nil {
		return err
	}
	linked, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	finished, err := finish(linked)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	code, err := module.CodeSize(finished)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	fmt.Printf("version %s, %d bytes, of which %d are code", version.Version, len(finished), code)
	if most > 0 {
		fmt.Printf(", at most %d", most)
	}
	fmt.Println()
	if most > 0 && code > most {
		return fmt.Errorf("%s: the code section has %d bytes, want at most %d", path, code, most)
	}
	return os.WriteFile(path, finished, 0o644)
}

// arenaMark begins the arena's variable in package filter/internal/host.
const arenaMark = "gatehouse: arena"

func finish(linked []byte) ([]byte, error) {
	if _, found, err := module.Custom(linked, module.VersionSection); err != nil || found {
		if found {
			err = errFinished
		}
		return nil, err
	}
	m, err := parse(linked)
	if err != nil {
		return nil, err
	}
	if err := serveFromArena(m, []byte(arenaMark)); err != nil {
		return nil, err
	}
	if err := dropUnused(m); err != nil {
		return nil, err
	}
	return module.WithCustom(m.bytes(), module.VersionSection, []byte(version.Version))
}

var errFinished = errors.New("the module has been through postlink already")
