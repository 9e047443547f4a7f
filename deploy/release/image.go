package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"gatehouse/core/version"
	"gatehouse/deploy/release/internal/oci"
	"gatehouse/deploy/release/internal/provenance"
	"gatehouse/deploy/release/internal/sbom"
)

// makeImage makes an OCI image layout: the filter in both forms that proxies load, the CLI, and
// documents about each.
func makeImage(ctx context.Context, out io.Writer, args []string) error {
	var a about
	if err := a.flags("image").Parse(args); err != nil {
		return err
	}
	filter, cli, err := a.programs(ctx, "darwin")
	if err != nil {
		return err
	}
	entries, err := a.entries(filter, cli)
	if err != nil {
		return err
	}
	folder := filepath.Join(a.dist, "image")
	if err := oci.WriteLayout(folder, entries); err != nil {
		return err
	}
	for _, e := range entries {
		raw, err := e.Image.RawManifest()
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "%-16s sha256:%s\n", e.Name, hash(raw))
	}
	_, _ = fmt.Fprintf(out, "version %s, an OCI image layout in %s\n", version.Version, filepath.Clean(folder))
	return nil
}

// entries are the images with the documents about them.
func (a *about) entries(filter, cli program) ([]oci.Entry, error) {
	module := filter.files[filter.Platforms[0]]
	licences, err := cli.licences()
	if err != nil {
		return nil, err
	}
	var programs []oci.Program
	for _, platform := range cli.Platforms {
		if binary, ok := cli.files[platform]; ok {
			programs = append(programs, oci.Program{Arch: platform.Arch, Binary: binary})
		}
	}
	compat, err := oci.Filter(module, a.image())
	if err != nil {
		return nil, err
	}
	artifact, err := oci.FilterArtifact(module, a.image())
	if err != nil {
		return nil, err
	}
	index, err := oci.CLI(programs, module, licences, a.image())
	if err != nil {
		return nil, err
	}
	entries := []oci.Entry{
		{Name: oci.FilterName, Image: compat}, {Name: oci.FilterArtifactName, Image: artifact}, {Name: oci.CLIName, Image: index},
	}
	for i, about := range []program{filter, filter, cli} {
		if entries[i].Documents, err = a.documents(entries[i], about); err != nil {
			return nil, fmt.Errorf("%s: %w", entries[i].Name, err)
		}
	}
	return entries, nil
}

// documents are an image's bill of materials and its provenance.
func (a *about) documents(e oci.Entry, p program) ([]v1.Image, error) {
	subject, err := oci.Describe(e.Image)
	if err != nil {
		return nil, err
	}
	bill, billErr := oci.Referrer(subject, sbom.MediaType, nil, p.bill)
	statement, err := provenance.Write(a.build("image", p.toolchain()), provenance.Of(e.Name, subject.Digest.Hex))
	if err != nil {
		return nil, err
	}
	origin, err := oci.Referrer(subject, provenance.MediaType, map[string]string{"in-toto.io/predicate-type": provenance.PredicateType}, statement)
	if err := errors.Join(billErr, err); err != nil {
		return nil, err
	}
	return []v1.Image{bill, origin}, nil
}

// push pushes what makeImage made.
func push(ctx context.Context, out io.Writer, args []string) error {
	var a about
	flags := a.flags("push")
	image := flags.String("image", "", "where the filter goes, `REGISTRY/REPOSITORY[:TAG]`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *image == "" {
		return errors.New("say where to: make push IMAGE=registry.example/gatehouse")
	}
	references, err := oci.References(*image, version.Version)
	if err != nil {
		return err
	}
	entries, err := oci.ReadLayout(filepath.Join(a.dist, "image"))
	if err != nil {
		return fmt.Errorf("%w: `make image` makes it", err)
	}
	return oci.Push(ctx, out, entries, references)
}
