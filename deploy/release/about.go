package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
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
}

// defaultBuilder stands for a builder that nobody names.
const defaultBuilder = "urn:gatehouse:builder:unknown"

func (a *about) flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.StringVar(&a.dist, "dist", filepath.Join(root, "dist"), "the `folder` with the built programs, and for what is made of them")
	f.StringVar(&a.revision, "revision", "", "the commit of the sources")
	f.StringVar(&a.source, "source", "", "where the sources are from, a `URI`")
	f.StringVar(&a.builder, "builder", defaultBuilder, "who builds, a `URI`")
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

// program is a program of a release with its files by platform, the modules that it links and its bill of materials.
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

// programs reads all programs that are there. Those that missing names may be missing.
func (a *about) programs(ctx context.Context, missing func(linked.Platform) bool) (filter, cli program, err error) {
	var all []program
	for _, p := range linked.Programs {
		read := program{Program: p, files: map[linked.Platform][]byte{}}
		if read.modules, err = linked.Modules(ctx, root, p); err != nil {
			return filter, cli, err
		}
		hashed := map[string][]byte{}
		for _, platform := range p.Platforms {
			if missing(platform) {
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
