package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/core/version"
	"gatehouse/deploy/release/internal/licence"
	"gatehouse/deploy/release/internal/linked"
	"gatehouse/deploy/release/internal/oci"
	"gatehouse/deploy/release/internal/provenance"
	"gatehouse/deploy/release/internal/sbom"
)

// about is what a release is made of and what it says of itself. The Makefile passes it.
type about struct {
	dist     string // where the programs are
	revision string
	source   string
	builder  string
	epoch    int64 // seconds since 1970
	cliFor   string
}

// defaultBuilder stands for a builder that nobody names.
const defaultBuilder = "urn:gatehouse:builder:unknown"

func (a *about) flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.StringVar(&a.dist, "dist", filepath.Join(root, "dist"), "the `folder` with the built programs, and for what is made of them")
	f.StringVar(&a.revision, "revision", "", "the commit of the sources")
	f.StringVar(&a.source, "source", "", "where the sources are from, a `URI`")
	f.StringVar(&a.builder, "builder", defaultBuilder, "who builds, a `URI`")
	f.StringVar(&a.cliFor, "platforms", "", "the `platforms` of the CLI, as linux-amd64, separated by spaces (default: all)")
	f.Int64Var(&a.epoch, "epoch", 0, "the time of the release, in `seconds` since 1970")
	return f
}

func (a *about) time() time.Time { return time.Unix(a.epoch, 0) }

func (a *about) image() oci.About {
	return oci.About{Version: version.Version, Revision: a.revision, Source: a.source, Created: a.time()}
}

func (a *about) build(target, toolchain string) provenance.Build {
	return provenance.Build{Target: target, Revision: a.revision, Source: a.source, Builder: a.builder, Go: toolchain}
}

// program is a program of a release with its files by platform, the modules that it links and its
// bill of materials.
type program struct {
	linked.Program
	modules []linked.Module
	files   map[linked.Platform][]byte
	bill    []byte
}

// file is where the Makefile puts a program for a platform.
func (a *about) file(p linked.Program, platform linked.Platform) string {
	if platform.OS == "wasip1" {
		return filepath.Join(a.dist, "gatehouse.wasm")
	}
	return filepath.Join(a.dist, platform.String(), p.Name)
}

// platforms are those of a program that are asked for.
func (a *about) platforms(p linked.Program) (chosen []linked.Platform, err error) {
	wanted := strings.Fields(a.cliFor)
	if p.Package != cliPackage || len(wanted) == 0 {
		return p.Platforms, nil
	}
	for _, platform := range p.Platforms {
		if at := slices.Index(wanted, platform.String()); at >= 0 {
			chosen, wanted = append(chosen, platform), slices.Delete(wanted, at, at+1)
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("platforms: want some of %v, got %s", p.Platforms, wanted[0])
	}
	return chosen, nil
}

const cliPackage = "./cmd/gatehouse"

// programs reads all programs. Files for the operating system that without names are left out.
func (a *about) programs(ctx context.Context, without string) (filter, cli program, err error) {
	var all []program
	for _, p := range linked.Programs {
		if p.Platforms, err = a.platforms(p); err != nil {
			return filter, cli, err
		}
		read := program{Program: p, files: map[linked.Platform][]byte{}}
		if read.modules, err = linked.Modules(ctx, root, p); err != nil {
			return filter, cli, err
		}
		hashed := map[string][]byte{}
		for _, platform := range p.Platforms {
			if platform.OS == without {
				continue
			}
			content, err := os.ReadFile(a.file(p, platform))
			if err != nil {
				return filter, cli, fmt.Errorf("%s for %s: %w", p.Name, platform, err)
			}
			read.files[platform] = content
			hashed[platform.String()] = content
		}
		read.bill, err = sbom.Write(sbom.Subject{Program: p, Modules: read.modules, Files: hashed, Time: a.time()})
		if err != nil {
			return filter, cli, err
		}
		if err := sbom.Validate(ctx, read.bill); err != nil {
			return filter, cli, err
		}
		all = append(all, read)
	}
	return all[0], all[1], nil
}

// toolchain is the version of Go that builds.
func (p program) toolchain() string {
	for _, m := range p.modules {
		if m.Path == linked.Standard {
			return m.Version
		}
	}
	return ""
}

// licences are the texts that go with the program.
func (p program) licences() (string, error) { return licence.Texts(p.modules) }
