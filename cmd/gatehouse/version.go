package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand() *cobra.Command {
	var wasm string
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of this program and of the filter",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			own, _ := debug.ReadBuildInfo()
			_, _ = fmt.Fprintln(c.OutOrStdout(), "gatehouse", describe(own, runtime.Version()))
			file := wasm
			if file == "" {
				file = besideProgram("gatehouse.wasm")
			}
			module, err := os.ReadFile(file)
			if errors.Is(err, os.ErrNotExist) && wasm == "" {
				_, _ = fmt.Fprintln(c.OutOrStdout(), "filter    none beside this program")
				return nil
			}
			if err != nil {
				return err
			}
			info, err := buildInfo(module)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			_, _ = fmt.Fprintln(c.OutOrStdout(), "filter   ", describe(info, fmt.Sprintf("sha256 %x", sha256.Sum256(module))))
			return nil
		},
	}
	c.Flags().StringVar(&wasm, "wasm", "", "the filter's module, a `file` (default: gatehouse.wasm beside this program)")
	return c
}

func besideProgram(name string) string {
	program, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(program), name)
}

// describe is a build's version and revision, and one thing more.
func describe(info *debug.BuildInfo, more string) string {
	if info == nil {
		return "unknown version (" + more + ")"
	}
	revision := "no revision"
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return fmt.Sprintf("%s (%s, %s)", info.Main.Version, revision, more)
}

// The linker puts a program's build information between these (cmd/go/internal/modload).
// debug/buildinfo reads it from most kinds of executables, but not from WebAssembly.
var (
	infoStart = []byte("0w\xaf\x0c\x92t\x08\x02A\xe1\xc1\x07\xe6\xd6\x18\xe6")
	infoEnd   = []byte("\xf92C1\x86\x18 r\x00\x82B\x10A\x16\xd8\xf2")
)

// buildInfo finds the build information in a module.
func buildInfo(module []byte) (*debug.BuildInfo, error) {
	_, rest, found := bytes.Cut(module, infoStart)
	text, _, ended := bytes.Cut(rest, infoEnd)
	if !found || !ended {
		return nil, errors.New("no build information: want a module built by Go")
	}
	return debug.ParseBuildInfo(string(text))
}
