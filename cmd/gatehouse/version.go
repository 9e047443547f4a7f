package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/cmd/postlink/module"
	"gatehouse/core/version"
)

// revision is the commit that this program was built from. The linker sets it: see the Makefile.
var revision string

func versionCommand() *cobra.Command {
	var wasm string
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of this program and of the filter",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, _ = fmt.Fprintf(c.OutOrStdout(), "gatehouse %s (%s, %s, %s/%s)\n", version.Version, ownRevision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			file := wasm
			if file == "" {
				file = besideProgram("gatehouse.wasm")
			}
			filter, err := os.ReadFile(file)
			if errors.Is(err, os.ErrNotExist) && wasm == "" {
				_, _ = fmt.Fprintln(c.OutOrStdout(), "filter    none beside this program")
				return nil
			}
			if err != nil {
				return err
			}
			text, found, err := module.Custom(filter, module.VersionSection)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if !found {
				return fmt.Errorf("%s: no version in it: want a filter that `make build` made (custom section %s)", file, module.VersionSection)
			}
			_, _ = fmt.Fprintf(c.OutOrStdout(), "filter    %s (sha256 %x)\n", printable(text), sha256.Sum256(filter))
			return nil
		},
	}
	c.Flags().StringVar(&wasm, "wasm", "", "the filter's module, a `file` (default: gatehouse.wasm beside this program)")
	return c
}

// printable is text from a file as a terminal may show it.
func printable(text []byte) string { return strings.Trim(strconv.QuoteToASCII(string(text)), `"`) }

func besideProgram(name string) string {
	program, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(program), name)
}

// ownRevision is the commit of this build: the linker's, else what `go build` noted.
func ownRevision() string {
	if revision != "" {
		return revision
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "no revision"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	switch {
	case settings["vcs.revision"] == "":
		return "no revision"
	case settings["vcs.modified"] == "true":
		return settings["vcs.revision"] + "-modified"
	}
	return settings["vcs.revision"]
}
