// Command postlink finishes the filter's module: it adds the custom section that holds the version,
// and fails if the code section is larger than a limit. Envoy compiles the code section before it
// serves, so start-up time follows it; the rest is data.
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
		fmt.Fprintln(os.Stderr, "usage: postlink MODULE LIMIT")
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
	code, codeErr := module.CodeSize(linked)
	finished, err := module.WithCustom(linked, module.VersionSection, []byte(version.Version))
	if err := errors.Join(codeErr, err); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	fmt.Printf("version %s, %d bytes, of which %d are code, at most %d\n", version.Version, len(finished), code, most)
	if code > most {
		return fmt.Errorf("%s: the code section has %d bytes, want at most %d", path, code, most)
	}
	return os.WriteFile(path, finished, 0o644)
}
